// SPDX-License-Identifier: Apache-2.0
// The avx512 target.
#include "simd_avx512.h"

#define GLOROT_TARGET avx512
#define GLOROT_KERNEL kAvx512Kernel
#include "target.inl"
