// SPDX-License-Identifier: Apache-2.0
// JAX's laws: the values of listed blocks, and of both halves of a legacy draw.  Plain loops over
// arrays in the cache, each of which the compiler turns into vectors.

constexpr size_t kMostElements = 4 * kMostBlocks;
static_assert(kMostElements % kThreefryChunk == 0);

struct JaxWords {
  alignas(64) uint32_t x[kMostElements], y[kMostElements];
};

// Counters -> outputs, in place; the rest of the last chunk is hashed too.
static void threefry_all(uint64_t key, size_t count, JaxWords& words) {
  const ThreefryKey schedule(key);
  for (size_t done = 0; done < count; done += kThreefryChunk) {
    ThreefryWords x, y;
    for (size_t g = 0; g < kThreefryGroups; ++g) {
      x[g] = Target::load(words.x + done + g * Target::kLanes);
      y[g] = Target::load(words.y + done + g * Target::kLanes);
    }
    threefry(schedule, x, y);
    for (size_t g = 0; g < kThreefryGroups; ++g) {
      Target::store(words.x + done + g * Target::kLanes, x[g]);
      Target::store(words.y + done + g * Target::kLanes, y[g]);
    }
  }
}

// Partitionable layout: an element is its own counter.  At most 32 bits a value, in words.x; others
// may be set above them.
static void jax_bits(uint64_t key, const BlockList& list, JaxWords& words) {
  for (size_t b = 0; b < list.count; ++b) {
    const uint64_t first = 4 * list.blocks[b];
    for (uint32_t j = 0; j < 4; ++j) {
      words.x[4 * b + j] = uint32_t(first >> 32);
      words.y[4 * b + j] = uint32_t(first) + j;
    }
  }
  threefry_all(key, 4 * list.count, words);
  for (size_t i = 0; i < 4 * list.count; ++i) words.x[i] ^= words.y[i];
}

// Words -> their values' bits; others may be set above them.
static void jax_apart(const uint32_t* words, size_t count, int shift, uint32_t* bits) {
  if (shift == 0) {
    for (size_t i = 0; i < count; ++i) bits[i] = words[i];
  } else if (shift == 1) {
    for (size_t i = 0; i < count; ++i) {
      bits[2 * i] = words[i];
      bits[2 * i + 1] = words[i] >> 16;
    }
  } else {
    for (size_t i = 0; i < count; ++i)
      for (int j = 0; j < 4; ++j) bits[4 * i + size_t(j)] = words[i] >> 8 * j;
  }
}

// Legacy layout: a block's words, one to four, each the one output or the other.
static void jax_legacy_bits(uint64_t key, const JaxLegacy& draw, const BlockList& list,
                            uint32_t* bits) {
  JaxWords words;
  alignas(64) uint32_t word[kMostElements];
  const size_t each = size_t(4) >> draw.shift, count = each * list.count;
  for (size_t b = 0; b < list.count; ++b)
    for (size_t j = 0; j < each; ++j) {
      const uint64_t at = each * list.blocks[b] + j;
      word[each * b + j] = at < draw.words ? uint32_t(at) : draw.words - 1;  // past the draw's end
    }
  // Masks instead of choices, so that the loops become vectors.
  const uint32_t half = draw.half, last = draw.words - 1;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t second = 0u - uint32_t(word[i] >= half), high = word[i] + (half & ~second);
    words.x[i] = word[i] - (half & second);
    words.y[i] = high & (0u - uint32_t(high <= last));  // an odd draw hashes one counter too many, 0
  }
  threefry_all(key, count, words);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t second = 0u - uint32_t(word[i] >= half);
    word[i] = (words.y[i] & second) | (words.x[i] & ~second);
  }
  jax_apart(word, count, draw.shift, bits);
}

