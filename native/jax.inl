// SPDX-License-Identifier: Apache-2.0
// JAX's laws: the values of listed blocks.  Plain loops over arrays in the cache, each of which the
// compiler turns into vectors.

constexpr size_t kMostElements = 4 * kMostBlocks;

struct JaxWords {
  alignas(64) uint32_t x[kMostElements], y[kMostElements];
};

static void threefry_all(uint64_t key, size_t count, JaxWords& words) {
  const uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (size_t i = 0; i < count; ++i) {
    uint32_t x = words.x[i], y = words.y[i];
    threefry2x32(k0, k1, x, y);
    words.x[i] = x, words.y[i] = y;
  }
}

// Legacy layout: word j of m is the first output of the counter (j, j + h), or the second one of
// (j - h, j); h = ceil(m / 2).  Masks instead of choices, so that the loop becomes vectors.
static void legacy_counters(uint64_t words, size_t count, const uint64_t* word, JaxWords& counters,
                            uint32_t* second) {
  const uint64_t half = (words + 1) / 2;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t mask = uint64_t(0) - uint64_t(word[i] >= half), high = word[i] + (half & ~mask);
    counters.x[i] = uint32_t(word[i] - (half & mask));
    // An odd draw hashes one counter too many, which is 0.
    counters.y[i] = uint32_t(high & (uint64_t(0) - uint64_t(high < words)));
    second[i] = uint32_t(mask);
  }
}

// Bits of at most 32 a value, in words.x; others may be set above them in the partitionable layout.
static void jax_bits(const Stream& stream, uint64_t total, int width, const BlockList& list,
                     JaxWords& words) {
  const size_t count = 4 * list.count;
  if (!total) {
    for (size_t b = 0; b < list.count; ++b) {
      const uint64_t first = 4 * list.blocks[b];
      for (uint32_t j = 0; j < 4; ++j) {
        words.x[4 * b + j] = uint32_t(first >> 32);
        words.y[4 * b + j] = uint32_t(first) + j;
      }
    }
    threefry_all(stream.key, count, words);
    for (size_t i = 0; i < count; ++i) words.x[i] ^= words.y[i];
    return;
  }
  uint64_t index[kMostElements], word[kMostElements];
  uint32_t second[kMostElements];
  const int shift = width == 32 ? 0 : width == 16 ? 1 : 2;  // 2**shift values a word
  for (size_t b = 0; b < list.count; ++b)
    for (uint64_t j = 0; j < 4; ++j) {
      const uint64_t at = 4 * list.blocks[b] + j;
      index[4 * b + j] = at < total ? at : total - 1;  // a block's rest may lie beyond the draw
    }
  for (size_t i = 0; i < count; ++i) word[i] = index[i] >> shift;
  legacy_counters((total * uint64_t(width) + 31) / 32, count, word, words, second);
  threefry_all(stream.key, count, words);
  const uint32_t places = (1u << shift) - 1, bits = uint32_t(width);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t drawn = (words.y[i] & second[i]) | (words.x[i] & ~second[i]);
    words.x[i] = drawn >> ((uint32_t(index[i]) & places) * bits & 31);
  }
}

// 64 bits a value: words.x the high ones.
static void jax_bits64(const Stream& stream, uint64_t total, const BlockList& list,
                       JaxWords& words) {
  const size_t count = 4 * list.count;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t at = 4 * list.blocks[i / 4] + i % 4;
    words.x[i] = uint32_t(total ? at : at >> 32);
    words.y[i] = uint32_t(total ? at + total : at);
  }
  threefry_all(stream.key, count, words);
}

template <class Item>
static void jax_store_bits(const uint32_t* bits, size_t count, void* out) {
  for (size_t i = 0; i < count; ++i) static_cast<Item*>(out)[i] = Item(bits[i]);
}

