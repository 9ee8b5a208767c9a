// SPDX-License-Identifier: Apache-2.0
// glibc's float32 log, sine and cosine: the C++ twin of replay/_libm32.py, its operations in order.
// Plain float64 arithmetic under -ffp-contract=off, and no branch: gcc makes vectors of a loop over
// an array.  tools/check_libm.sh compares them with the C library, over every argument.
#pragma once

#include <cstdint>
#include <cstring>

#include "compiler.h"

namespace glorot {

static constexpr double kLogf[16][2] = {  // 1/c, ln c
#include "logf.inc"
};

// A logarithm's argument taken apart: x = 2**octave * z, and z lies near the c of `part`.
struct LogfParts {
  double z, octave;
  uint32_t part;
};

static GLOROT_INLINE LogfParts logf_parts(float x) {
  constexpr uint32_t kOctaveStart = 0x3f330000;
  const uint32_t bits = __builtin_bit_cast(uint32_t, x), place = bits - kOctaveStart;
  return {double(__builtin_bit_cast(float, bits - (place & 0xff800000u))),
          double(int32_t(place) >> 23), place >> 19 & 15};
}

static GLOROT_INLINE float logf_of(double z, double octave, double inverse_c, double log_c) {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  constexpr double a0 = -0x1.00ea348b88334p-2, a1 = 0x1.5575b0be00b6ap-2,
                   a2 = -0x1.ffffef20a4123p-2;
  const double r = z * inverse_c - 1.0;
  const double start = log_c + octave * kLn2;
  const double squared = r * r;
  double y = a1 * r + a2;
  y = a0 * squared + y;
  y = y * squared + (start + r);
  return float(y);
}

// x: a normal number in (0, 1].
static GLOROT_INLINE float glibc_logf(float x) {
  const LogfParts p = logf_parts(x);
  return logf_of(p.z, p.octave, kLogf[p.part][0], kLogf[p.part][1]);
}

// The same of n <= 64 values: the look-ups stand in a loop of their own, so that the arithmetic
// becomes vectors.
static GLOROT_INLINE void glibc_logf(const float* x, float* y, int n) {
  double z[64], octave[64], row[64][2];
  uint32_t part[64];
  for (int i = 0; i < n; ++i) {
    const LogfParts p = logf_parts(x[i]);
    z[i] = p.z;
    octave[i] = p.octave;
    part[i] = p.part;
  }
  for (int i = 0; i < n; ++i) std::memcpy(row[i], kLogf[part[i]], sizeof row[i]);
  for (int i = 0; i < n; ++i) y[i] = logf_of(z[i], octave[i], row[i][0], row[i][1]);
}

// x: radians, 0 to the float32 next above 2 pi.
static GLOROT_INLINE void glibc_sincosf(float x, float* sine, float* cosine) {
  constexpr double kHalfPi = 0x1.921fb54442d18p0, kQuarters = 0x1.45f306dc9c883p+23;
  constexpr double c1 = -0x1.ffffffd0c621cp-2, c2 = 0x1.55553e1068f19p-5,
                   c3 = -0x1.6c087e89a359dp-10, c4 = 0x1.99343027bf8c3p-16;
  constexpr double s1 = -0x1.555545995a603p-3, s2 = 0x1.1107605230bc4p-7,
                   s3 = -0x1.994eb3774cf24p-13;
  const double angle = double(x);
  // The nearest quarter turn, rounded in fixed point with 24 bits of fraction.
  const int32_t quarter = (int32_t(angle * kQuarters) + 0x800000) >> 24;
  const double r = angle - double(quarter) * kHalfPi;
  const double sine_sign = double(1 - ((quarter + 1) & 2));  // -1 in quarters 1 and 2 of 0..3
  const double cosine_sign = double(1 - (quarter & 2));
  const double signed_r = r * sine_sign, r2 = r * r;
  const double cube = signed_r * r2, r4 = r2 * r2;
  const double of_sine = (signed_r + cube * s1) + (cube * r2) * (s2 + r2 * s3);
  // The sign goes into the sum last: products by 1 and -1 are exact.
  const double of_cosine =
      cosine_sign * (((1.0 + r2 * c1) + r4 * c2) + (r4 * r2) * (c3 + r2 * c4));
  // Chosen by masks, which compilers turn into vectors where they do not turn ?: into them.
  const uint32_t s = __builtin_bit_cast(uint32_t, float(of_sine));
  const uint32_t c = __builtin_bit_cast(uint32_t, float(of_cosine));
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  const uint32_t swap = (s ^ c) & (0u - uint32_t(quarter & 1));
  const uint32_t small = 0u - uint32_t(bits < 0x39800000u);  // below 2**-12 sin(x) is x, cos(x) 1
  *sine = __builtin_bit_cast(float, ((s ^ swap) & ~small) | (bits & small));
  *cosine = __builtin_bit_cast(float, ((c ^ swap) & ~small) | (0x3f800000u & small));
}

}  // namespace glorot
