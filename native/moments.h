// SPDX-License-Identifier: Apache-2.0
// Sum and sum of squares of an array, in float64: what a report of measured deviations needs.
#pragma once

#include "laws.h"

namespace glorot {

struct Moments {
  double sum = 0, sum_of_squares = 0;
};

namespace detail {

template <class Type, class Widen>
Moments moments_of(const Type* data, uint64_t count, const Widen& widen) {
  // Eight independent sums let the compiler use vectors without reordering additions by itself.
  double sums[8] = {}, squares[8] = {};
  const Type* const whole = data + count / 8 * 8;
  for (const Type* p = data; p != whole; p += 8)
    for (int lane = 0; lane < 8; ++lane) {
      const double x = widen(p[lane]);
      sums[lane] += x;
      squares[lane] += x * x;
    }
  for (int lane = 0; lane < int(count % 8); ++lane) {
    const double x = widen(whole[lane]);
    sums[lane] += x;
    squares[lane] += x * x;
  }
  Moments total;
  for (int lane = 0; lane < 8; ++lane) {
    total.sum += sums[lane];
    total.sum_of_squares += squares[lane];
  }
  return total;
}

// A small float with kExponent and kMantissa bits, widened by exact scaling of its bits.
template <int kExponent, int kMantissa> double widen_small(uint32_t bits) {
  constexpr int bias = (1 << (kExponent - 1)) - 1;
  const uint32_t sign = bits >> (kExponent + kMantissa), magnitude = bits & ((1u << (kExponent + kMantissa)) - 1);
  // As float32 the bits read 2**(bias - 127) times the value, subnormals included.
  const uint64_t wide = uint64_t(magnitude) << (52 - kMantissa);
  double value;
  std::memcpy(&value, &wide, sizeof value);
  value *= double(1ull << 32) * double(1ull << 32);  // 2**(1023 - bias), in exact steps
  for (int left = 1023 - bias - 64; left > 0;) {
    const int step = left < 62 ? left : 62;
    value *= double(1ull << step);
    left -= step;
  }
  return sign ? -value : value;
}

}  // namespace detail

inline Moments moments(const void* data, Dtype dtype, uint64_t count) {
  using detail::moments_of;
  switch (dtype) {
    case Dtype::kFloat32:
      return moments_of(static_cast<const float*>(data), count, [](float x) { return double(x); });
    case Dtype::kFloat64:
      return moments_of(static_cast<const double*>(data), count, [](double x) { return x; });
    case Dtype::kBfloat16:
      return moments_of(static_cast<const uint16_t*>(data), count,
                        [](uint16_t x) { return double(widen_bfloat16(x)); });
    case Dtype::kFloat16:
      return moments_of(static_cast<const uint16_t*>(data), count,
                        [](uint16_t x) { return double(widen_float16(x)); });
    case Dtype::kFloat8E4m3fn: case Dtype::kFloat8E5m2: {
      double table[256];
      for (uint32_t i = 0; i < 256; ++i)
        table[i] = dtype == Dtype::kFloat8E4m3fn ? detail::widen_small<4, 3>(i)
                                                 : detail::widen_small<5, 2>(i);
      return moments_of(static_cast<const uint8_t*>(data), count,
                        [&](uint8_t x) { return table[x]; });
    }
    default: return {};
  }
}

}  // namespace glorot
