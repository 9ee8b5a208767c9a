// SPDX-License-Identifier: Apache-2.0
// Words: Philox4x32-10 on vectors, for consecutive blocks and for listed ones.

// Of each round, as vectors: a run that broadcast them anew for each of its rows would take longer.
struct RoundKeys {
  Digit k0[kRounds], k1[kRounds];
  uint32_t first_k0[2], first_k1[2];  // of the rounds that are computed once for many blocks
  explicit RoundKeys(uint64_t key) {
    uint32_t lo = uint32_t(key), hi = uint32_t(key >> 32);
    for (int i = 0; i < kRounds; ++i, lo += kKeyIncrement0, hi += kKeyIncrement1) {
      k0[i] = Target::digit(lo);
      k1[i] = Target::digit(hi);
      if (i >= 2) continue;
      first_k0[i] = lo;
      first_k1[i] = hi;
    }
  }
};

// The higher digit of a product.  Where there are wide chunks, a chunk takes half of them through
// memory: everything else competes for the same two ports, and those of memory have nothing to do.  T is
// Target, by a name that lets targets without pass it over.
template <int groups, class T = Target>
static GLOROT_INLINE Digit high_through(Product p, Digit& slot) {
  if constexpr (kWideGroups > kGroups && groups >= kGroups) return T::high_through(p, slot);
  else return Target::high(p);
}

