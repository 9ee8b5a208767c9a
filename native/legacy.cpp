// SPDX-License-Identifier: Apache-2.0
// A run of a draw in JAX's legacy layout.  One hash makes a word of either half, so where a run has
// both words they are filled together, and the rest alone.
#include "legacy.h"

#include <algorithm>

#include "threads.h"

namespace glorot {

void fill_legacy_run(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                     uint64_t start, uint64_t count, void* out, int threads) {
  const JaxLegacy draw(law, dtype);
  const uint64_t size = uint64_t(item_size(dtype)), shift = uint64_t(draw.shift), half = draw.half;
  const uint64_t begin = (start + (uint64_t(1) << shift) - 1) >> shift;
  const uint64_t last = std::min<uint64_t>((start + count) >> shift, draw.words);
  const uint64_t end = last < half ? 0 : last - half;  // a word of the first half, whose other is last
  auto at = [&](uint64_t index) { return static_cast<char*>(out) + (index - start) * size; };
  auto alone = [&](uint64_t from, uint64_t to) {
    if (from < to) fill_straight(kernel, stream, law, dtype, from, to - from, at(from), threads);
  };
  if (begin >= end) return alone(start, start + count);

  constexpr uint64_t kPiece = 1024;
  const uint64_t pieces = (end - begin + kPiece - 1) / kPiece;
  in_parallel(pieces, 2 * (end - begin) * size << shift, threads, [&](uint64_t a, uint64_t b) {
    const uint64_t first = begin + a * kPiece, words = std::min(end, begin + b * kPiece) - first;
    kernel.fill_halves(stream, law, dtype, first, words, at(first << shift),
                       at((first + half) << shift));
  });
  alone(start, begin << shift);
  alone(end << shift, (begin + half) << shift);
  alone((end + half) << shift, start + count);
}

}  // namespace glorot
