// SPDX-License-Identifier: Apache-2.0
// XLA's float32 erf_inv on CPU: the C++ twin of replay/jax/_xla32.py, its operations in order.  No
// branch: gcc makes vectors of a loop over an array.
#pragma once

#include "arithmetic.h"
#include "compiler.h"
#include "laws.h"

namespace glorot {

static constexpr float kXlaErfInv[3][9] = {
#include "xla_erfinv.inc"
};
static constexpr float kXlaLog1p[2][7] = {
#include "xla_log1p.inc"
};

// See choose in libm64.h.
static GLOROT_INLINE float choose(bool condition, float yes, float no) {
  const uint32_t mask = 0u - uint32_t(condition);
  return float_from_bits((bits_of(yes) & mask) | (bits_of(no) & ~mask));
}

// Written out by the compiler: a loop inside keeps the loop around it from becoming vectors.
template <int kCount, int kNext = 1>
static GLOROT_INLINE float horner32(const float (&c)[kCount], float x, float value) {
  if constexpr (kNext == kCount)
    return value;
  else
    return horner32<kCount, kNext + 1>(c, x, fused(value, x, c[kNext]));
}

static GLOROT_INLINE float xla_log32(float x) {
  const float* c = kXlaErfInv[2];
  const uint32_t bits = bits_of(x);
  const float m = float_from_bits((bits & 0x007fffffu) | 0x3f000000u);
  const bool small = m < 0.707106781186547524f;
  const float t = (m - 1.0f) + choose(small, m, 0.0f);
  const float exponent = float(int32_t(bits >> 23) - 126) - choose(small, 1.0f, 0.0f);
  const float square = t * t, cube = square * t;
  float y = fused(fused(c[0], t, c[1]), t, c[2]);
  y = fused(y, cube, fused(fused(c[3], t, c[4]), t, c[5]));
  y = fused(y, cube, fused(fused(c[6], t, c[7]), t, c[8]));
  y = fused(y, cube, exponent * -2.12194440e-4f);
  const float near = t - square * 0.5f;
  return (near + y) + exponent * 0.693359375f;
}

// x in [-1, 0]; at -1, whose logarithm is not asked for, some number.
static GLOROT_INLINE float xla_log1p32(float x) {
  const float over = horner32(kXlaLog1p[0], x, kXlaLog1p[0][0]);
  const float under = horner32(kXlaLog1p[1], x, kXlaLog1p[1][0]);
  const float square = x * x, cube = x * square;
  const float near = x + fused(square, -0.5f, cube * (over / under));
  const float sum = 1.0f + x;
  const float far = xla_log32(choose(sum < 0x1p-126f, 0x1p-126f, sum));
  return choose(x > -0.41421356237309510f, near, far);
}

// Both sides of each choice are computed, as vectors do it anyway.
static GLOROT_INLINE float xla_erf_inv32(float u) {
  const float w = -xla_log1p32(u * -u);
  const float near = horner32(kXlaErfInv[0], w - 2.5f, kXlaErfInv[0][0]);
  const float far = horner32(kXlaErfInv[1], square_root(w) - 3.0f, kXlaErfInv[1][0]);
  const float value = choose(w < 5.0f, near, far);
  const bool edge = (bits_of(u) & 0x7fffffffu) == 0x3f800000u;
  return u * choose(edge, float_from_bits(0x7f800000u), value);
}

}  // namespace glorot
