// SPDX-License-Identifier: Apache-2.0
// Which targets this machine can run, and the splitting of straight fills over threads.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <system_error>

#include "crc32.h"
#include "legacy.h"
#include "huge_pages.h"
#include "threads.h"

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <immintrin.h>
#include <intrin.h>
#endif

namespace glorot {
namespace {

#if defined(GLOROT_HAVE_AVX2) || defined(GLOROT_HAVE_AVX512)
struct Cpu {
  bool avx2 = false, avx512 = false;
  Cpu() {
#if defined(_MSC_VER) && !defined(__clang__)
    int r[4];
    __cpuidex(r, 1, 0);
    const bool os_saves = r[2] >> 27 & 1, fma = r[2] >> 12 & 1, f16c = r[2] >> 29 & 1;
    if (!os_saves) return;
    const uint64_t saved = _xgetbv(0);
    __cpuidex(r, 7, 0);
    const uint32_t ebx = uint32_t(r[1]);
    auto has = [&](int bit) { return (ebx >> bit & 1) != 0; };
    avx2 = (saved & 6) == 6 && fma && f16c && has(5);
    avx512 = avx2 && (saved & 0xe6) == 0xe6 && has(16) && has(17) && has(28) && has(30) && has(31);
#else
    __builtin_cpu_init();
    avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
    avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512cd");
#endif
  }
};
#endif

// A thread takes a share, then the next: one that started late, or was held up, takes fewer.
constexpr uint64_t kSharesEach = 16, kLeastBytesShare = 64 << 10;

}  // namespace

const std::vector<const Kernel*>& available_kernels() {
  static const std::vector<const Kernel*> kernels = [] {
    std::vector<const Kernel*> found;
#if defined(GLOROT_HAVE_AVX2) || defined(GLOROT_HAVE_AVX512)
    const Cpu cpu;
#endif
#ifdef GLOROT_HAVE_AVX512
    if (cpu.avx512) found.push_back(&kAvx512Kernel);
#endif
#ifdef GLOROT_HAVE_AVX2
    if (cpu.avx2) found.push_back(&kAvx2Kernel);
#endif
#ifdef GLOROT_HAVE_NEON
    found.push_back(&kNeonKernel);
#endif
    found.push_back(&kPortableKernel);
    return found;
  }();
  return kernels;
}

void in_parallel(uint64_t pieces, uint64_t bytes, int threads,
                 const std::function<void(uint64_t, uint64_t)>& work) {
  const uint64_t workers = std::min({bytes / kLeastBytesEach, uint64_t(threads), pieces});
  if (workers <= 1) return work(0, pieces);
  const uint64_t shares = std::min(std::max(bytes / kLeastBytesShare, workers),
                                   std::min(pieces, workers * kSharesEach));
  auto first = [&](uint64_t share) { return pieces / shares * share + pieces % shares * share / shares; };
  std::atomic<uint64_t> next{0};
  const std::function<void()> loop = [&] {
    for (uint64_t share; (share = next.fetch_add(1)) < shares;) work(first(share), first(share + 1));
  };
  std::vector<std::thread> started;
  try {
    while (started.size() + 1 < workers) started.emplace_back(loop);
  } catch (const std::system_error&) {  // no more threads to be had: those that are do the rest
  }
  loop();
  for (auto& thread : started) thread.join();
}

void fill_straight(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                   uint64_t start, uint64_t count, void* out, int threads) {
  constexpr uint64_t kPiece = 1024;  // keeps every share's alignment like the whole's
  const uint64_t size = uint64_t(item_size(dtype)), bytes = count * size;
  const uint64_t pieces = (count + kPiece - 1) / kPiece;
  const bool bypass = past_cache(bytes);
  ask_for_huge_pages(out, bytes);
  in_parallel(pieces, bytes, threads, [&](uint64_t begin, uint64_t end) {
    const uint64_t first = begin * kPiece, last = end == pieces ? count : end * kPiece;
    kernel.fill_runs(stream, law, dtype, {start + first, last - first},
                     static_cast<char*>(out) + first * size, bypass);
  });
}

void fill_run(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype, uint64_t start,
              uint64_t count, void* out, int threads) {
  const auto fill = is_jax_legacy(law, dtype) ? fill_legacy_run : fill_straight;
  fill(kernel, stream, law, dtype, start, count, out, threads);
}

Measured fill_measured(const Kernel& kernel, const Stream& stream, const Law& law, Dtype dtype,
                       uint64_t start, uint64_t count, void* out) {
  constexpr uint64_t kPieceBytes = 256 << 10;
  const uint64_t size = uint64_t(item_size(dtype)), most = kPieceBytes / size;
  Measured total = {};
  auto* to = static_cast<char*>(out);
  for (uint64_t here; count; start += here, count -= here, to += here * size) {
    here = count < most ? count : most;
    fill_run(kernel, stream, law, dtype, start, here, to, 1);
    const Moments found = kernel.moments(to, dtype, here);
    total.moments.sum += found.sum;
    total.moments.sum_of_squares += found.sum_of_squares;
    if (has_crc32()) total.crc = crc32(total.crc, to, here * size);
  }
  return total;
}

}  // namespace glorot
