// SPDX-License-Identifier: Apache-2.0
// Stores: a vector of float32 -> the dtype, rounded once, in memory of any alignment.

template <int kExponent, int kMantissa>
static GLOROT_INLINE Word round_small_vector(Real value) {
  constexpr int bias = (1 << (kExponent - 1)) - 1, drop = 23 - kMantissa;
  const Word bits = Target::bits(value);
  const Word magnitude = Target::bit_and(bits, Target::word(0x7fffffffu));
  const Word magic = Target::word(uint32_t(127 + 24 - bias - kMantissa) << 23);
  const Word subnormal = Target::sub(
      Target::bits(Target::add(Target::from_bits(magnitude), Target::from_bits(magic))), magic);
  const Word even = Target::bit_and(Target::shr<drop>(magnitude), Target::word(1));
  const Word half = Target::add(magnitude, Target::word((1u << (drop - 1)) - 1));
  const Word normal = Target::sub(Target::shr<drop>(Target::add(half, even)),
                                  Target::word(uint32_t(127 - bias) << kMantissa));
  const Word is_subnormal = Target::less(magnitude, Target::word(uint32_t(127 - bias + 1) << 23));
  const Word sign = Target::shl<kExponent + kMantissa>(Target::shr<31>(bits));
  return Target::bit_or(Target::select(is_subnormal, normal, subnormal), sign);
}

// In the higher half of each lane; the lower holds anything.
static GLOROT_INLINE Word round_bfloat16_vector(Real value) {
  const Word bits = Target::bits(value);
  const Word even = Target::bit_and(Target::shr<16>(bits), Target::word(1));
  return Target::add(Target::add(bits, Target::word(0x7fffu)), even);
}

template <Dtype> struct Item;
template <> struct Item<Dtype::kFloat32> {
  using Type = float;
  static void store(float* p, Real x) { Target::store(p, x); }
};
template <> struct Item<Dtype::kFloat16> {
  using Type = uint16_t;
  static void store(uint16_t* p, Real x) { Target::store_float16(p, x); }
};
template <> struct Item<Dtype::kBfloat16> {
  using Type = uint16_t;
  static void store(uint16_t* p, Real x) { Target::store16(p, Target::shr<16>(round_bfloat16_vector(x))); }
};
template <int kExponent, int kMantissa> struct ItemFloat8 {
  using Type = uint8_t;
  static void store(uint8_t* p, Real x) {
    Target::store8(p, round_small_vector<kExponent, kMantissa>(x));
  }
};
template <> struct Item<Dtype::kFloat8E4m3fn> : ItemFloat8<4, 3> {};
template <> struct Item<Dtype::kFloat8E5m2> : ItemFloat8<5, 2> {};

// A cache line, past the cache or not.
template <bool kPast, class T = Target>
static GLOROT_INLINE void put_line(void* to, Word line) {
  if constexpr (kPast) T::stream(to, line);
  else T::store(static_cast<uint32_t*>(to), line);
}

// The values of n vectors of words, to memory; past the cache, where they fill whole lines.
template <Dtype kDtype, int n, bool kPast = false, class Integer, Finish kFinish, class T = Target>
static GLOROT_INLINE void put(const Value<Integer, kFinish>& value, const Word* words,
                              typename Item<kDtype>::Type* to) {
  if constexpr (kLineWide && kDtype == Dtype::kBfloat16) {
    static_assert(n % 2 == 0);
    Word pair[2];
    value.template each<n>(words, [&](int v, Real x) {
      pair[v % 2] = round_bfloat16_vector(x);
      if (v % 2) put_line<kPast>(to + (v - 1) * Target::kLanes, T::high_halves(pair));
    });
  } else {
    value.template each<n>(words, [&](int v, Real x) {
      if constexpr (kPast) put_line<true>(to + v * Target::kLanes, Target::bits(x));
      else Item<kDtype>::store(to + v * Target::kLanes, x);
    });
  }
}
