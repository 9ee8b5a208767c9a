// SPDX-License-Identifier: Apache-2.0
// Sum and sum of squares of an array, in float64.

// `widen` makes float64 of 8 values.
template <class Type, class Widen>
static Moments moments_of(const Type* data, uint64_t count, const Widen& widen) {
  // Eight sums, whatever the vectors' width: every target adds in one order.
  auto sums = Target::wide(0.0), squares = sums;
  auto take = [&](const Type* eight) {
    const auto x = widen(eight);
    sums = Target::add(sums, x);
    squares = Target::add(squares, Target::mul(x, x));
  };
  const Type* const whole = data + count / 8 * 8;
  for (const Type* p = data; p != whole; p += 8) take(p);
  Type rest[8] = {};  // zeros change no sum
  std::memcpy(rest, whole, count % 8 * sizeof(Type));
  take(rest);
  double sum[8], square[8];
  Target::store(sum, sums);
  Target::store(square, squares);
  Moments total;
  for (int lane = 0; lane < 8; ++lane) {
    total.sum += sum[lane];
    total.sum_of_squares += square[lane];
  }
  return total;
}

// A small float with kExponent and kMantissa bits, widened by exact scaling of its bits.
template <int kExponent, int kMantissa>
static double widen_small(uint32_t bits) {
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

static Moments moments_here(const void* data, Dtype dtype, uint64_t count) {
  switch (dtype) {
    case Dtype::kFloat32:
      return moments_of(static_cast<const float*>(data), count, [](const float* p) { return Target::wide(p); });
    case Dtype::kFloat64:
      return moments_of(static_cast<const double*>(data), count, [](const double* p) { return Target::wide(p); });
    case Dtype::kBfloat16:
      return moments_of(static_cast<const uint16_t*>(data), count,
                        [](const uint16_t* p) { return Target::wide_bfloat16(p); });
    case Dtype::kFloat16:
      return moments_of(static_cast<const uint16_t*>(data), count,
                        [](const uint16_t* p) { return Target::wide_float16(p); });
    case Dtype::kFloat8E4m3fn: case Dtype::kFloat8E5m2: {
      double table[256];
      for (uint32_t i = 0; i < 256; ++i)
        table[i] = dtype == Dtype::kFloat8E4m3fn ? widen_small<4, 3>(i) : widen_small<5, 2>(i);
      return moments_of(static_cast<const uint8_t*>(data), count, [&](const uint8_t* p) {
        double wide[8];
        for (int lane = 0; lane < 8; ++lane) wide[lane] = table[p[lane]];
        return Target::wide(wide);
      });
    }
    default: return {};
  }
}
