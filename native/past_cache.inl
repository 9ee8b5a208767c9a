// SPDX-License-Identifier: Apache-2.0
// A run past the cache, which otherwise reads every line before it is overwritten.  Only vectors as
// wide as a line do: narrower ones would leave lines half written.

constexpr uint64_t kWideWords = kWideGroups * kGroupWords;
constexpr int kWideVectors = kWideGroups * kGroupVectors;

// The words of a wide chunk of two rows: the last `left` from `start` on, and the next row's first.
static GLOROT_INLINE void seam_words(const Stream& stream, const RoundKeys& keys, const List& list,
                                     uint64_t start, uint64_t left, uint64_t row, Word* out) {
  const Counter here = counter_at(stream, start / 4), next = counter_at(stream, row / 4);
  const Prefix prefix(keys, here);
  constexpr uint32_t kFurthest = ~uint32_t(0) - kWideGroups * Target::kBlocks;
  if (left % kGroupWords == 0 && here.digit[0] <= kFurthest && next.digit[0] <= kFurthest &&
      prefix.serves(next)) {
    Product first[kWideGroups];
    GLOROT_UNROLL
    for (int g = 0; g < kWideGroups; ++g) {
      const uint32_t block = uint32_t(g * Target::kBlocks), row_at = next.digit[0] - uint32_t(left / 4);
      const uint32_t digit = (block < left / 4 ? here.digit[0] : row_at) + block;
      first[g] = Target::multiply(Target::consecutive(digit), Target::digit(kMultiplier0));
    }
    return group_words<kWideGroups>(keys, prefix, first, out);
  }
  uint64_t blocks[kWideGroups * Target::kBlocks];
  for (uint64_t b = 0; b < kWideGroups * Target::kBlocks; ++b)
    blocks[b] = b < left / 4 ? start / 4 + b : row / 4 + b - left / 4;
  list.chunks<kWideGroups>(blocks, 1, out);
}

// False, and nothing written, unless a block of the run starts where a line does, and rows follow each
// other in memory: a chunk of two rows takes what wide ones leave, so that the line that the rows share
// is written whole.
template <Dtype kDtype, class Value, class Type, class Groups, class T = Target>
static bool run_past_cache(const Stream& stream, const RoundKeys& keys, const Value& value,
                           const Runs& runs, Type* out, const Groups& groups) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(out);
  const uint64_t count = runs.count, to_line = (64 - address % 64) % 64 / sizeof *out;
  if (address % sizeof *out || (runs.start + to_line) % 4 || count < to_line + kChunk) return false;
  const bool joined = runs.start % 4 == 0 && runs.step % 4 == 0 && count % 4 == 0 &&
                      runs.stride == int64_t(count * sizeof *out);
  if (runs.rows > 1 && (!joined || count < to_line + kWideWords)) return false;

  const uint64_t last_row = runs.start + (runs.rows - 1) * uint64_t(runs.step);
  const uint64_t smallest = (runs.step < 0 ? last_row : runs.start) / 4;
  const uint64_t largest = ((runs.step < 0 ? runs.start : last_row) + count - 1) / 4;
  const List seams(stream, {nullptr, 0, smallest, largest});
  auto chunk = [&]<int n>(const Word* vectors, Type* to) { put<kDtype, n, true>(value, vectors, to); };

  groups(runs.start, to_line, out);
  out += to_line;
  uint64_t start = runs.start + to_line, left = count - to_line;  // of this row
  for (uint64_t row = runs.start, rows = runs.rows;; --rows) {
    const uint64_t rest = rows == 1 ? 0 : left % kWideWords;
    left -= rest;
    whole_chunks<true>(stream, keys, start, left, out, chunk, groups);
    if (rows == 1) break;
    row += uint64_t(runs.step);
    const uint64_t taken = rest ? kWideWords - rest : 0;  // of the next row
    if (rest) {
      Word vectors[kWideVectors];
      seam_words(stream, keys, seams, start, rest, row, vectors);
      chunk.template operator()<kWideVectors>(vectors, out);
      out += kWideWords;
    }
    start = row + taken;
    left = count - taken;
  }
  groups(start, left, out);
  T::fence();
  return true;
}
