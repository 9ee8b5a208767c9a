// SPDX-License-Identifier: Apache-2.0
// Fills the same arrays on every target this machine has, fails where two differ, and prints a
// hash for each case.  Buffers end where the array ends, so a sanitizer sees a step too far.
// tools/check_native.sh builds and runs it, with sanitizers or for another processor.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "crc32.h"
#include "kernel.h"
#include "together.h"

using namespace glorot;

namespace {

uint64_t hash_bytes(uint64_t hash, const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

struct Case {
  const char* name;
  Law law;
};

std::vector<Case> cases(Dtype dtype) {
  const int fraction = dtype == Dtype::kFloat64 ? 60 : 29, width = dtype == Dtype::kFloat64 ? 53 : 24;
  auto law = [](Kind kind, double scale) {
    Law result{};
    result.kind = kind;
    result.scale = scale;
    result.low = -INFINITY;
    result.high = INFINITY;
    result.below = result.above = ~uint64_t(0);
    return result;
  };
  auto rounded = [&](double x) { return dtype == Dtype::kFloat64 ? x : double(float(x)); };
  Law uniform = law(Kind::kUniform, rounded(std::ldexp(0.3, -width)));
  Law normal = law(Kind::kNormal, rounded(std::ldexp(0.02, -fraction)));
  Law mean = normal;
  mean.has_mean = 1;
  mean.mean = rounded(1.7);
  mean.peak = rounded(0.02 * 10);
  Law truncated = law(Kind::kTruncatedNormal, rounded(std::ldexp(0.5, -fraction)));
  truncated.first = 97711073;  // 2**32 Phi(-2)
  truncated.count = 4099545150;
  truncated.below = truncated.above = dtype == Dtype::kFloat64 ? (uint64_t(2) << 60) - 1024 : (2u << 29) - 256;
  std::vector<Case> all = {{"uniform", uniform}, {"normal", normal}, {"mean", mean},
                           {"truncated", truncated}};
  if (item_size(dtype) > 1) {
    Law tf = law(Kind::kTfUniform, 0.625);
    tf.peak = -0.3125;
    all.push_back({"tf_uniform", tf});
    tf.first = tf.count = 1;  // the C library's logarithms and sines fuse
    tf.kind = Kind::kTfNormal;
    all.push_back({"tf_normal", tf});
    tf.kind = Kind::kTfTruncatedNormal;
    all.push_back({"tf_truncated", tf});
  }
  for (const uint64_t total : {0, 141, 700001}) {  // both layouts; fields: JaxLaw
    auto name = [&](const char* whole, const char* small, const char* large) {
      return !total ? whole : total < 1000 ? small : large;
    };
    Law jax = law(Kind::kJaxBits, -0.3125);
    jax.first = total;
    all.push_back({name("jax_bits", "jax_bits_short", "jax_bits_legacy"), jax});
    if (item_size(dtype) == 1) continue;
    jax.kind = Kind::kJaxUniform;
    jax.peak = 0.625;
    jax.mean = 0.75;
    jax.low = -0.0;
    all.push_back({name("jax_uniform", "jax_uniform_short", "jax_uniform_legacy"), jax});
    jax.kind = Kind::kJaxNormal;
    jax.scale = -1.0;  // saturated: both infinities occur, and are clipped
    jax.peak = 2.0;
    jax.high = -4.0;
    jax.unused_real = 4.0;
    all.push_back({name("jax_normal", "jax_normal_short", "jax_normal_legacy"), jax});
  }
  return all;
}

// Memory that ends with the array, at any alignment.
struct Exact {
  std::unique_ptr<unsigned char[]> memory;
  unsigned char* start;
  Exact(size_t size, size_t offset)
      : memory(new unsigned char[size + offset]()), start(memory.get() + offset) {}
};

void expect_same(const Kernel& kernel, uint64_t start, uint64_t count, const Exact& out,
                 const Exact& again, size_t bytes) {
  if (std::equal(again.start, again.start + bytes, out.start)) return;
  std::fprintf(stderr, "%s: %llu values from %llu are others in pieces\n", kernel.name,
               static_cast<unsigned long long>(count), static_cast<unsigned long long>(start));
  std::exit(1);
}

// A run by threads, which is the same run in one piece.
void fill_twice(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                uint64_t start, uint64_t count, Exact& out, int threads) {
  const size_t bytes = count * size_t(item_size(dtype));
  Exact again(bytes, 0);
  fill_run(kernel, stream, law, dtype, start, count, out.start, threads);
  kernel.fill_runs(stream, law, dtype, {start, count}, again.start, true);
  expect_same(kernel, start, count, out, again, bytes);
}

uint64_t run_case(const Kernel& kernel, const Law& law, Dtype dtype) {
  uint64_t hash = 0xcbf29ce484222325u;
  const size_t size = size_t(item_size(dtype));
  const Stream streams[] = {{42, 0x0123456789abcdefu << 1, 0xfedcba9876543210u},
                            {~uint64_t(0), ~uint64_t(0) - 20, ~uint64_t(0)}};
  for (const Stream& stream : streams)
    for (const uint64_t start : {uint64_t(0), uint64_t(1), uint64_t(6), uint64_t(7), (uint64_t(1) << 34) - 90})
      for (uint64_t count = 0; count < 900; count += count < 150 ? 1 : 31) {
        Exact out(count * size, count % 16);
        fill_twice(kernel, stream, law, dtype, start, count, out, 1);
        hash = hash_bytes(hash, out.start, count * size);
      }
  const Stream stream{7, 0, 0x55aa55aa55aa55aau};
  for (const uint64_t rows : {1, 5, 70})
    for (const uint64_t columns : {1, 3, 64, 301}) {
      const int64_t item = int64_t(size), pitch = int64_t(columns) * item;
      Exact straight(rows * columns * size, 0), turned(rows * columns * size, 4);
      Exact even(rows * columns * size, 0);  // tiles whose rows begin with a block
      fill_strided(kernel, stream, law, dtype, 3, {{rows, columns}, {columns + 9, 1}, {pitch, item}},
                   straight.start, 3);
      fill_strided(kernel, stream, law, dtype, 3, {{rows, columns}, {1, rows + 2}, {pitch, item}},
                   turned.start, 3);
      fill_strided(kernel, stream, law, dtype, 12, {{rows, columns}, {1, rows + 2}, {pitch, item}},
                   even.start, 1);
      hash = hash_bytes(hash, straight.start, rows * columns * size);
      hash = hash_bytes(hash, even.start, rows * columns * size);
      hash = hash_bytes(hash, turned.start, rows * columns * size);
    }
  for (const uint64_t columns : {256, 300, 301})  // rows that follow each other past the cache
    for (const int64_t step : {1000, -1000, 1001}) {
      constexpr uint64_t kRows = 7, kStart = (uint64_t(1) << 34) - 3700;
      const int64_t pitch = int64_t(columns * size);
      Exact joined(kRows * columns * size, columns % 16), alone(kRows * columns * size, 0);
      kernel.fill_runs(stream, law, dtype, {kStart, columns, kRows, step, pitch}, joined.start, true);
      for (uint64_t row = 0; row < kRows; ++row)
        kernel.fill_runs(stream, law, dtype, {kStart + row * uint64_t(step), columns},
                         alone.start + row * columns * size, false);
      expect_same(kernel, kStart, kRows * columns, joined, alone, kRows * columns * size);
    }
  constexpr uint64_t kLarge = 600000;  // several threads
  Exact large(kLarge * size, 16);
  fill_twice(kernel, stream, law, dtype, 12, kLarge, large, 3);
  hash = hash_bytes(hash, large.start, kLarge * size);
  if (law.kind == Kind::kJaxBits) return hash;  // as floats some are NaN, whose sign is a processor's own
  const Moments found = kernel.moments(large.start, dtype, kLarge);
  return hash_bytes(hash, &found, sizeof found);
}

// torch's words, uniforms, normals and pairs one after the other, in either arithmetic.
uint64_t run_torch(const Kernel& kernel, Dtype dtype, bool fused) {
  uint64_t hash = 0xcbf29ce484222325u;
  const size_t size = size_t(item_size(dtype));
  std::vector<uint32_t> state(kMtWords);
  for (uint32_t i = 0; i < kMtWords; ++i) state[i] = i * 2654435761u + 12345;
  uint32_t position = kMtWords;
  for (const size_t count : {0, 1, 15, 16, 17, 47, 623, 625, 1023, 1024, 1040, 5003}) {
    const Mt19937 at{state.data(), position};
    Exact words(4 * count, 0), uniforms(size * count, size % 4), normals(size * count, 0);
    Exact pairs(16 * count, 0);
    position = kernel.mt19937_words(at, reinterpret_cast<uint32_t*>(words.start), count);
    position = kernel.mt19937_words({state.data(), position}, nullptr, count);
    position = kernel.torch_uniform({state.data(), position}, {-0.25, 1.25, 1.0, fused}, dtype,
                                    uniforms.start, count);
    if (count >= 16)
      position = kernel.torch_normal({state.data(), position},
                                     {0.5, 1e5, fused, {fused, fused, fused}}, dtype, normals.start,
                                     count);
    position = kernel.torch_pairs({state.data(), position}, {fused, fused, fused},
                                  reinterpret_cast<double*>(pairs.start), count);
    hash = hash_bytes(hash, words.start, 4 * count);
    hash = hash_bytes(hash, uniforms.start, size * count);
    hash = hash_bytes(hash, normals.start, size * count);
    hash = hash_bytes(hash, pairs.start, 16 * count);
  }
  return hash_bytes(hash, state.data(), 4 * kMtWords);
}

// The sums of every length and alignment, beside the polynomial's own, a bit at a time.
bool crc32_holds() {
  uint32_t slow = ~0u;
  Exact data(700, 3);
  for (size_t i = 0; i < 700; ++i) data.start[i] = static_cast<unsigned char>(i * 167 >> 2);
  for (size_t count = 0; count <= 700; ++count) {
    const size_t split = count / 3;
    const uint32_t half = crc32(0, data.start, split);
    if (crc32(half, data.start + split, count - split) != ~slow) return false;
    if (count == 700) return true;
    slow ^= data.start[count];
    for (int bit = 0; bit < 8; ++bit) slow = slow >> 1 ^ (0xedb88320u & (0u - (slow & 1)));
  }
  return false;
}

// Runs of many lengths, filled together and each alone.
bool together_holds(const Kernel& kernel) {
  const auto law = cases(Dtype::kFloat32).front().law;
  const Stream stream{7, 9, 11};
  std::vector<Exact> together, alone;
  std::vector<Task> tasks;
  for (const uint64_t count : {0, 1, 33, 5000, (1 << 18) + 3, 1 << 19}) {
    together.emplace_back(4 * count, 0);
    alone.emplace_back(4 * count, 0);
    tasks.push_back({together.back().start, Dtype::kFloat32, law, stream, count + 5, count});
    fill_run(kernel, stream, law, Dtype::kFloat32, count + 5, count, alone.back().start, 1);
  }
  Together fills(kernel, 3);
  for (const Task& task : tasks) fills.add({task});
  while (!fills.wait(0.0)) continue;
  for (size_t i = 0; i < tasks.size(); ++i)
    if (std::memcmp(together[i].start, alone[i].start, 4 * tasks[i].count) != 0) return false;
  return true;
}

}  // namespace

int main() {
  const char* names[] = {"float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"};
  bool same = true;
  for (const Kernel* kernel : available_kernels()) std::fprintf(stderr, "target %s\n", kernel->name);
  for (uint32_t code = 0; code < 6; ++code)
    for (const Case& one : cases(Dtype(code))) {
      uint64_t first = 0;
      for (const Kernel* kernel : available_kernels()) {
        const uint64_t hash = run_case(*kernel, one.law, Dtype(code));
        if (kernel == available_kernels().front()) first = hash;
        if (hash != first) {
          std::fprintf(stderr, "%s differs: %s %s\n", kernel->name, one.name, names[code]);
          same = false;
        }
      }
      std::printf("%s %s %016llx\n", one.name, names[code], static_cast<unsigned long long>(first));
    }
  for (uint32_t code = 0; code < 4; ++code)
    for (const bool fused : {true, false}) {
      const uint64_t first = run_torch(*available_kernels().front(), Dtype(code), fused);
      for (const Kernel* kernel : available_kernels())
        if (run_torch(*kernel, Dtype(code), fused) != first) {
          std::fprintf(stderr, "%s differs: torch %s\n", kernel->name, names[code]);
          same = false;
        }
      std::printf("torch_%s %s %016llx\n", fused ? "fused" : "plain", names[code],
                  static_cast<unsigned long long>(first));
    }
  for (const Kernel* kernel : available_kernels())
    if (!together_holds(*kernel)) {
      std::fprintf(stderr, "%s differs: filled together\n", kernel->name);
      same = false;
    }
  if (has_crc32() && !crc32_holds()) {
    std::fprintf(stderr, "crc32 differs\n");
    same = false;
  }
  return same ? 0 : 1;
}
