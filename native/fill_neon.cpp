// SPDX-License-Identifier: Apache-2.0
// The neon target.
#include "simd_neon.h"

#define GLOROT_TARGET neon
#define GLOROT_KERNEL kNeonKernel
#include "target.inl"