static void jax_bits_blocks(const Stream& stream, const Law& law, Dtype dtype,
                            const BlockList& list, void* out) {
  JaxWords words;
  const size_t count = 4 * list.count;
  switch (item_size(dtype)) {
    case 8:
      jax_bits64(stream, law.first, list, words);
      for (size_t i = 0; i < count; ++i)
        static_cast<uint64_t*>(out)[i] = uint64_t(words.x[i]) << 32 | words.y[i];
      return;
    case 4:
      jax_bits(stream, law.first, 32, list, words);
      return jax_store_bits<uint32_t>(words.x, count, out);
    case 2:
      jax_bits(stream, law.first, 16, list, words);
      return jax_store_bits<uint16_t>(words.x, count, out);
    default:
      jax_bits(stream, law.first, 8, list, words);
      return jax_store_bits<uint8_t>(words.x, count, out);
  }
}

// A law's constants, under the names that _laws.py gives them.
template <class Real> struct JaxLaw {
  Real low, span, scale, shift, least, most;
  explicit JaxLaw(const Law& law)
      : low(Real(law.scale)), span(Real(law.peak)), scale(Real(law.mean)), shift(Real(law.low)),
        least(Real(law.high)), most(Real(law.unused_real)) {}
};

// How a dtype that is computed in float32 rounds each step.
struct RoundFloat32 {
  static float round(float x) { return x; }
};
// Subnormal numbers by adding 0.5, whose last bit is theirs; infinities pass.
struct RoundFloat16 {
  static float round(float x) {
    const uint32_t magnitude = bits_of(x) & 0x7fffffffu, sign = bits_of(x) ^ magnitude;
    const uint32_t even = magnitude >> 13 & 1;
    const float normal = float_from_bits((magnitude + 0xfffu + even) & ~0x1fffu);
    const float held = choose(normal >= 65536.0f, float_from_bits(0x7f800000u), normal);
    const float subnormal = (float_from_bits(magnitude) + 0.5f) - 0.5f;
    return float_from_bits(bits_of(choose(magnitude < 0x38800000u, subnormal, held)) | sign);
  }
  static uint32_t bits(float rounded) {
    const uint32_t magnitude = bits_of(rounded) & 0x7fffffffu;
    const uint32_t most = 0x47800000u;  // of infinity, and of 65536
    const uint32_t normal = ((magnitude < most ? magnitude : most) - (112u << 23)) >> 13;
    const uint32_t subnormal = bits_of(float_from_bits(magnitude) + 0.5f) - 0x3f000000u;
    const uint32_t mask = 0u - uint32_t(magnitude < 0x38800000u);
    return (subnormal & mask) | (normal & ~mask) | bits_of(rounded) >> 31 << 15;
  }
};
struct RoundBfloat16 {
  static float round(float x) { return widen_bfloat16(round_bfloat16(x)); }
  static uint32_t bits(float rounded) { return bits_of(rounded) >> 16; }
};

// Mantissas in [1, 2) to uniform values.  Only float32 fuses.
template <class Dtype16, bool kFused>
static void jax_uniform(const float* mantissa, size_t count, const JaxLaw<float>& law, float* out) {
  const float low = law.low, span = law.span;  // not read again for each value
  for (size_t i = 0; i < count; ++i) {
    const float unit = mantissa[i] - 1.0f;
    float value;
    if constexpr (kFused)
      value = fused(unit, span, low);
    else
      value = Dtype16::round(Dtype16::round(unit * span) + low);
    out[i] = choose(value < low, low, value);
  }
}

template <class Dtype16>
static void jax_normal(const JaxLaw<float>& law, float sqrt2, size_t count, float* values) {
  const float least = law.least, most = law.most;
  for (size_t i = 0; i < count; ++i) {
    const float value = Dtype16::round(Dtype16::round(xla_erf_inv32(values[i])) * sqrt2);
    const float above = choose(value < least, least, value);
    values[i] = choose(above < most, above, most);  // of two zeros, the bound's
  }
}

template <class Dtype16>
static void jax_then(const JaxLaw<float>& law, size_t count, float* values) {
  const float scale = law.scale, shift = law.shift;
  for (size_t i = 0; i < count; ++i)
    values[i] = Dtype16::round(Dtype16::round(values[i] * scale) + shift);
}

