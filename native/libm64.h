// SPDX-License-Identifier: Apache-2.0
// glibc's float64 log, log1p and sincos: the C++ twin of replay/_log64.py, _log1p64.py and
// _sincos64.py, same order of operations; their docstrings tell the method.
//
// Template parameter Fused: the arithmetic "fma", as on processors with FMA, or "default".  Without
// -mfma a fused operation is a call of the C library's: right, and slow.  -ffp-contract=off keeps
// all else apart.  Functions of n <= 64 values keep look-ups and rare cases in loops of their
// own, so that gcc makes vectors of the arithmetic.  tools/check_libm.sh compares all with glibc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "arithmetic.h"
#include "compiler.h"

namespace glorot {

static constexpr double kLog64[128][4] = {  // 1/c, ln c, c as a sum
#include "log64.inc"
};
static constexpr double kSincos64[110][4] = {  // sin(k/128) as a sum, cos(k/128) as a sum
#include "sincos64.inc"
};

template <bool Fused> static GLOROT_INLINE double multiply_add(double a, double b, double c) {
  if constexpr (Fused) return fused(a, b, c);
  return a * b + c;
}

static GLOROT_INLINE uint64_t bits64(double x) { return __builtin_bit_cast(uint64_t, x); }
static GLOROT_INLINE double real64(uint64_t bits) { return __builtin_bit_cast(double, bits); }
// `yes` where the condition holds, by masks: compilers turn them into vectors where they leave ?:
// as a branch.
static GLOROT_INLINE double choose(bool condition, double yes, double no) {
  const uint64_t mask = 0 - uint64_t(condition);
  return real64((bits64(yes) & mask) | (bits64(no) & ~mask));
}

// The logarithm away from 1: x = 2**octave * z, and z lies near the c of `row`.
struct LogParts {
  double z, octave;
  uint64_t part;
};

static GLOROT_INLINE LogParts log_parts(double x) {
  constexpr uint64_t kOctaveStart = 0x3fe6000000000000;
  const uint64_t bits = bits64(x), place = bits - kOctaveStart;
  // 52 places down, signed, without a shift of 64-bit signed numbers, which AVX2 lacks: biased.
  const int32_t octave = int32_t(uint32_t((place + (uint64_t(1) << 63)) >> 52)) - 2048;
  return {real64(bits - (place & 0xfff0000000000000)), double(octave), place >> 45 & 127};
}

template <bool Fused>
static GLOROT_INLINE double log_far(double z, double octave, const double* row) {
  constexpr double kLn2High = 0x1.62e42fefa38p-1, kLn2Low = 0x1.ef35793c7673p-45;
  constexpr double a0 = -0x1.0000000000001p-1, a1 = 0x1.555555551305bp-2,
                   a2 = -0x1.fffffffeb459p-3, a3 = 0x1.999b324f10111p-3,
                   a4 = -0x1.55575e506c89fp-3;
  constexpr auto fma = multiply_add<Fused>;
  double r;
  if constexpr (Fused) r = fma(z, row[0], -1.0);
  else r = ((z - row[2]) - row[3]) * row[0];
  const double start = octave * kLn2High + row[1];  // exact
  const double high = start + r;
  const double low = fma(octave, kLn2Low, (start - high) + r);
  const double r2 = r * r;
  const double rest = fma(r2, fma(r, a4, a3), fma(r, a2, a1));
  return fma(r * r2, rest, fma(r2, a0, low)) + high;
}

static GLOROT_INLINE bool log_is_near(double x) {  // 1 - 1/16 <= x < 1 + 0x1.09p-4
  return bits64(x) - 0x3fee000000000000 < 0x3ff1090000000000 - 0x3fee000000000000;
}

template <bool Fused> static GLOROT_INLINE double log_near(double x) {
  constexpr double b1 = 0x1.5555555555577p-2, b2 = -0x1.ffffffffffdcbp-3,
                   b3 = 0x1.999999995dd0cp-3, b4 = -0x1.55555556745a7p-3,
                   b5 = 0x1.24924a344de3p-3, b6 = -0x1.fffffa4423d65p-4,
                   b7 = 0x1.c7184282ad6cap-4, b8 = -0x1.999eb43b068ffp-4,
                   b9 = 0x1.78182f7afd085p-4, b10 = -0x1.5521375d145cdp-4;
  constexpr auto fma = multiply_add<Fused>;
  const double r = x - 1.0, r2 = r * r, r3 = r * r2;
  double rest = fma(r3, b10, fma(r2, b9, fma(r, b8, b7)));
  rest = fma(r3, rest, fma(r2, b6, fma(r, b5, b4)));
  rest = fma(r3, rest, fma(r2, b3, fma(r, b2, b1)));
  const double shifted = r * 0x1p27;
  const double r_high = (r + shifted) - shifted;  // 26 bits, so that its square is exact
  const double square = r_high * r_high * -0.5;
  const double high = r + square;
  const double low = fma(-0.5 * (r - r_high), r_high + r, (r - high) + square);
  return (high + fma(r3, rest, low)) + 0.0;  // of 1 it is 0, not -0
}

// x: positive, normal and finite.
template <bool Fused> static GLOROT_INLINE double glibc_log(double x) {
  if (log_is_near(x)) return log_near<Fused>(x);
  const LogParts p = log_parts(x);
  return log_far<Fused>(p.z, p.octave, kLog64[p.part]);
}

// The same of n <= 64 values.  x and y are apart, or the same.
template <bool Fused> static GLOROT_INLINE void glibc_log(const double* x, double* y, int n) {
  constexpr int kColumns = Fused ? 2 : 4;
  double z[64], octave[64], row[64][kColumns], far[64];
  uint64_t part[64];
  int near[64], count = 0;
  for (int i = 0; i < n; ++i) {
    const LogParts p = log_parts(x[i]);
    z[i] = p.z;
    octave[i] = p.octave;
    part[i] = p.part;
  }
  for (int i = 0; i < n; ++i) std::memcpy(row[i], kLog64[part[i]], sizeof row[i]);
  for (int i = 0; i < n; ++i) far[i] = log_far<Fused>(z[i], octave[i], row[i]);
  for (int i = 0; i < n; ++i) {
    near[count] = i;
    count += log_is_near(x[i]);
  }
  for (int i = 0; i < count; ++i) far[near[i]] = log_near<Fused>(x[near[i]]);
  std::memcpy(y, far, size_t(n) * sizeof *y);
}

// x: above -1 and finite.
template <bool Fused> static GLOROT_INLINE double glibc_log1p(double x) {
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  constexpr double l1 = 6.666666666666735130e-01, l2 = 3.999999999940941908e-01,
                   l3 = 2.857142874366239149e-01, l4 = 2.222219843214978396e-01,
                   l5 = 1.818357216161805012e-01, l6 = 1.531383769920937332e-01,
                   l7 = 1.479819860511658591e-01, two_thirds = 0.66666666666666666;
  constexpr auto fma = multiply_add<Fused>;
  const double size = real64(bits64(x) & ~(uint64_t(1) << 63));
  if (size < 0x1p-54) return x;
  if (size < 0x1p-29) return x - x * x * 0.5;
  double f = x, octave = 0.0, low = 0.0;
  bool near = false;
  if (!(x > -0x1.2bec4p-2 && x < 0x1.a827ap-2)) {
    const bool huge = x >= 0x1p53;  // where 1 + x is x
    const double u = huge ? x : 1.0 + x;
    const uint64_t bits = bits64(u), mantissa = bits & ((uint64_t(1) << 52) - 1);
    int exponent = int(bits >> 52) - 1023;
    const double cut_off = exponent > 0 ? 1.0 - (u - x) : x - (u - 1.0);
    const uint64_t upper = mantissa >> 32;
    const bool high = upper >= 0x6a09e;  // of sqrt(2)
    exponent += high;
    f = real64(mantissa | uint64_t(high ? 1022 : 1023) << 52) - 1.0;
    near = (high ? (0x100000 - upper) >> 2 : upper) == 0;  // |f| < 2**-20
    octave = double(exponent);
    low = fma(octave, kLn2Low, huge || exponent == 0 ? 0.0 : cut_off / u);
  }
  const double half = 0.5 * f * f;
  if (near) {
    const double cube = half * fma(-f, two_thirds, 1.0);
    return fma(octave, kLn2High, -((cube - low) - f));
  }
  const double s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2;
  double rest = fma(z, l1, z2 * fma(z, l3, l2));
  rest = fma(z4 * z2, fma(z, l7, l6), fma(z4, fma(z, l5, l4), rest));
  return fma(octave, kLn2High, -((half - (s * (half + rest) + low)) - f));
}

// An angle less a multiple of pi/2, as a + da, and that multiple.  See _sincos64.py.
struct Reduced {
  double a, da;
  uint64_t quarter;
};

template <bool Fused> static GLOROT_INLINE Reduced reduce_angle(double x) {
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1, kIntegers = 0x1.8p52;
  constexpr double kHalfPi = 0x1.921fb54442d18p0, kHalfPiLow = 0x1.1a62633145c07p-54;
  constexpr double first = 0x1.921fb58p0, second = -0x1.dde973cp-27, third = -0x1.cb3b398p-55,
                   fourth = -0x1.d747f23e32ed7p-83;  // of pi/2
  constexpr uint64_t kSign = uint64_t(1) << 63;
  constexpr auto fma = multiply_add<Fused>;
  const double shifted = fma(x, kTwoOverPi, kIntegers);
  uint64_t quarter = bits64(shifted) & 3;
  const double turns = shifted - kIntegers;
  // All products but the last are exact, so that fused and not fused are the same.
  const double left = (x - turns * first) - turns * second;
  const double most = left - turns * third, rest = (left - most) - turns * third;
  double a = fma(-turns, fourth, most);
  double da = rest + fma(-turns, fourth, most - a);
  const uint64_t negated = ((quarter + 1) & 2) << 62;  // in quarters 1 and 2
  a = real64(bits64(a) ^ negated);
  da = real64(bits64(da) ^ negated);
  // Where one subtraction from pi/2, or none, is enough:
  const uint64_t size = bits64(x) & ~kSign;
  const double distance = kHalfPi - real64(size);
  const double whole = distance + kHalfPiLow, low = (distance - whole) + kHalfPiLow;
  const bool below = int64_t(size) < 0x3feb600000000000;   // 0.855...
  const bool middle = int64_t(size) < 0x400368fd00000000;  // 2.426...
  a = choose(below, x, choose(middle, whole, a));
  da = choose(below, 0.0, choose(middle, low, da));
  const uint64_t in_middle = 1 + (bits64(x) >> 63) * 2, mask = 0 - uint64_t(middle);
  quarter = ((in_middle & mask) | (quarter & ~mask)) & (uint64_t(below) - 1);
  return {a, da, quarter};
}

// Where in the table |a| lies: k/128 nearest, k below 110.
static GLOROT_INLINE uint64_t sincos_row(double a) {
  return bits64(real64(bits64(a) & ~(uint64_t(1) << 63)) + 0x1.8p45) & 127;
}

template <bool Fused>
static GLOROT_INLINE void sincos_of(double x, double a, double da, uint64_t quarter,
                                    const double (&row)[4], double* sine, double* cosine) {
  constexpr double s1 = -0x1.5555555555555p-3, s2 = 0x1.1111111110ecep-7,
                   s3 = -0x1.a01a019db08b8p-13, s4 = 0x1.71de27b9a7ed9p-19,
                   s5 = -0x1.addffc2fcdf59p-26;
  constexpr double sn3 = -1.66666666666664880952546298448555e-01,
                   sn5 = 8.33333214285722277379541354343671e-03;
  constexpr double cs4 = -4.16666666666664434524222570944589e-02,
                   cs6 = 1.38888874007937613028114285595617e-03;
  constexpr uint64_t kSign = uint64_t(1) << 63;
  constexpr auto fma = multiply_add<Fused>;
  const double size = real64(bits64(a) & ~kSign);
  const double near = size - ((size + 0x1.8p45) - 0x1.8p45);
  const uint64_t sign = bits64(a) & kSign;
  const double outward = real64(bits64(da) ^ sign);
  double s, c;
  {  // the sine of k/128 + near + outward
    const double x2 = near * near;
    const double sin_near = near + fma(near * x2, fma(x2, sn5, sn3), outward);
    const double cos_near = fma(near, outward, x2 * fma(x2, fma(x2, cs6, cs4), 0.5));  // 1 - cos
    s = row[0] + fma(sin_near, row[2], fma(-cos_near, row[0], fma(sin_near, row[3], row[1])));
    s = real64(bits64(s) | sign);
  }
  {  // the sine where it is small
    const double x2 = a * a;
    const double p = fma(x2, fma(x2, fma(x2, fma(x2, s5, s4), s3), s2), s1);
    const double small = a + fma(x2, fma(p, a, -0.5 * da), da);
    s = choose(int64_t(bits64(size)) < 0x3fc020c49ba5e354, small, s);  // 0.126
  }
  {  // the cosine
    const double here = near + outward, x2 = here * here;
    const double sin_here = fma(here * x2, fma(x2, sn5, sn3), here);
    const double cos_here = x2 * fma(x2, fma(x2, cs6, cs4), 0.5);
    c = row[2] + fma(-sin_here, row[0], fma(-cos_here, row[2], fma(-sin_here, row[1], row[3])));
    c = real64(bits64(c) ^ (quarter & 2) << 62);
  }
  const bool odd = quarter & 1, tiny = int64_t(bits64(x) & ~kSign) < 0x3e40000000000000;  // 2**-27
  *sine = choose(tiny, x, choose(odd, c, s));
  *cosine = choose(tiny, 1.0, choose(odd, s, c));
}

// x: of magnitude below 105414336.
template <bool Fused>
static GLOROT_INLINE void glibc_sincos(double x, double* sine, double* cosine) {
  const Reduced r = reduce_angle<Fused>(x);
  sincos_of<Fused>(x, r.a, r.da, r.quarter, kSincos64[sincos_row(r.a)], sine, cosine);
}

// The same of n <= 64 angles, apart from the results.
template <bool Fused>
static GLOROT_INLINE void glibc_sincos(const double* x, double* sine, double* cosine, int n) {
  double a[64], da[64], row[64][4];
  uint64_t quarter[64], k[64];
  for (int i = 0; i < n; ++i) {
    const Reduced r = reduce_angle<Fused>(x[i]);
    a[i] = r.a;
    da[i] = r.da;
    quarter[i] = r.quarter;
    k[i] = sincos_row(r.a);
  }
  for (int i = 0; i < n; ++i) std::memcpy(row[i], kSincos64[k[i]], sizeof row[i]);
  for (int i = 0; i < n; ++i)
    sincos_of<Fused>(x[i], a[i], da[i], quarter[i], row[i], sine + i, cosine + i);
}

}  // namespace glorot
