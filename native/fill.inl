// SPDX-License-Identifier: Apache-2.0
// The kernel body.  Each fill_<target>.cpp includes it inside its own namespace, after its vectors
// (struct Target), and is compiled for its own instruction set.

using Word = Target::Word;
using Real = Target::Real;
using Digit = Target::Digit;
using Product = Target::Product;

constexpr int kGroups = 3;  // Philox groups in flight: hides the latency of the multiplications
constexpr int kGroupWords = 4 * Target::kBlocks;
constexpr int kGroupVectors = kGroupWords / Target::kLanes;
constexpr int kChunk = kGroups * kGroupWords;  // words computed together
constexpr int kChunkBlocks = kGroups * Target::kBlocks;
constexpr int kVectors = kGroups * kGroupVectors;

// The chunk loop is worth nothing unless its pieces are inlined and its rare cases are not.
#if defined(__GNUC__)
#define GLOROT_INLINE inline __attribute__((always_inline))
#define GLOROT_COLD __attribute__((noinline, cold))
#else
#define GLOROT_INLINE __forceinline
#define GLOROT_COLD __declspec(noinline)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define GLOROT_UNROLL _Pragma("GCC unroll 16")
#elif defined(__clang__)
#define GLOROT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GLOROT_UNROLL
#endif

// ---- words --------------------------------------------------------------------------------------

struct RoundKeys {
  uint32_t k0[kRounds], k1[kRounds];
  explicit RoundKeys(uint64_t key) {
    k0[0] = uint32_t(key);
    k1[0] = uint32_t(key >> 32);
    for (int i = 1; i < kRounds; ++i) {
      k0[i] = k0[i - 1] + kKeyIncrement0;
      k1[i] = k1[i - 1] + kKeyIncrement1;
    }
  }
};

// Rounds 3 to 10.  The last one leaves pairs of outputs, (0, 1) and (2, 3), for `interleave`.
static GLOROT_INLINE void rounds(const RoundKeys& keys, Digit (&c0)[kGroups], Digit (&c1)[kGroups],
                                 Digit (&c2)[kGroups], Digit (&c3)[kGroups], Word* out) {
  const Digit m0 = Target::digit(kMultiplier0), m1 = Target::digit(kMultiplier1);
  GLOROT_UNROLL
  for (int round = 2; round < kRounds - 1; ++round) {
    const Digit k0 = Target::digit(keys.k0[round]), k1 = Target::digit(keys.k1[round]);
    GLOROT_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      const auto p = Target::multiply(c0[g], m0), q = Target::multiply(c2[g], m1);
      c0[g] = Target::xor3(Target::high(q), c1[g], k0);
      c1[g] = Target::low(q);
      c2[g] = Target::xor3(Target::high(p), c3[g], k1);
      c3[g] = Target::low(p);
    }
  }
  const Digit k0 = Target::digit(keys.k0[kRounds - 1]), k1 = Target::digit(keys.k1[kRounds - 1]);
  GLOROT_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    const auto p = Target::multiply(c0[g], m0), q = Target::multiply(c2[g], m1);
    Target::last_round(p, q, c1[g], c3[g], k0, k1, out + g * kGroupVectors);
  }
}

// The first two rounds where only the counter's lowest digit differs between blocks: most of
// their products are the same for all, and are computed once for many chunks.
struct Prefix {
  uint32_t c2_xor;      // round 1: c2 = high(M0 * c0) ^ c2_xor
  uint32_t c0_xor;      // round 2: c0 = high(M1 * c2) ^ c0_xor
  uint32_t c2_xor_low;  // round 2: c2 = low(M0 * c0 of round 1) ^ c2_xor_low
  uint32_t c3_next;     // round 2: c3, the same for all

