// SPDX-License-Identifier: Apache-2.0
// Fills arrays whose index or memory is not straight: shards, permuted orders, views.
//
// Long rows that are straight both ways are filled as runs.  All else goes in tiles: the blocks of
// a tile are listed, computed together, and their values moved to their places.
#include <algorithm>
#include <cstring>

#include "threads.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#include <xmmintrin.h>
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
// 4 x 4 elements: columns a .. a + 3 of four rows, as rows of four.
void transpose4(const uint32_t* const* rows, uint64_t a, __m128 out[4]) {
  for (int i = 0; i < 4; ++i) out[i] = _mm_loadu_ps(reinterpret_cast<const float*>(rows[i] + a));
  _MM_TRANSPOSE4_PS(out[0], out[1], out[2], out[3]);
}

// 4 x 16 elements, so that each row written is one whole cache line: it goes past the cache,
// which otherwise would read every line before it is overwritten.
void transpose_lines(const uint32_t* const* rows, uint64_t a, char* out, int64_t stride_a) {
  __m128 part[4][4];
  for (int group = 0; group < 4; ++group) transpose4(rows + 4 * group, a, part[group]);
  for (int i = 0; i < 4; ++i)
    for (int group = 0; group < 4; ++group)
      _mm_stream_ps(reinterpret_cast<float*>(out + i * stride_a) + 4 * group, part[group][i]);
}
#endif

// out[a * stride_a + b * sizeof(Type)] = rows[b][a]
template <class Type>
void transpose(const Type* const* rows, uint64_t n_a, uint64_t n_b, char* out, int64_t stride_a) {
  auto plain = [&](uint64_t first_a, uint64_t first_b, uint64_t last_b) {
    for (uint64_t a = first_a; a < n_a; ++a)
      for (uint64_t b = first_b; b < last_b; ++b)
        std::memcpy(out + int64_t(a) * stride_a + int64_t(b * sizeof(Type)), rows[b] + a, sizeof(Type));
  };
#ifdef GLOROT_TRANSPOSE_SSE
  if constexpr (sizeof(Type) == 4) {
    const uint64_t whole_a = n_a / 4 * 4;
    const uint64_t head = (64 - reinterpret_cast<uintptr_t>(out) % 64) % 64;
    uint64_t b = 0;
    if (stride_a % 64 == 0 && head % 4 == 0 && n_b >= head / 4 + 16) {
      plain(0, 0, head / 4);
      const uint64_t lines = (n_b - head / 4) / 16;
      for (uint64_t a = 0; a < whole_a; a += 4)  // row by row: neighbouring lines in turn
        for (uint64_t line = 0; line < lines; ++line) {
          b = head / 4 + 16 * line;
          transpose_lines(rows + b, a, out + int64_t(a) * stride_a + int64_t(4 * b), stride_a);
        }
      b = head / 4 + 16 * lines;
      plain(whole_a, head / 4, b);
    }
    for (; b + 4 <= n_b; b += 4) {
      for (uint64_t a = 0; a < whole_a; a += 4) {
        __m128 part[4];
        transpose4(rows + b, a, part);
        for (int i = 0; i < 4; ++i)
          std::memcpy(out + int64_t(a + uint64_t(i)) * stride_a + int64_t(4 * b), &part[i], 16);
      }
      plain(whole_a, b, b + 4);
    }
    return plain(0, b, n_b);
  }
#endif
  plain(0, 0, n_b);
}

constexpr uint64_t kTileRun = 16, kTileValues = 6144;

// A tile: `run` elements of consecutive indices along one axis, for `rows` places of another.
struct Tiles {
  Axis run, row;
  std::vector<Axis> outer;
  uint64_t run_size, row_size, run_tiles, row_tiles;

  explicit Tiles(std::vector<Axis> axes) {
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
    row_size = std::min(row.size, kTileValues / run_size);
    run_tiles = (run.size + run_size - 1) / run_size;
    row_tiles = (row.size + row_size - 1) / row_size;
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

template <class Type>
void fill_tiles(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                int64_t start, char* out, const Tiles& tiles, uint64_t begin, uint64_t end) {
  const uint64_t most_blocks = tiles.row_size * (tiles.run_size / 4 + 2);
  std::vector<uint64_t> blocks(most_blocks);
  std::vector<Type> values(4 * most_blocks);
  std::vector<const Type*> rows(tiles.row_size);
  for (uint64_t tile = begin; tile < end; ++tile) {
    const uint64_t run_tile = tile % tiles.run_tiles, row_tile = tile / tiles.run_tiles % tiles.row_tiles;
    const uint64_t first_run = run_tile * tiles.run_size, first_row = row_tile * tiles.row_size;
    const uint64_t n_run = std::min(tiles.run_size, tiles.run.size - first_run);
    const uint64_t n_row = std::min(tiles.row_size, tiles.row.size - first_row);
    int64_t index = start;
    char* to = out;
    seek(tiles.outer, tile / tiles.run_tiles / tiles.row_tiles, index, to);
    index += int64_t(first_run) * tiles.run.step + int64_t(first_row) * tiles.row.step;
    to += int64_t(first_run) * tiles.run.stride + int64_t(first_row) * tiles.row.stride;

    uint64_t listed = 0;
    for (uint64_t b = 0; b < n_row; ++b) {
      const uint64_t i = uint64_t(index + int64_t(b) * tiles.row.step);
      const uint64_t block = i / 4, count = (i + n_run - 1) / 4 - block + 1;
      rows[b] = values.data() + 4 * listed + i % 4;
      for (uint64_t k = 0; k < count; ++k) blocks[listed + k] = block + k;
      listed += count;
    }
    kernel.fill_blocks(stream, law, dtype, blocks.data(), listed, values.data());
    move_tile(tiles, rows.data(), n_run, n_row, to);
  }
}

}  // namespace

void fill_strided(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                  uint64_t start_index, Layout layout, void* memory, int threads) {
  int64_t start = int64_t(start_index);
  char* out = static_cast<char*>(memory);
  std::vector<Axis> axes = simplify(layout, start, out);
  const uint64_t size = uint64_t(item_size(dtype)), bytes = product(axes) * size;

  constexpr uint64_t kLongRow = 256;
  if (!axes.empty() && axes.back().step == 1 && axes.back().stride == int64_t(size) &&
      axes.back().size >= kLongRow) {
    const uint64_t row = axes.back().size;
    axes.pop_back();
    const uint64_t count = product(axes);
    if (count == 1) return fill_run(kernel, stream, law, dtype, uint64_t(start), row, out, threads);
    return in_parallel(count, bytes, threads, [&](uint64_t begin, uint64_t end) {
      for (uint64_t i = begin; i < end; ++i) {
        int64_t index = start;
        char* to = out;
        seek(axes, i, index, to);
        kernel.fill_run(stream, law, dtype, uint64_t(index), row, to, false);
      }
    });
  }

  const Tiles tiles(std::move(axes));
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
