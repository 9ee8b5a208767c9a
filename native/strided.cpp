// SPDX-License-Identifier: Apache-2.0
// Fills arrays whose index or memory is not straight: shards, permuted orders, views.
//
// Long rows that are straight both ways are filled as runs.  All else goes in tiles: the blocks of
// a tile are listed, computed together, and their values moved to their places.
#include <algorithm>
#include <cstring>

#include "huge_pages.h"
#include "threads.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define GLOROT_TRANSPOSE_SSE 1
#endif

namespace glorot {
namespace {

struct Axis {
  uint64_t size;
  int64_t step, stride;  // of the index, and of the memory in bytes
};

// Axes of size 1 dropped, memory strides made positive and descending, neighbours merged.
std::vector<Axis> simplify(const Layout& layout, int64_t& start, char*& out) {
  std::vector<Axis> axes;
  for (size_t d = 0; d < layout.shape.size(); ++d) {
    Axis axis{layout.shape[d], int64_t(layout.steps[d]), layout.strides[d]};
    if (axis.size == 1) continue;
    if (axis.stride < 0) {
      out += int64_t(axis.size - 1) * axis.stride;
      start += int64_t(axis.size - 1) * axis.step;
      axis.stride = -axis.stride;
      axis.step = -axis.step;
    }
    axes.push_back(axis);
  }
  std::stable_sort(axes.begin(), axes.end(),
                   [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
  std::vector<Axis> merged;
  for (const Axis& axis : axes) {
    if (!merged.empty()) {
      Axis& outer = merged.back();
      const int64_t n = int64_t(axis.size);
      if (outer.stride == n * axis.stride && outer.step == n * axis.step) {
        outer = {outer.size * axis.size, axis.step, axis.stride};
        continue;
      }
    }
    merged.push_back(axis);
  }
  return merged;
}

// Moves to the `number`-th combination of the axes' places.
void seek(const std::vector<Axis>& axes, uint64_t number, int64_t& index, char*& out) {
  for (size_t d = axes.size(); d-- > 0;) {
    const int64_t place = int64_t(number % axes[d].size);
    number /= axes[d].size;
    index += place * axes[d].step;
    out += place * axes[d].stride;
  }
}

uint64_t product(const std::vector<Axis>& axes) {
  uint64_t n = 1;
  for (const Axis& axis : axes) n *= axis.size;
  return n;
}

#ifdef GLOROT_TRANSPOSE_SSE
__m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }

// Columns a, a + 1, ... of a square of rows, 16 bytes wide and high, as rows.
void transpose_square(const uint32_t* const* rows, uint64_t a, __m128i out[4]) {
  const __m128i r0 = load(rows[0] + a), r1 = load(rows[1] + a);
  const __m128i r2 = load(rows[2] + a), r3 = load(rows[3] + a);
  const __m128i low01 = _mm_unpacklo_epi32(r0, r1), high01 = _mm_unpackhi_epi32(r0, r1);
  const __m128i low23 = _mm_unpacklo_epi32(r2, r3), high23 = _mm_unpackhi_epi32(r2, r3);
  out[0] = _mm_unpacklo_epi64(low01, low23);
  out[1] = _mm_unpackhi_epi64(low01, low23);
  out[2] = _mm_unpacklo_epi64(high01, high23);
  out[3] = _mm_unpackhi_epi64(high01, high23);
}

void transpose_square(const uint16_t* const* rows, uint64_t a, __m128i out[8]) {
  __m128i pairs[8];  // two rows' elements side by side, then four's, then all eight's
  for (int i = 0; i < 4; ++i) {
    const __m128i x = load(rows[2 * i] + a), y = load(rows[2 * i + 1] + a);
    pairs[i] = _mm_unpacklo_epi16(x, y);
    pairs[4 + i] = _mm_unpackhi_epi16(x, y);
  }
  for (int half = 0; half < 2; ++half) {
    const __m128i* p = pairs + 4 * half;
    const __m128i a0 = _mm_unpacklo_epi32(p[0], p[1]), a1 = _mm_unpackhi_epi32(p[0], p[1]);
    const __m128i b0 = _mm_unpacklo_epi32(p[2], p[3]), b1 = _mm_unpackhi_epi32(p[2], p[3]);
    out[4 * half] = _mm_unpacklo_epi64(a0, b0);
    out[4 * half + 1] = _mm_unpackhi_epi64(a0, b0);
    out[4 * half + 2] = _mm_unpacklo_epi64(a1, b1);
    out[4 * half + 3] = _mm_unpackhi_epi64(a1, b1);
  }
}

// 16 bytes' worth of columns of 64 bytes' worth of rows, so that each row written is one whole
// cache line: it goes past the cache, which otherwise reads every line before it is overwritten.
template <class Type>
void transpose_lines(const Type* const* rows, uint64_t a, char* out, int64_t stride_a) {
  constexpr int side = 16 / sizeof(Type);
  __m128i part[4][side];
  for (int square = 0; square < 4; ++square) transpose_square(rows + side * square, a, part[square]);
  for (int i = 0; i < side; ++i)
    for (int square = 0; square < 4; ++square)
      _mm_stream_si128(reinterpret_cast<__m128i*>(out + i * stride_a) + square, part[square][i]);
}
#endif

// out[a * stride_a + b * sizeof(Type)] = rows[b][a]
template <class Type>
void transpose(const Type* const* rows, uint64_t n_a, uint64_t n_b, char* out, int64_t stride_a) {
  constexpr uint64_t size = sizeof(Type);
  auto plain = [&](uint64_t first_a, uint64_t first_b, uint64_t last_b) {
    for (uint64_t a = first_a; a < n_a; ++a)
      for (uint64_t b = first_b; b < last_b; ++b)
        std::memcpy(out + int64_t(a) * stride_a + int64_t(b * size), rows[b] + a, size);
  };
#ifdef GLOROT_TRANSPOSE_SSE
  if constexpr (size == 4 || size == 2) {
    constexpr uint64_t side = 16 / size, line = 64 / size;
    const uint64_t whole_a = n_a / side * side;
    const uint64_t to_line = (64 - reinterpret_cast<uintptr_t>(out) % 64) % 64;
    uint64_t b = 0;
    if (stride_a % 64 == 0 && to_line % size == 0 && n_b >= to_line / size + line) {
      const uint64_t first = to_line / size, lines = (n_b - first) / line;
      plain(0, 0, first);
      for (uint64_t a = 0; a < whole_a; a += side)  // row by row: neighbouring lines in turn
        for (b = first; b < first + lines * line; b += line)
          transpose_lines(rows + b, a, out + int64_t(a) * stride_a + int64_t(b * size), stride_a);
      b = first + lines * line;
      plain(whole_a, first, b);
    }
    for (; b + side <= n_b; b += side) {
      for (uint64_t a = 0; a < whole_a; a += side) {
        __m128i part[side];
        transpose_square(rows + b, a, part);
        for (uint64_t i = 0; i < side; ++i)
          std::memcpy(out + int64_t(a + i) * stride_a + int64_t(b * size), &part[i], 16);
      }
      plain(whole_a, b, b + side);
    }
    return plain(0, b, n_b);
  }
#endif
  plain(0, 0, n_b);
}

constexpr uint64_t kTileRun = 64, kTileValues = 6144;

// A tile: `run` elements of consecutive indices along one axis, for `rows` places of another.
struct Tiles {
  Axis run, row;
  std::vector<Axis> outer;
  uint64_t run_size, row_size, run_tiles, row_tiles;
  uint64_t row_skip;  // places that the first tile of rows lacks, so that the others start on a line

  Tiles(std::vector<Axis> axes, const char* out, uint64_t item) {
    run = {1, 1, 0};
    for (size_t d = axes.size(); d-- > 0;)
      if (axes[d].step == 1) {
        run = axes[d];
        axes.erase(axes.begin() + std::ptrdiff_t(d));
        break;
      }
    row = {1, 0, 0};
    if (!axes.empty()) {  // the tightest in memory of the rest
      row = axes.back();
      axes.pop_back();
    }
    outer = std::move(axes);
    run_size = std::min(run.size, kTileRun);
    const uint64_t past_line = reinterpret_cast<uintptr_t>(out) % 64;
    row_skip = row.stride == int64_t(item) && past_line % item == 0 ? past_line / item : 0;
    const uint64_t all_rows = (row.size + row_skip + 63) / 64 * 64;
    row_size = std::min(kTileValues / run_size / 64 * 64, all_rows);
    run_tiles = (run.size + run_size - 1) / run_size;
    row_tiles = (row.size + row_skip + row_size - 1) / row_size;
  }
  uint64_t count() const { return product(outer) * run_tiles * row_tiles; }
};

template <class Type>
void move_tile(const Tiles& tiles, const Type* const* rows, uint64_t n_run, uint64_t n_row,
               char* out) {
  const int64_t item = sizeof(Type);
  if (tiles.run.stride == item || n_run == 1) {
    for (uint64_t b = 0; b < n_row; ++b)
      std::memcpy(out + int64_t(b) * tiles.row.stride, rows[b], n_run * sizeof(Type));
  } else if (tiles.row.stride == item) {
    transpose(rows, n_run, n_row, out, tiles.run.stride);
  } else {
    for (uint64_t b = 0; b < n_row; ++b)
      for (uint64_t a = 0; a < n_run; ++a)
        std::memcpy(out + int64_t(a) * tiles.run.stride + int64_t(b) * tiles.row.stride,
                    rows[b] + a, sizeof(Type));
  }
}

// The blocks of a tile, in the order of its rows, counted from block `base`.  Where rows begin with a
// block those of the next tile are the same from a base further on, and are not listed anew: that would
// take a tenth of the time.
template <class Type>
struct Listed {
  std::vector<uint64_t> blocks;
  std::vector<Type> values;
  std::vector<const Type*> rows;  // where each begins among the values
  uint64_t count = 0, smallest = 0, largest = 0, base = 0, n_run = 0, n_row = 0;
  bool follow = false;  // rows begin with a block, and so do the next tile's

  explicit Listed(const Tiles& tiles)
      : blocks(tiles.row_size * (tiles.run_size / 4 + 2)), values(4 * blocks.size()),
        rows(tiles.row_size) {}

  void list(int64_t index, int64_t step, uint64_t run, uint64_t row, bool counted) {
    const bool whole = counted && index % 4 == 0 && step >= 0 && step % 4 == 0;
    base = whole ? uint64_t(index) / 4 : 0;
    if (whole && follow && run == n_run && row == n_row) return;
    follow = whole, n_run = run, n_row = row;
    count = 0, smallest = ~uint64_t(0), largest = 0;
    for (uint64_t b = 0; b < row; ++b) {
      const uint64_t i = uint64_t(index + int64_t(b) * step);
      const uint64_t block = i / 4 - base, number = (i + run - 1) / 4 - i / 4 + 1;
      rows[b] = values.data() + 4 * count + i % 4;
      for (uint64_t k = 0; k < number; ++k) blocks[count + k] = block + k;
      count += number;
      smallest = std::min(smallest, block);
      largest = std::max(largest, block + number - 1);
    }
  }
};

// The stream whose block 0 is block `base` of this one.
Stream from_block(const Stream& stream, uint64_t base) {
  const uint64_t lo = stream.counter_lo + base;
  return {stream.key, lo, stream.counter_hi + (lo < base ? 1 : 0)};
}

template <class Type>
void fill_tiles(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                int64_t start, char* out, const Tiles& tiles, uint64_t begin, uint64_t end) {
  Listed<Type> listed(tiles);
  // Whether blocks are told by the stream's counter alone; float64's second words are by a bit of it.
  const bool counted = !is_block_law(law.kind) && dtype != Dtype::kFloat64;
  for (uint64_t tile = begin; tile < end; ++tile) {
    // Neighbouring tiles continue the same rows of memory.
    const uint64_t row_tile = tile % tiles.row_tiles, run_tile = tile / tiles.row_tiles % tiles.run_tiles;
    const uint64_t first_run = run_tile * tiles.run_size;
    const uint64_t n_run = std::min(tiles.run_size, tiles.run.size - first_run);
    const uint64_t first_row = row_tile ? row_tile * tiles.row_size - tiles.row_skip : 0;
    const uint64_t end_row = (row_tile + 1) * tiles.row_size - tiles.row_skip;
    const uint64_t n_row = std::min(end_row, tiles.row.size) - first_row;
    int64_t index = start;
    char* to = out;
    seek(tiles.outer, tile / tiles.run_tiles / tiles.row_tiles, index, to);
    index += int64_t(first_run) * tiles.run.step + int64_t(first_row) * tiles.row.step;
    to += int64_t(first_run) * tiles.run.stride + int64_t(first_row) * tiles.row.stride;

    listed.list(index, tiles.row.step, n_run, n_row, counted);
    kernel.fill_blocks(from_block(stream, listed.base), law, dtype,
                       {listed.blocks.data(), listed.count, listed.smallest, listed.largest},
                       listed.values.data());
    move_tile(tiles, listed.rows.data(), n_run, n_row, to);
  }
#ifdef GLOROT_TRANSPOSE_SSE
  _mm_sfence();  // lines written past the cache are in order from here on
#endif
}

}  // namespace

void fill_strided(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                  uint64_t start_index, Layout layout, void* memory, int threads) {
  int64_t start = int64_t(start_index);
  char* out = static_cast<char*>(memory);
  std::vector<Axis> axes = simplify(layout, start, out);
  const uint64_t size = uint64_t(item_size(dtype)), bytes = product(axes) * size;
  if (!axes.empty() && axes.front().size * uint64_t(axes.front().stride) == bytes)  // no gaps
    ask_for_huge_pages(out, bytes);

  constexpr uint64_t kLongRow = 256;
  if (!axes.empty() && axes.back().step == 1 && axes.back().stride == int64_t(size) &&
      axes.back().size >= kLongRow) {
    const uint64_t row = axes.back().size;
    axes.pop_back();
    if (axes.empty())
      return fill_run(kernel, stream, law, dtype, uint64_t(start), row, out, threads);
    const bool bypass = past_cache(bytes);
    const Axis inner = axes.back();  // rows whose indices and places step evenly
    return in_parallel(product(axes), bytes, threads, [&](uint64_t begin, uint64_t end) {
      while (begin < end) {
        int64_t index = start;
        char* to = out;
        seek(axes, begin, index, to);
        const uint64_t rows = std::min(end - begin, inner.size - begin % inner.size);
        kernel.fill_runs(stream, law, dtype,
                         {uint64_t(index), row, rows, inner.step, inner.stride}, to, bypass);
        begin += rows;
      }
    });
  }

  const Tiles tiles(std::move(axes), out, size);
  in_parallel(tiles.count(), bytes, threads, [&](uint64_t begin, uint64_t end) {
    auto go = [&](auto item) {
      fill_tiles<decltype(item)>(kernel, stream, law, dtype, start, out, tiles, begin, end);
    };
    switch (size) {
      case 1: return go(uint8_t());
      case 2: return go(uint16_t());
      case 8: return go(uint64_t());
      default: return go(uint32_t());
    }
  });
}

}  // namespace glorot