  Prefix(const RoundKeys& keys, const Counter& counter) {
    const uint32_t c1 = counter.digit[1], c2 = counter.digit[2], c3 = counter.digit[3];
    const uint64_t q = uint64_t(kMultiplier1) * c2;
    const uint32_t c0_next = uint32_t(q >> 32) ^ c1 ^ keys.k0[0];
    const uint64_t p = uint64_t(kMultiplier0) * c0_next;
    c2_xor = c3 ^ keys.k1[0];
    c0_xor = uint32_t(q) ^ keys.k0[1];
    c2_xor_low = uint32_t(p >> 32) ^ keys.k1[1];
    c3_next = uint32_t(p);
  }
};

// The words of one chunk of blocks, given the products of round 1: M0 times the lowest digits.
static GLOROT_INLINE void chunk_words(const RoundKeys& keys, const Prefix& prefix,
                                      const Product (&first)[kGroups], Word* out) {
  const Digit m1 = Target::digit(kMultiplier1);
  Digit c0[kGroups], c1[kGroups], c2[kGroups], c3[kGroups];
  GLOROT_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    c2[g] = Target::xor2(Target::high(first[g]), Target::digit(prefix.c2_xor));
    const auto q = Target::multiply(c2[g], m1);
    c0[g] = Target::xor2(Target::high(q), Target::digit(prefix.c0_xor));
    c1[g] = Target::low(q);
    c2[g] = Target::xor2(Target::low(first[g]), Target::digit(prefix.c2_xor_low));
    c3[g] = Target::digit(prefix.c3_next);
  }
  rounds(keys, c0, c1, c2, c3, out);
}

// The products of round 1 for consecutive blocks.  Until the lowest digit carries, those of the
// next chunk are larger by the same amount.
struct Consecutive {
  Product product[kGroups];
  explicit Consecutive(uint32_t first) {
    for (int g = 0; g < kGroups; ++g)
      product[g] = Target::multiply(Target::consecutive(first + uint32_t(g * Target::kBlocks)),
                                    Target::digit(kMultiplier0));
  }
  GLOROT_INLINE void advance() {
    GLOROT_UNROLL
    for (int g = 0; g < kGroups; ++g)
      product[g] = Target::add(product[g], uint64_t(kMultiplier0) * kChunkBlocks);
  }
};

// Blocks one by one: where a counter's lowest digit carries, and vectors would not agree.
static GLOROT_COLD void scalar_words(const Stream& stream, const uint64_t* blocks, Word* out) {
  uint32_t words[kChunk];
  for (int b = 0; b < kChunkBlocks; ++b) {
    Counter counter = counter_at(stream, blocks[b]);
    philox4x32(counter, stream.key);
    std::memcpy(words + 4 * b, counter.digit, sizeof counter.digit);
  }
  for (int v = 0; v < kVectors; ++v) out[v] = Target::load(words + v * Target::kLanes);
}

// One chunk of consecutive blocks, wherever it is.
static GLOROT_COLD void single_chunk(const Stream& stream, const RoundKeys& keys, uint64_t block,
                                     Word* out) {
  const Counter counter = counter_at(stream, block);
  if (counter.digit[0] <= ~uint32_t(kChunkBlocks - 1))
    return chunk_words(keys, Prefix(keys, counter), Consecutive(counter.digit[0]).product, out);
  uint64_t blocks[kChunkBlocks];
  for (int b = 0; b < kChunkBlocks; ++b) blocks[b] = block + uint64_t(b);
  scalar_words(stream, blocks, out);
}

// Calls write(vectors) for `chunks` chunks of consecutive blocks.
template <class Write>
static GLOROT_INLINE void each_chunk(const Stream& stream, const RoundKeys& keys, uint64_t block,
                                     uint64_t chunks, const Write& write) {
  Word vectors[kVectors];
  while (chunks) {
    const Counter counter = counter_at(stream, block);
    const uint64_t until_carry = (~uint32_t(0) - counter.digit[0] + uint64_t(1)) / kChunkBlocks;
    if (!until_carry) {
      single_chunk(stream, keys, block, vectors);
      write(vectors);
      --chunks;
      block += kChunkBlocks;
      continue;
    }
    const uint64_t here = chunks < until_carry ? chunks : until_carry;
    const Prefix prefix(keys, counter);
    Consecutive blocks(counter.digit[0]);
    for (uint64_t i = 0; i < here; ++i, blocks.advance()) {
      chunk_words(keys, prefix, blocks.product, vectors);
      write(vectors);
    }
    chunks -= here;
    block += here * kChunkBlocks;
  }
}

