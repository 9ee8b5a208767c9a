// SPDX-License-Identifier: Apache-2.0
// The portable target.
#include "simd_portable.h"

#define GLOROT_TARGET portable
#define GLOROT_KERNEL kPortableKernel
#include "target.inl"
