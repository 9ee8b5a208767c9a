// SPDX-License-Identifier: Apache-2.0
// A run past the cache, which otherwise reads every line before it is overwritten.  Only vectors as
// wide as a line do: narrower ones would leave lines half written.

// False, and nothing written, unless a block of the run starts where a line does, and rows follow each
// other in memory: a chunk of two rows is drawn as a list, so that the line they share is written whole.
template <Dtype kDtype, class Value, class Type, class Groups>
static bool run_past_cache(const Stream& stream, const RoundKeys& keys, const Value& value,
                           const Runs& runs, Type* out, const Groups& groups) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(out);
  const uint64_t count = runs.count, to_line = (64 - address % 64) % 64 / sizeof *out;
  if (address % sizeof *out || (runs.start + to_line) % 4 || count < to_line + kChunk) return false;
  const bool joined = runs.start % 4 == 0 && runs.step % 4 == 0 && count % 4 == 0 &&
                      runs.stride == int64_t(count * sizeof *out);
  if (runs.rows > 1 && !joined) return false;

  const uint64_t last_row = runs.start + (runs.rows - 1) * uint64_t(runs.step);
  const uint64_t smallest = (runs.step < 0 ? last_row : runs.start) / 4;
  const uint64_t largest = ((runs.step < 0 ? runs.start : last_row) + count - 1) / 4;
  const List seams(stream, {nullptr, 0, smallest, largest});
  auto chunk = [&]<int n>(const Word* vectors, Type* to) { put<kDtype, n, true>(value, vectors, to); };

  groups(runs.start, to_line, out);
  out += to_line;
  uint64_t start = runs.start + to_line, left = count - to_line;  // of this row
  for (uint64_t row = runs.start, rows = runs.rows;; --rows) {
    whole_chunks<true>(stream, keys, start, left, out, chunk, groups);
    if (rows == 1) break;
    row += uint64_t(runs.step);
    const uint64_t taken = left ? kChunk - left : 0;  // of the next row
    if (left) {
      uint64_t blocks[kChunkBlocks];
      for (uint64_t b = 0; b < kChunkBlocks; ++b)
        blocks[b] = b < left / 4 ? start / 4 + b : row / 4 + b - left / 4;
      Word vectors[kVectors];
      seams.chunks<kGroups>(blocks, 1, vectors);
      chunk.template operator()<kVectors>(vectors, out);
      out += kChunk;
    }
    start = row + taken;
    left = count - taken;
  }
  groups(start, left, out);
  Target::fence();
  return true;
}
