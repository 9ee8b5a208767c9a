// SPDX-License-Identifier: Apache-2.0
// The float32 log, sine and cosine of torch's kernels for AVX2: the C++ twin of
// replay/torch/_cephes.py, same order of operations.  No branch, so that loops become vectors.
#pragma once

#include <cstdint>

#include "arithmetic.h"

namespace glorot {

// x: a normal number in (0, 1].
static GLOROT_INLINE float cephes_logf(float x) {
  constexpr float kSqrtHalf = float(0.707106781186547524);
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  const uint32_t half_to_one = (bits & 0x007fffffu) | 0x3f000000u;
  const uint32_t below = 0u - uint32_t(__builtin_bit_cast(float, half_to_one) < kSqrtHalf);
  const float e = float(int32_t((bits >> 23) - 126 + below));
  float m = __builtin_bit_cast(float, half_to_one) - 1.0f;
  m = m + __builtin_bit_cast(float, half_to_one & below);
  const float squared = m * m;
  float y = 7.0376836292e-2f;
  y = fused(y, m, -1.1514610310e-1f);
  y = fused(y, m, 1.1676998740e-1f);
  y = fused(y, m, -1.2420140846e-1f);
  y = fused(y, m, 1.4249322787e-1f);
  y = fused(y, m, -1.6668057665e-1f);
  y = fused(y, m, 2.0000714765e-1f);
  y = fused(y, m, -2.4999993993e-1f);
  y = fused(y, m, 3.3333331174e-1f);
  y = fused(y * m, squared, e * -2.12194440e-4f);
  y = y - squared * 0.5f;
  return m + y + e * 0.693359375f;
}

// x: radians, 0 to 2 pi.
static GLOROT_INLINE void cephes_sincosf(float x, float* sine, float* cosine) {
  const uint32_t octant = (uint32_t(int32_t(x * 1.27323954473516f)) + 1) & ~1u;
  const float j = float(int32_t(octant));
  x = fused(j, -0.78515625f, x);
  x = fused(j, -2.4187564849853515625e-4f, x);
  x = fused(j, -3.77489497744594108e-8f, x);
  const float squared = x * x;
  float c = fused(2.443315711809948e-5f, squared, -1.388731625493765e-3f);
  c = fused(c, squared, 4.166664568298827e-2f);
  c = fused(c * squared, squared, -(squared * 0.5f)) + 1.0f;
  float s = fused(-1.9515295891e-4f, squared, 8.3321608736e-3f);
  s = fused(s, squared, -1.6666654611e-1f);
  s = fused(s * squared, x, x);
  // Bit 1 of the octant swaps the two; bit 2 turns the sine, either but not both the cosine.
  const uint32_t of_sine = __builtin_bit_cast(uint32_t, s);
  const uint32_t of_cosine = __builtin_bit_cast(uint32_t, c);
  const uint32_t swap = (of_sine ^ of_cosine) & (0u - (octant >> 1 & 1));
  const uint32_t sine_sign = octant << 29 & 0x80000000u;
  const uint32_t cosine_sign = (octant ^ octant << 1) << 29 & 0x80000000u;
  *sine = __builtin_bit_cast(float, (of_sine ^ swap) ^ sine_sign);
  *cosine = __builtin_bit_cast(float, (of_cosine ^ swap) ^ cosine_sign);
}

}  // namespace glorot
