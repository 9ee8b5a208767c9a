// SPDX-License-Identifier: Apache-2.0
// Chunks: a run in pieces of as many groups as are drawn together.

// What most weights are drawn from is drawn in wide chunks too, and goes past the cache; of all laws
// that would take compilers minutes.
template <Dtype, class Value> constexpr bool kCommon = false;
template <>
constexpr bool kCommon<Dtype::kFloat32, Value<UniformInteger<false>, Finish::kScale>> = true;
template <>
constexpr bool kCommon<Dtype::kFloat32, Value<UniformInteger<true>, Finish::kMean>> = true;
template <bool kTruncated>
constexpr bool kCommon<Dtype::kFloat32, Value<NormalInteger<kTruncated>, Finish::kScale>> = true;
template <>
constexpr bool kCommon<Dtype::kBfloat16, Value<UniformInteger<false>, Finish::kScale>> = true;
template <bool kTruncated>
constexpr bool kCommon<Dtype::kBfloat16, NearNormal<kTruncated>> = true;

// Wide chunks that a run begins with, so that narrow ones take all that is left but a group or less.
static uint64_t wide_chunks(uint64_t count) {
  static_assert(kWideGroups == kGroups || (kWideGroups == 6 && kGroups == 4));
  constexpr uint64_t kNarrowAfter[6] = {0, 0, 8, 8, 4, 4};
  const uint64_t whole = count / kGroupWords, narrow = kNarrowAfter[whole % 6];
  return whole < narrow ? 0 : (whole - narrow) / 6;
}

// Calls chunk<n>(vectors, out) for whole chunks of n vectors from `start`, a block's first index, and
// groups(start, words, out) for one in which the counter's lowest digit carries; leaves the rest.
template <bool kWide, class Type, class Chunk, class Groups>
static GLOROT_INLINE void whole_chunks(const Stream& stream, const RoundKeys& keys, uint64_t& start,
                                       uint64_t& count, Type*& out, const Chunk& chunk,
                                       const Groups& groups) {
  auto each = [&]<int n>(uint64_t chunks) {
    constexpr uint64_t kWords = n * kGroupWords;
    each_chunk<n>(stream, keys, start / 4, chunks,
                  [&](const Word* vectors) {
                    chunk.template operator()<n * kGroupVectors>(vectors, out);
                    out += kWords;
                  },
                  [&](uint64_t block) {
                    groups(4 * block, kWords, out);
                    out += kWords;
                  });
    start += chunks * kWords;
    count -= chunks * kWords;
  };
  if constexpr (kWide && kWideGroups > kGroups)
    each.template operator()<kWideGroups>(wide_chunks(count));
  each.template operator()<kGroups>(count / kChunk);
}
