// SPDX-License-Identifier: Apache-2.0
// Arithmetic that is one instruction, and rounded once: a * b + c, also where the instruction set
// lacks it, and the square root.
#pragma once

#include <math.h>

#include <cstdint>

#include "compiler.h"

namespace glorot {

#if defined(__FMA__) || defined(__aarch64__) || defined(_M_ARM64) || (defined(_MSC_VER) && defined(__AVX2__))

static GLOROT_INLINE float fused(float a, float b, float c) { return ::fmaf(a, b, c); }

#else

// Finite numbers.  The product is exact in float64; the sum is rounded there to odd, which leaves in
// the last bit that something was cut off, and then to float32: as if once (replay/_fma.py).
static GLOROT_INLINE float fused(float a, float b, float c) {
  const double product = double(a) * double(b), sum = product + double(c), back = sum - product;
  const double error = (product - (sum - back)) + (double(c) - back);
  const uint64_t bits = __builtin_bit_cast(uint64_t, sum);
  const uint64_t cut = __builtin_bit_cast(uint64_t, error), size = cut << 1;
  const uint64_t inexact = (size | (0 - size)) >> 63;       // without a branch
  const uint64_t towards_zero = (bits ^ cut) >> 63 & inexact;
  return float(__builtin_bit_cast(double, (bits - towards_zero) | inexact));
}

#endif

static GLOROT_INLINE double fused(double a, double b, double c) { return ::fma(a, b, c); }

static GLOROT_INLINE float square_root(float x) { return ::sqrtf(x); }
static GLOROT_INLINE double square_root(double x) { return ::sqrt(x); }

}  // namespace glorot