static void jax_float32_blocks(const Stream& stream, const Law& constants, const BlockList& list,
                               float* out) {
  JaxWords words;
  alignas(64) float mantissa[kMostElements];
  const JaxLaw<float> law(constants);
  const size_t count = 4 * list.count;
  jax_bits(stream, constants.first, 32, list, words);
  for (size_t i = 0; i < count; ++i)
    mantissa[i] = float_from_bits(words.x[i] >> 9 | 0x3f800000u);
  jax_uniform<RoundFloat32, true>(mantissa, count, law, out);
  if (constants.kind == Kind::kJaxNormal)
    jax_normal<RoundFloat32>(law, float(1.4142135623730951), count, out);
  jax_then<RoundFloat32>(law, count, out);
}

template <class Dtype16, int kWidth, int kMantissa>
static void jax_half_blocks(const Stream& stream, const Law& constants, const BlockList& list,
                            uint16_t* out) {
  JaxWords words;
  alignas(64) float values[kMostElements];
  const JaxLaw<float> law(constants);
  const size_t count = 4 * list.count;
  jax_bits(stream, constants.first, kWidth, list, words);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t kept = (words.x[i] & ((1u << kWidth) - 1)) >> (kWidth - kMantissa);
    values[i] = float_from_bits(kept << (23 - kMantissa) | 0x3f800000u);
  }
  jax_uniform<Dtype16, false>(values, count, law, values);
  if (constants.kind == Kind::kJaxNormal)
    jax_normal<Dtype16>(law, Dtype16::round(float(1.4142135623730951)), count, values);
  jax_then<Dtype16>(law, count, values);
  for (size_t i = 0; i < count; ++i) out[i] = uint16_t(Dtype16::bits(values[i]));
}

// At most 64 values between -1 and 1, both included.
static void jax_normal64(const JaxLaw<double>& law, int count, double* values) {
  const double least = law.least, most = law.most;
  double inverse[64];
  xla_erf_inv<true>(values, inverse, count);
  for (int i = 0; i < count; ++i) {
    const bool edge = (bits64(values[i]) << 1) == uint64_t(0x3ff) << 53;
    const double infinite = real64(bits64(values[i]) | 0x7ff0000000000000u);
    const double value = choose(edge, infinite, inverse[i]) * 1.4142135623730951;
    const double above = choose(value < least, least, value);
    values[i] = choose(above < most, above, most);
  }
}

static void jax_float64_blocks(const Stream& stream, const Law& constants, const BlockList& list,
                               double* out) {
  JaxWords words;
  const JaxLaw<double> law(constants);
  const size_t count = 4 * list.count;
  jax_bits64(stream, constants.first, list, words);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t drawn = uint64_t(words.x[i]) << 32 | words.y[i];
    const double unit = real64(drawn >> 12 | uint64_t(1023) << 52) - 1.0;
    const double value = multiply_add<true>(unit, law.span, law.low);
    out[i] = choose(value < law.low, law.low, value);
  }
  if (constants.kind == Kind::kJaxNormal)
    for (size_t i = 0; i < count; i += 64)
      jax_normal64(law, count - i < 64 ? int(count - i) : 64, out + i);
  for (size_t i = 0; i < count; ++i) {
    const double product = out[i] * law.scale;
    out[i] = product + law.shift;
  }
}

static void jax_blocks(const Stream& stream, const Law& law, Dtype dtype, const BlockList& list,
                       void* out) {
  if (law.kind == Kind::kJaxBits) return jax_bits_blocks(stream, law, dtype, list, out);
  switch (dtype) {
    case Dtype::kFloat64:
      return jax_float64_blocks(stream, law, list, static_cast<double*>(out));
    case Dtype::kFloat16:
      return jax_half_blocks<RoundFloat16, 16, 10>(stream, law, list, static_cast<uint16_t*>(out));
    case Dtype::kBfloat16:
      return jax_half_blocks<RoundBfloat16, 8, 7>(stream, law, list, static_cast<uint16_t*>(out));
    default: return jax_float32_blocks(stream, law, list, static_cast<float*>(out));
  }
}