// Draws the words of listed blocks, kChunkBlocks at a time.
class List {
 public:
  List(const Stream& stream, const BlockList& list)
      : stream_(stream), keys_(stream.key), prefix_(keys_, counter_at(stream, list.smallest)) {
    // Blocks are below 2**61, so only a stream of TensorFlow's can start so high that one carries
    // into the counter's third digit.
    const bool carries = stream.counter_lo > ~list.largest;
    const uint64_t first = stream.counter_lo + list.smallest, last = stream.counter_lo + list.largest;
    alike_ = !carries && first >> 32 == last >> 32;
  }

  GLOROT_INLINE void chunk(const uint64_t* blocks, Word* out) const {
    if (!alike_) return scalar_words(stream_, blocks, out);
    const Digit base = Target::digit(uint32_t(stream_.counter_lo));
    Product first[kGroups];
    GLOROT_UNROLL
    for (int g = 0; g < kGroups; ++g)
      first[g] = Target::multiply(
          Target::add(Target::low_digits(blocks + g * Target::kBlocks), base),
          Target::digit(kMultiplier0));
    chunk_words(keys_, prefix_, first, out);
  }

 private:
  Stream stream_;
  RoundKeys keys_;
  Prefix prefix_;
  bool alike_;  // the counters differ in their lowest digit alone
};

// ---- laws: vectors of words -> vectors of float32 -----------------------------------------------

struct UniformInteger {
  UniformInteger(const Law&) {}
  template <int n> GLOROT_INLINE void convert(const Word* words, Real* out) const {
    // (w >> 7 | 1) - 2**24, with the subtraction done by the sign that an arithmetic shift spreads.
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v)
      out[v] = Target::signed_real(
          Target::xor_or(Target::sar<7>(words[v]), Target::word(0xff000000u), Target::word(1)));
  }
};

template <bool kTruncated>
struct NormalInteger {
  Target::NormalTable table;
  Word first, count, least, below, above;
  const Law* law;

  NormalInteger(const Law& law)
      : first(Target::word(uint32_t(law.first))), count(Target::word(uint32_t(law.count))),
        least(Target::word(uint32_t(law.least))), below(Target::word(uint32_t(law.below))),
        above(Target::word(uint32_t(law.above))), law(&law) {}

  // c0 - t (c1 - t (c2 - ...)) with the coefficients of each lane's row.
  template <class Coefficient>
  static GLOROT_INLINE Word horner(Word t, const Coefficient& coefficient) {
    Word sum = coefficient(kDegree32);
    GLOROT_UNROLL
    for (int degree = kDegree32 - 1; degree >= 0; --degree)
      sum = Target::sub(coefficient(degree), Target::mulhi(t, sum));
    return sum;
  }

