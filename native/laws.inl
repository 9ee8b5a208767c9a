// SPDX-License-Identifier: Apache-2.0
// Laws: vectors of words -> vectors of float32.

// (w >> 7 | 1) - 2**24: with kShift, with the subtraction done by the sign that an arithmetic shift
// spreads.  Without, 2**7 times that, which saves the shift: the scale is 2**7 smaller.
template <bool kShift>
struct UniformInteger {
  static constexpr float kUnit = kShift ? 1.0f : 0x1p-7f;
  UniformInteger(const Law&) {}
  template <int n> GLOROT_INLINE void convert(const Word* words, Real* out) const {
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v)
      out[v] = Target::signed_real(
          kShift ? Target::xor_or(Target::sar<7>(words[v]), Target::word(0xff000000u), Target::word(1))
                 : Target::and_xor(words[v], Target::word(0xffffff00u), Target::word(0x80000080u)));
  }
};
// The least scale that 2**-7 leaves a normal number.
constexpr double kLeastUnshifted = 0x1p-119;

template <bool kTruncated>
struct NormalInteger {
  static constexpr float kUnit = 1.0f;
  Target::NormalTable table;
  Word first, count, least, below, above;
  const Law* law;

  NormalInteger(const Law& law)
      : first(Target::word(uint32_t(law.first))), count(Target::word(uint32_t(law.count))),
        least(Target::word(uint32_t(law.least))), below(Target::word(uint32_t(law.below))),
        above(Target::word(uint32_t(law.above))), law(&law) {}

  // c0 - t (c1 - t (c2 - ...)).
  static GLOROT_INLINE Word horner(Word t, const Word (&c)[kDegree32 + 1]) {
    Word sum = c[kDegree32];
    GLOROT_UNROLL
    for (int degree = kDegree32 - 1; degree >= 0; --degree)
      sum = Target::sub(c[degree], Target::mulhi(t, sum));
    return sum;
  }

  GLOROT_INLINE Real one(Word w) const {
    Word q = w;
    if constexpr (kTruncated) q = Target::add(first, Target::mulhi(w, count));
    const Word positive = Target::sar<31>(q);
    const Word tail = Target::xor_or(Target::add(q, q), positive, Target::word(1));
    Word octave, row, t, c[kDegree32 + 1];
    Target::split_tail(tail, octave, row, t);
    table.coefficients(row, c);
    Word magnitude = horner(t, c);
    bool outermost = false;
    if (table.misses(octave, 8)) [[unlikely]] {
      table.next_coefficients(row, c);
      magnitude = Target::select(Target::less(octave, Target::word(8)), horner(t, c), magnitude);
      outermost = table.misses(octave, 16);
    }
    magnitude = Target::bit_or(magnitude, Target::word(1));
    if constexpr (kTruncated) {
      magnitude = Target::max(magnitude, least);
      magnitude = Target::min(magnitude, Target::select(positive, below, above));
    }
    const Word sign = Target::and_not(q, Target::word(0x80000000u));
    Real real = Target::from_bits(
        Target::bit_or(Target::bits(Target::unsigned_real(magnitude)), sign));
    if (outermost) [[unlikely]] real = scalar(q);
    return real;
  }

  template <int n> GLOROT_INLINE void convert(const Word* words, Real* out) const {
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v) out[v] = one(words[v]);
  }

  // A vector with a word of the 16 outermost octaves, one in 2**16.
  GLOROT_COLD Real scalar(Word quantiles) const {
    uint32_t q[Target::kLanes];
    Target::store(q, quantiles);
    for (uint32_t& lane : q) lane = bits_of(normal_integer<uint32_t, float>(lane, *law, kTruncated));
    return Target::from_bits(Target::load(q));
  }
};

// TensorFlow's uniform in [0, 1): the low bits of the word, as the mantissa of a number in [1, 2).
template <int kMantissa>
struct TfUniformUnit {
  static constexpr float kUnit = 1.0f;
  TfUniformUnit(const Law&) {}
  template <int n> GLOROT_INLINE void convert(const Word* words, Real* out) const {
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v) {
      const Word mantissa = Target::bit_and(words[v], Target::word((1u << kMantissa) - 1));
      const Word bits = Target::bit_or(Target::shl<23 - kMantissa>(mantissa),
                                       Target::word(0x3f800000u));
      out[v] = Target::sub(Target::from_bits(bits), Target::real(1.0f));
    }
  }
};

// Rounded to the numbers of a smaller format, and still a float32.
static GLOROT_INLINE Real round_to_bfloat16(Real value) {
  const Word bits = Target::bits(value);
  const Word even = Target::bit_and(Target::shr<16>(bits), Target::word(1));
  const Word sum = Target::add(Target::add(bits, Target::word(0x7fffu)), even);
  return Target::from_bits(Target::bit_and(sum, Target::word(0xffff0000u)));
}

static GLOROT_INLINE Real round_to_float16(Real value) {  // laws are refused before they overflow
  const Word bits = Target::bits(value);
  const Word magnitude = Target::bit_and(bits, Target::word(0x7fffffffu));
  const Word even = Target::bit_and(Target::shr<13>(magnitude), Target::word(1));
  const Word sum = Target::add(Target::add(magnitude, Target::word(0xfffu)), even);
  const Word normal = Target::bit_and(sum, Target::word(~0x1fffu));
  // The last bit of a subnormal is that of a float32 from 0.5 to 1.
  const Real half = Target::real(0.5f);
  const Word subnormal =
      Target::bits(Target::sub(Target::add(Target::from_bits(magnitude), half), half));
  const Word is_subnormal = Target::less(magnitude, Target::word(uint32_t(127 - 14) << 23));
  const Word sign = Target::bit_and(bits, Target::word(0x80000000u));
  return Target::from_bits(
      Target::bit_or(Target::select(is_subnormal, normal, subnormal), sign));
}

enum class Finish { kScale, kMean, kTf, kTfFloat16, kTfBfloat16 };

// What a law's value is multiplied by, and what is added.
template <Finish kFinish>
struct Scaled {
  Real scale, peak, minus_peak, mean, low, high;

  Scaled(const Law& law, float unit)
      : scale(Target::real(float(law.scale) * unit)), peak(Target::real(float(law.peak))),
        minus_peak(Target::real(-float(law.peak))), mean(Target::real(float(law.mean))),
        low(Target::real(float(law.low))), high(Target::real(float(law.high))) {}

  static GLOROT_INLINE Real rounded(Real value) {
    if constexpr (kFinish == Finish::kTfFloat16) return round_to_float16(value);
    if constexpr (kFinish == Finish::kTfBfloat16) return round_to_bfloat16(value);
    return value;
  }

  GLOROT_INLINE Real finish(Real value) const {
    value = Target::mul(value, scale);
    if constexpr (kFinish == Finish::kMean) {
      value = Target::add(Target::min(Target::max(value, minus_peak), peak), mean);
      value = Target::min(Target::max(value, low), high);
    } else if constexpr (kFinish != Finish::kScale) {
      value = Target::add(rounded(value), peak);
    }
    return value;
  }
};

template <class Integer, Finish kFinish>
struct Value : Scaled<kFinish> {
  Integer integer;

  Value(const Law& law) : Scaled<kFinish>(law, Integer::kUnit), integer(law) {}

  // Calls store(v, values) for each of n vectors of words.
  template <int n = kVectors, class Store>
  GLOROT_INLINE void each(const Word* words, const Store& store) const {
    Real values[n];
    integer.template convert<n>(words, values);
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v) store(v, this->finish(values[v]));
  }
};