// 64 bits a value: words.x the high ones.
static void jax_bits64(uint64_t key, uint64_t total, const BlockList& list, JaxWords& words) {
  for (size_t b = 0; b < list.count; ++b)
    for (uint64_t j = 0; j < 4; ++j) {
      const uint64_t at = 4 * list.blocks[b] + j;
      words.x[4 * b + j] = uint32_t(total ? at : at >> 32);
      words.y[4 * b + j] = uint32_t(at + total);
    }
  threefry_all(key, 4 * list.count, words);
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

// unit * span + low for float16, rounded once.  The product has 22 bits, so is exact; the sum is
// rounded to odd, which a second rounding to fewer bits does not see.
static inline float fused_float16(float unit, float span, float low) {
  const float product = unit * span, sum = product + low, added = sum - product;
  const float rest = (product - (sum - added)) + (low - added);
  const uint32_t bits = bits_of(sum), away = 0u - uint32_t((bits_of(rest) ^ bits) >> 31);
  const uint32_t odd = bits + (1u | away);
  const uint32_t exact = 0u - uint32_t(rest == 0.0f || (bits & 1));
  return RoundFloat16::round(float_from_bits((bits & exact) | (odd & ~exact)));
}

enum class JaxSum { kRoundedTwice, kFused, kFusedFloat16 };

// Mantissas in [1, 2) to uniform values.
template <class Dtype16, JaxSum kSum>
static void jax_uniform(const float* mantissa, size_t count, const JaxLaw<float>& law, float* out) {
  const float low = law.low, span = law.span;  // not read again for each value
  for (size_t i = 0; i < count; ++i) {
    const float unit = mantissa[i] - 1.0f;
    float value;
    if constexpr (kSum == JaxSum::kFused)
      value = fused(unit, span, low);
    else if constexpr (kSum == JaxSum::kFusedFloat16)
      value = fused_float16(unit, span, low);
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

static void jax_float32(const Law& constants, const uint32_t* bits, size_t count, float* out) {
  alignas(64) float mantissa[kMostElements];
  const JaxLaw<float> law(constants);
  for (size_t i = 0; i < count; ++i) mantissa[i] = float_from_bits(bits[i] >> 9 | 0x3f800000u);
  jax_uniform<RoundFloat32, JaxSum::kFused>(mantissa, count, law, out);
  if (constants.kind == Kind::kJaxNormal)
    jax_normal<RoundFloat32>(law, float(1.4142135623730951), count, out);
  jax_then<RoundFloat32>(law, count, out);
}

template <class Dtype16, int kWidth, int kMantissa, JaxSum kSum>
static void jax_half(const Law& constants, const uint32_t* bits, size_t count, uint16_t* out) {
  alignas(64) float values[kMostElements];
  const JaxLaw<float> law(constants);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t kept = (bits[i] & ((1u << kWidth) - 1)) >> (kWidth - kMantissa);
    values[i] = float_from_bits(kept << (23 - kMantissa) | 0x3f800000u);
  }
  jax_uniform<Dtype16, kSum>(values, count, law, values);
  if (constants.kind == Kind::kJaxNormal)
    jax_normal<Dtype16>(law, Dtype16::round(float(1.4142135623730951)), count, values);
  jax_then<Dtype16>(law, count, values);
  for (size_t i = 0; i < count; ++i) out[i] = uint16_t(Dtype16::bits(values[i]));
}

template <class Item>
static void jax_cut(const uint32_t* bits, size_t count, Item* out) {
  for (size_t i = 0; i < count; ++i) out[i] = Item(bits[i]);
}

// At most 32 bits a value -> values.
static void jax_values(const Law& law, Dtype dtype, const uint32_t* bits, size_t count, void* out) {
  if (law.kind == Kind::kJaxBits) switch (item_size(dtype)) {
    case 4: return jax_cut(bits, count, static_cast<uint32_t*>(out));
    case 2: return jax_cut(bits, count, static_cast<uint16_t*>(out));
    default: return jax_cut(bits, count, static_cast<uint8_t*>(out));
  }
  switch (dtype) {
    case Dtype::kFloat16: {
      const auto half = law.count ? jax_half<RoundFloat16, 16, 10, JaxSum::kFusedFloat16>
                                  : jax_half<RoundFloat16, 16, 10, JaxSum::kRoundedTwice>;
      return half(law, bits, count, static_cast<uint16_t*>(out));
    }
    case Dtype::kBfloat16:
      return jax_half<RoundBfloat16, 8, 7, JaxSum::kRoundedTwice>(law, bits, count,
                                                                  static_cast<uint16_t*>(out));
    default: return jax_float32(law, bits, count, static_cast<float*>(out));
  }
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

static void jax_values64(const Law& constants, const JaxWords& words, size_t count, void* memory) {
  if (constants.kind == Kind::kJaxBits) {
    for (size_t i = 0; i < count; ++i)
      static_cast<uint64_t*>(memory)[i] = uint64_t(words.x[i]) << 32 | words.y[i];
    return;
  }
  auto* const out = static_cast<double*>(memory);
  const JaxLaw<double> law(constants);
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
  JaxWords words;
  const size_t count = 4 * list.count;
  if (dtype == Dtype::kFloat64) {
    jax_bits64(stream.key, law.first, list, words);
    return jax_values64(law, words, count, out);
  }
  if (law.first)
    jax_legacy_bits(stream.key, JaxLegacy(law, dtype), list, words.x);
  else
    jax_bits(stream.key, list, words);
  jax_values(law, dtype, words.x, count, out);
}

static void fill_halves_here(const Stream& stream, const Law& law, Dtype dtype, uint64_t first,
                             uint64_t count, void* low, void* high) {
  alignas(64) unsigned char values[kMostElements * sizeof(float)];
  alignas(64) uint32_t bits[kMostElements];
  JaxWords words;
  const JaxLegacy draw(law, dtype);
  const size_t most = kMostElements >> draw.shift, size = size_t(item_size(dtype)) << draw.shift;
  for (uint64_t done = 0; done < count; done += most) {
    const size_t here = count - done < most ? size_t(count - done) : most;
    for (size_t i = 0; i < here; ++i) {
      words.x[i] = uint32_t(first + done) + uint32_t(i);
      words.y[i] = words.x[i] + draw.half;
    }
    threefry_all(stream.key, here, words);
    auto move = [&](const uint32_t* half, void* out) {
      jax_apart(half, here, draw.shift, bits);
      jax_values(law, dtype, bits, here << draw.shift, values);
      std::memcpy(static_cast<char*>(out) + done * size, values, here * size);
    };
    move(words.x, low);
    move(words.y, high);
  }
}
