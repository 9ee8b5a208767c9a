// SPDX-License-Identifier: Apache-2.0
// The avx2 target.
#include "simd_avx2.h"

#define GLOROT_TARGET avx2
#define GLOROT_KERNEL kAvx2Kernel
#include "target.inl"
