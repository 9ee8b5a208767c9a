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
template <bool kCommonLaw, class Type, class Chunk, class Groups>
static GLOROT_INLINE void whole_chunks(const Stream& stream, const RoundKeys& keys, uint64_t& start,
                                       uint64_t& count, Type*& out, const Chunk& chunk,
                                       const Groups& groups) {
  constexpr bool kWide = kCommonLaw && kWideGroups > kGroups;
  const uint64_t wide = kWide ? wide_chunks(count) : 0;
  const uint64_t narrow = (count - wide * kWideGroups * kGroupWords) / kChunk;
  each_chunk<kWide>(
      stream, keys, start / 4, wide, narrow,
      [&]<int n>(const Word* vectors) {
        chunk.template operator()<n>(vectors, out);
        out += n * Target::kLanes;
      },
      [&]<int n>(uint64_t block) {
        groups(4 * block, n * kGroupWords, out);
        out += n * kGroupWords;
      });
  const uint64_t drawn = (wide * kWideGroups + narrow * kGroups) * kGroupWords;
  start += drawn;
  count -= drawn;
}