  GLOROT_INLINE Real one(Word w) const {
    Word q = w;
    if constexpr (kTruncated) q = Target::add(first, Target::mulhi(w, count));
    const Word positive = Target::sar<31>(q);
    const Word tail = Target::xor_or(Target::add(q, q), positive, Target::word(1));
    Word octave, row, t;
    Target::split_tail(tail, octave, row, t);
    Word magnitude = horner(t, [&](int degree) { return table.coefficient(degree, row); });
    bool outermost = false;
    if (table.misses(octave, 8)) [[unlikely]] {
      const Word next = horner(t, [&](int degree) { return table.next_coefficient(degree, row); });
      magnitude = Target::select(Target::less(octave, Target::word(8)), next, magnitude);
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

// TensorFlow's float32 uniform: its `scale` is the width, its `peak` the low end.
struct TfUniformUnit {
  TfUniformUnit(const Law&) {}
  template <int n> GLOROT_INLINE void convert(const Word* words, Real* out) const {
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v) {
      const Word bits = Target::bit_or(Target::bit_and(words[v], Target::word(0x7fffffu)),
                                       Target::word(0x3f800000u));
      out[v] = Target::sub(Target::from_bits(bits), Target::real(1.0f));
    }
  }
};

enum class Finish { kScale, kMean, kTf };

template <class Integer, Finish kFinish>
struct Value {
  Integer integer;
  Real scale, peak, minus_peak, mean, low, high;

  Value(const Law& law)
      : integer(law), scale(Target::real(float(law.scale))), peak(Target::real(float(law.peak))),
        minus_peak(Target::real(-float(law.peak))), mean(Target::real(float(law.mean))),
        low(Target::real(float(law.low))), high(Target::real(float(law.high))) {}

  GLOROT_INLINE Real finish(Real value) const {
    value = Target::mul(value, scale);
    if constexpr (kFinish == Finish::kMean) {
      value = Target::add(Target::min(Target::max(value, minus_peak), peak), mean);
      value = Target::min(Target::max(value, low), high);
    }
    if constexpr (kFinish == Finish::kTf) value = Target::add(value, peak);
    return value;
  }

  // Calls store(v, values) for each of n vectors of words.
  template <int n = kVectors, class Store>
  GLOROT_INLINE void each(const Word* words, const Store& store) const {
    Real values[n];
    integer.template convert<n>(words, values);
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v) store(v, finish(values[v]));
  }
};

// ---- stores: a vector of float32 -> the dtype ---------------------------------------------------

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

static GLOROT_INLINE Word round_bfloat16_vector(Real value) {
  const Word bits = Target::bits(value);
  const Word even = Target::bit_and(Target::shr<16>(bits), Target::word(1));
  return Target::shr<16>(Target::add(Target::add(bits, Target::word(0x7fffu)), even));
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
  static void store(uint16_t* p, Real x) { Target::store16(p, round_bfloat16_vector(x)); }
};
template <> struct Item<Dtype::kFloat8E4m3fn> {
  using Type = uint8_t;
  static void store(uint8_t* p, Real x) { Target::store8(p, round_small_vector<4, 3>(x)); }
};
template <> struct Item<Dtype::kFloat8E5m2> {
  using Type = uint8_t;
  static void store(uint8_t* p, Real x) { Target::store8(p, round_small_vector<5, 2>(x)); }
};

// ---- runs and lists -----------------------------------------------------------------------------

// Calls write(vectors, out) for whole chunks straight into `out`, and through a buffer at the ends.
template <class Type, class Write>
static GLOROT_INLINE void run_chunks(const Stream& stream, const RoundKeys& keys, uint64_t start,
                                     uint64_t count, Type* out, const Write& write) {
  alignas(64) Type buffer[kChunk];
  Word vectors[kVectors];
  uint64_t block = start / 4;
  const uint64_t skip = start % 4;
  if (count && skip) {
    const uint64_t here = count < kChunk - skip ? count : kChunk - skip;
    single_chunk(stream, keys, block, vectors);
    write(vectors, buffer);
    std::memcpy(out, buffer + skip, here * sizeof(Type));
    out += here;
    count -= here;
    block += kChunkBlocks;
  }
  const uint64_t chunks = count / kChunk;
  each_chunk(stream, keys, block, chunks, [&](const Word* chunk) {
    write(chunk, out);
    out += kChunk;
  });
  if (count %= kChunk) {
    block += chunks * kChunkBlocks;
    single_chunk(stream, keys, block, vectors);
    write(vectors, buffer);
    std::memcpy(out, buffer, count * sizeof(Type));
  }
}

static void run_words(const Stream& stream, uint64_t start, uint64_t count, uint32_t* out) {
  run_chunks<uint32_t>(stream, RoundKeys(stream.key), start, count, out, [](const Word* vectors, uint32_t* to) {
    GLOROT_UNROLL
    for (int v = 0; v < kVectors; ++v) Target::store(to + v * Target::kLanes, vectors[v]);
  });
}

template <Dtype kDtype, class Value>
static void run_values(const Stream& stream, const Law& law, const Runs& runs, void* out,
                       bool bypass) {
  using Type = typename Item<kDtype>::Type;
  const Value value(law);
  const RoundKeys keys(stream.key);
  Type* to = static_cast<Type*>(out);
  auto store = [&](const Word* vectors, Type* p) {
    value.each(vectors, [&](int v, Real x) { Item<kDtype>::store(p + v * Target::kLanes, x); });
  };
  if constexpr (kDtype == Dtype::kFloat32 && Target::kLanes == 16) {
    // Vectors as wide as a cache line can skip the cache, once `out` sits on a line where a block
    // starts.  Narrower ones would leave lines half written.
    const uint64_t start = runs.start, count = runs.count;
    const uint64_t to_line = (64 - reinterpret_cast<uintptr_t>(to) % 64) % 64 / 4;
    if (bypass && runs.rows == 1 && reinterpret_cast<uintptr_t>(to) % 4 == 0 &&
        (start + to_line) % 4 == 0 && count > to_line + kChunk) {
      run_chunks<float>(stream, keys, start, to_line, to, store);
      const uint64_t rest = count - to_line, whole = rest / kChunk * kChunk;
      run_chunks<float>(stream, keys, start + to_line, whole, to + to_line,
                        [&](const Word* vectors, float* p) {
        value.each(vectors, [&](int v, Real x) { Target::stream(p + v * Target::kLanes, x); });
      });
      Target::fence();
      run_chunks<float>(stream, keys, start + to_line + whole, rest - whole, to + to_line + whole,
                        store);
      return;
    }
  }
  for (uint64_t row = 0; row < runs.rows; ++row)
    run_chunks<Type>(stream, keys, runs.start + row * uint64_t(runs.step), runs.count,
                     reinterpret_cast<Type*>(static_cast<char*>(out) + int64_t(row) * runs.stride),
                     store);
}

template <Dtype kDtype, class Value>
static void list_values(const Stream& stream, const Law& law, const BlockList& list, void* out) {
  using Type = typename Item<kDtype>::Type;
  const Value value(law);
  const List drawn(stream, list);
  Word vectors[kVectors];
  Type* to = static_cast<Type*>(out);
  const uint64_t* blocks = list.blocks;
  size_t count = list.count;
  for (; count >= kChunkBlocks; count -= kChunkBlocks, blocks += kChunkBlocks, to += kChunk) {
    drawn.chunk(blocks, vectors);
    value.each(vectors, [&](int v, Real x) { Item<kDtype>::store(to + v * Target::kLanes, x); });
  }
  if (count) {
    uint64_t padded[kChunkBlocks];
    for (uint64_t& block : padded) block = list.smallest;
    alignas(64) Type buffer[kChunk];
    std::memcpy(padded, blocks, count * sizeof *blocks);
    drawn.chunk(padded, vectors);
    value.each(vectors, [&](int v, Real x) { Item<kDtype>::store(buffer + v * Target::kLanes, x); });
    std::memcpy(to, buffer, 4 * count * sizeof(Type));
  }
}

static void list_words(const Stream& stream, const BlockList& list, uint32_t* out) {
  const List drawn(stream, list);
  Word vectors[kVectors];
  uint32_t buffer[kChunk];
  for (size_t done = 0; done < list.count; done += kChunkBlocks) {
    const size_t here = list.count - done < kChunkBlocks ? list.count - done : kChunkBlocks;
    uint64_t padded[kChunkBlocks];
    for (uint64_t& block : padded) block = list.smallest;
    std::memcpy(padded, list.blocks + done, here * sizeof *padded);
    drawn.chunk(padded, vectors);
    for (int v = 0; v < kVectors; ++v) Target::store(buffer + v * Target::kLanes, vectors[v]);
    std::memcpy(out + 4 * done, buffer, 16 * here);
  }
}

// ---- values that are computed one by one from buffered words ------------------------------------

constexpr uint64_t kBuffer = 512;

static Stream low_lane(const Stream& stream) {
  return {stream.key, stream.counter_lo | kLaneLow << kLaneShift, stream.counter_hi};
}

static void convert64(const Law& law, const uint32_t* high, const uint32_t* low, uint64_t count,
                      double* out) {
  for (uint64_t i = 0; i < count; ++i)
    out[i] = finish64(law_integer64(uint64_t(high[i]) << 32 | low[i], law), law);
}

static void convert_tf(const Law& law, Dtype dtype, const uint32_t* words, uint64_t count,
                       void* out) {
  auto* small = static_cast<uint16_t*>(out);
  auto* wide = static_cast<unsigned char*>(out);
  for (uint64_t i = 0; i < count; ++i) {
    if (dtype == Dtype::kFloat16) {
      small[i] = uint16_t(tf_uniform_float16(words[i], law));
    } else if (dtype == Dtype::kBfloat16) {
      small[i] = uint16_t(tf_uniform_bfloat16(words[i], law));
    } else {
      const double value = tf_uniform_float64(words[2 * i], words[2 * i + 1], law);
      std::memcpy(wide + 8 * i, &value, sizeof value);
    }
  }
}

// Draws through `draw(stream, begin, count, words)` in pieces and converts each.
template <class Draw>
static void buffered(const Stream& stream, const Law& law, Dtype dtype, uint64_t count, void* out,
                     const Draw& draw) {
  uint32_t words[2][kBuffer];
  alignas(64) unsigned char values[8 * kBuffer];
  const bool tf = law.kind == Kind::kTfUniform;
  const uint64_t words_each = tf && dtype == Dtype::kFloat64 ? 2 : 1;
  auto* to = static_cast<unsigned char*>(out);
  const uint64_t size = uint64_t(item_size(dtype));
  for (uint64_t done = 0; done < count;) {
    const uint64_t most = kBuffer / words_each, here = count - done < most ? count - done : most;
    draw(stream, words_each * done, words_each * here, words[0]);
    if (tf) {
      convert_tf(law, dtype, words[0], here, values);
    } else {
      draw(low_lane(stream), done, here, words[1]);
      convert64(law, words[0], words[1], here, reinterpret_cast<double*>(values));
    }
    std::memcpy(to + done * size, values, here * size);
    done += here;
  }
}

// ---- the table of functions ---------------------------------------------------------------------

template <class Value, class Call>
static void with_dtype(Dtype dtype, const Call& call) {
  switch (dtype) {
    case Dtype::kFloat16: return call.template operator()<Dtype::kFloat16, Value>();
    case Dtype::kBfloat16: return call.template operator()<Dtype::kBfloat16, Value>();
    case Dtype::kFloat8E4m3fn: return call.template operator()<Dtype::kFloat8E4m3fn, Value>();
    case Dtype::kFloat8E5m2: return call.template operator()<Dtype::kFloat8E5m2, Value>();
    default: return call.template operator()<Dtype::kFloat32, Value>();
  }
}

template <class Call>
static void with_law(const Law& law, Dtype dtype, const Call& call) {
  const bool mean = law.has_mean;
  switch (law.kind) {
    case Kind::kNormal:
      if (mean) return with_dtype<Value<NormalInteger<false>, Finish::kMean>>(dtype, call);
      return with_dtype<Value<NormalInteger<false>, Finish::kScale>>(dtype, call);
    case Kind::kTruncatedNormal:
      if (mean) return with_dtype<Value<NormalInteger<true>, Finish::kMean>>(dtype, call);
      return with_dtype<Value<NormalInteger<true>, Finish::kScale>>(dtype, call);
    case Kind::kTfUniform:
      return call.template operator()<Dtype::kFloat32, Value<TfUniformUnit, Finish::kTf>>();
    default:
      if (mean) return with_dtype<Value<UniformInteger, Finish::kMean>>(dtype, call);
      return with_dtype<Value<UniformInteger, Finish::kScale>>(dtype, call);
  }
}

static bool one_by_one(const Law& law, Dtype dtype) {
  return dtype == Dtype::kFloat64 || (law.kind == Kind::kTfUniform && dtype != Dtype::kFloat32);
}

static void fill_run_here(const Stream& stream, const Law& law, Dtype dtype, uint64_t start,
                          uint64_t count, void* out) {
  if (dtype == Dtype::kWords) return run_words(stream, start, count, static_cast<uint32_t*>(out));
  const bool pairs = law.kind == Kind::kTfUniform && dtype == Dtype::kFloat64;
  const uint64_t first = pairs ? 2 * start : start;
  buffered(stream, law, dtype, count, out,
           [&](const Stream& lane, uint64_t begin, uint64_t n, uint32_t* words) {
             run_words(lane, first + begin, n, words);
           });
}

static void fill_runs_here(const Stream& stream, const Law& law, Dtype dtype, const Runs& runs,
                           void* out, bool bypass) {
  if (dtype == Dtype::kWords || one_by_one(law, dtype)) {
    for (uint64_t row = 0; row < runs.rows; ++row)
      fill_run_here(stream, law, dtype, runs.start + row * uint64_t(runs.step), runs.count,
                    static_cast<char*>(out) + int64_t(row) * runs.stride);
    return;
  }
  with_law(law, dtype, [&]<Dtype kDtype, class Value>() {
    run_values<kDtype, Value>(stream, law, runs, out, bypass);
  });
}

static void fill_blocks_here(const Stream& stream, const Law& law, Dtype dtype,
                             const BlockList& list, void* out) {
  if (dtype == Dtype::kWords) return list_words(stream, list, static_cast<uint32_t*>(out));
  if (one_by_one(law, dtype)) {
    if (law.kind == Kind::kTfUniform && dtype == Dtype::kFloat64) {
      // "Block" b means elements 4 b .. 4 b + 3 here too, which are the words of two blocks.
      for (size_t b = 0; b < list.count; ++b)
        fill_run_here(stream, law, dtype, 4 * list.blocks[b], 4, static_cast<double*>(out) + 4 * b);
      return;
    }
    return buffered(stream, law, dtype, 4 * list.count, out,
                    [&](const Stream& lane, uint64_t begin, uint64_t n, uint32_t* words) {
                      list_words(lane, {list.blocks + begin / 4, n / 4, list.smallest, list.largest},
                                 words);
                    });
  }
  with_law(law, dtype, [&]<Dtype kDtype, class Value>() {
    list_values<kDtype, Value>(stream, law, list, out);
  });
}

template <class Value>
static void apply_value(const Law& law, const uint32_t* words, size_t count, float* out) {
  const Value value(law);
  alignas(64) uint32_t in[Target::kLanes] = {};
  alignas(64) float result[Target::kLanes];
  for (size_t done = 0; done < count; done += Target::kLanes) {
    const size_t here = count - done < size_t(Target::kLanes) ? count - done : Target::kLanes;
    std::memcpy(in, words + done, 4 * here);
    const Word vector = Target::load(in);
    value.template each<1>(&vector, [&](int, Real x) { Target::store(result, x); });
    std::memcpy(out + done, result, 4 * here);
  }
}

static void apply_here(const Law& law, const uint32_t* words, size_t count, float* out) {
  with_law(law, Dtype::kFloat32, [&]<Dtype, class Value>() {
    apply_value<Value>(law, words, count, out);
  });
}