// Rounds 3 to 10 of some groups.  The last one leaves pairs of outputs, (0, 1) and (2, 3), for
// `interleave`.
template <int groups>
static GLOROT_INLINE void rounds(const RoundKeys& keys, Digit (&c0)[groups], Digit (&c1)[groups],
                                 Digit (&c2)[groups], Digit (&c3)[groups], Word* out) {
  const Digit m0 = Target::digit(kMultiplier0), m1 = Target::digit(kMultiplier1);
  Digit slot[groups];
  GLOROT_UNROLL
  for (int round = 2; round < kRounds - 1; ++round) {
    const Digit k0 = keys.k0[round], k1 = keys.k1[round];
    GLOROT_UNROLL
    for (int g = 0; g < groups; ++g) {
      const auto p = Target::multiply(c0[g], m0), q = Target::multiply(c2[g], m1);
      c0[g] = Target::xor3(high_through<groups>(q, slot[g]), c1[g], k0);
      c1[g] = Target::low(q);
      c2[g] = Target::xor3(Target::high(p), c3[g], k1);
      c3[g] = Target::low(p);
    }
  }
  const Digit k0 = keys.k0[kRounds - 1], k1 = keys.k1[kRounds - 1];
  GLOROT_UNROLL
  for (int g = 0; g < groups; ++g) {
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
  uint32_t digit1;      // of the counters it serves; those above it carry only with it

  Prefix(const RoundKeys& keys, const Counter& counter) {
    const uint32_t c1 = counter.digit[1], c2 = counter.digit[2], c3 = counter.digit[3];
    const uint64_t q = uint64_t(kMultiplier1) * c2;
    const uint32_t c0_next = uint32_t(q >> 32) ^ c1 ^ keys.first_k0[0];
    const uint64_t p = uint64_t(kMultiplier0) * c0_next;
    c2_xor = c3 ^ keys.first_k1[0];
    c0_xor = uint32_t(q) ^ keys.first_k0[1];
    c2_xor_low = uint32_t(p >> 32) ^ keys.first_k1[1];
    c3_next = uint32_t(p);
    digit1 = c1;
  }
  bool serves(const Counter& counter) const { return counter.digit[1] == digit1; }
};

// The words of some groups of blocks, given the products of round 1: M0 times the lowest digits.
template <int groups>
static GLOROT_INLINE void group_words(const RoundKeys& keys, const Prefix& prefix,
                                      const Product* first, Word* out) {
  const Digit m1 = Target::digit(kMultiplier1);
  Digit c0[groups], c1[groups], c2[groups], c3[groups], slot[groups];
  GLOROT_UNROLL
  for (int g = 0; g < groups; ++g) {
    c2[g] = Target::xor2(Target::high(first[g]), Target::digit(prefix.c2_xor));
    const auto q = Target::multiply(c2[g], m1);
    c0[g] = Target::xor2(high_through<groups>(q, slot[g]), Target::digit(prefix.c0_xor));
    c1[g] = Target::low(q);
    c2[g] = Target::xor2(Target::low(first[g]), Target::digit(prefix.c2_xor_low));
    c3[g] = Target::digit(prefix.c3_next);
  }
  rounds(keys, c0, c1, c2, c3, out);
}

// The products of round 1 for consecutive blocks.  Until the lowest digit carries, those of blocks
// further on are larger by the same amount.
struct Consecutive {
  Product product[kWideGroups];
  explicit Consecutive(uint32_t first) {
    for (int g = 0; g < kWideGroups; ++g)
      product[g] = Target::multiply(Target::consecutive(first + uint32_t(g * Target::kBlocks)),
                                    Target::digit(kMultiplier0));
  }
  template <int groups>
  GLOROT_INLINE void advance() {
    GLOROT_UNROLL
    for (int g = 0; g < kWideGroups; ++g)
      product[g] = Target::add(product[g], uint64_t(kMultiplier0) * uint64_t(groups * Target::kBlocks));
  }
};

// Groups of blocks one by one: where a counter's lowest digit carries, and vectors would not agree.
static GLOROT_COLD void scalar_words(const Stream& stream, const uint64_t* blocks, int groups,
                                     Word* out) {
  uint32_t words[kGroupWords];
  for (; groups; --groups, blocks += Target::kBlocks, out += kGroupVectors) {
    for (int b = 0; b < Target::kBlocks; ++b) {
      Counter counter = counter_at(stream, blocks[b]);
      philox4x32(counter, stream.key);
      std::memcpy(words + 4 * b, counter.digit, sizeof counter.digit);
    }
    for (int v = 0; v < kGroupVectors; ++v) out[v] = Target::load(words + v * Target::kLanes);
  }
}

// A few groups of consecutive blocks, wherever they are: the ends of a run.  One after the other,
// since processors overlap them.
static GLOROT_COLD void few_groups(const Stream& stream, const RoundKeys& keys, uint64_t block,
                                   int groups, Word* out) {
  const Prefix prefix(keys, counter_at(stream, block));
  for (; groups; --groups, block += Target::kBlocks, out += kGroupVectors) {
    const Counter counter = counter_at(stream, block);
    if (counter.digit[0] <= ~uint32_t(Target::kBlocks - 1) && prefix.serves(counter)) {
      const Product first[1] = {Target::multiply(Target::consecutive(counter.digit[0]),
                                                 Target::digit(kMultiplier0))};
      group_words<1>(keys, prefix, first, out);
      continue;
    }
    uint64_t blocks[Target::kBlocks];
    for (int b = 0; b < Target::kBlocks; ++b) blocks[b] = block + uint64_t(b);
    scalar_words(stream, blocks, 1, out);
  }
}

// Calls write<n>(vectors) for `wide` chunks of consecutive blocks, and then for `narrow` ones, n vectors
// each; and rare<groups>(block) for one in which the counter's lowest digit carries.
template <bool kWide, class Write, class Rare>
static GLOROT_INLINE void each_chunk(const Stream& stream, const RoundKeys& keys, uint64_t block,
                                     uint64_t wide, uint64_t narrow, const Write& write,
                                     const Rare& rare) {
  while (wide + narrow) {
    const Counter counter = counter_at(stream, block);
    uint64_t until_carry = (~uint32_t(0) - counter.digit[0] + uint64_t(1)) / Target::kBlocks;  // groups
    const Prefix prefix(keys, counter);
    Consecutive blocks(counter.digit[0]);
    // All that can be drawn from here on; then, if that is not all, one that carries.
    auto draw = [&]<int groups>(uint64_t& left) {
      const uint64_t here = left < until_carry / groups ? left : until_carry / groups;
      Word vectors[groups * kGroupVectors];
      for (uint64_t i = 0; i < here; ++i, blocks.advance<groups>()) {
        group_words<groups>(keys, prefix, blocks.product, vectors);
        write.template operator()<groups * kGroupVectors>(vectors);
      }
      until_carry -= here * groups;
      block += here * groups * Target::kBlocks;
      left -= here;
      if (!left) return true;
      rare.template operator()<groups>(block);
      block += groups * Target::kBlocks;
      --left;
      return false;
    };
    if constexpr (kWide)
      if (!draw.template operator()<kWideGroups>(wide)) continue;
    draw.template operator()<kGroups>(narrow);
  }
}

// Draws the words of listed blocks, some chunks at a time.
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

  template <int groups>
  GLOROT_APART void chunks(const uint64_t* blocks, int count, Word* out) const {
    if (!alike_) return scalar_words(stream_, blocks, count * groups, out);
    const Prefix prefix = prefix_;
    const Digit base = Target::digit(uint32_t(stream_.counter_lo));
    for (int i = 0; i < count; ++i, blocks += groups * Target::kBlocks, out += groups * kGroupVectors) {
      Product first[groups];
      GLOROT_UNROLL
      for (int g = 0; g < groups; ++g)
        first[g] = Target::multiply(
            Target::add(Target::low_digits(blocks + g * Target::kBlocks), base),
            Target::digit(kMultiplier0));
      group_words<groups>(keys_, prefix, first, out);
    }
  }

 private:
  Stream stream_;
  RoundKeys keys_;
  Prefix prefix_;
  bool alike_;  // the counters differ in their lowest digit alone
};
