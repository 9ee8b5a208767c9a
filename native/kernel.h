// SPDX-License-Identifier: Apache-2.0
// What each target offers, and the filling of strided arrays on top of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "laws.h"
#include "moments.h"
#include "mt19937.h"

namespace glorot {

// Philox blocks in any order; all lie in [smallest, largest].
struct BlockList {
  const uint64_t* blocks;
  size_t count;
  uint64_t smallest, largest;
};

// `rows` runs of `count` indices: the first from `start`, each next one `step` further and `stride`
// bytes on.
struct Runs {
  uint64_t start, count;
  uint64_t rows = 1;
  int64_t step = 0, stride = 0;
};

struct Kernel {
  const char* name;
  // Values of runs of consecutive indices, each to contiguous memory of any alignment.
  // With `bypass`, whole cache lines skip the cache: for outputs larger than it.
  void (*fill_runs)(const Stream&, const Law&, Dtype, const Runs&, void* out, bool bypass);
  // The four values of each listed block, one block after the other.
  void (*fill_blocks)(const Stream&, const Law&, Dtype, const BlockList&, void* out);
  // Both halves of a draw in JAX's legacy layout: the values of `count` words of each, from `first`
  // of the half, to memory of any alignment.
  void (*fill_halves)(const Stream&, const Law&, Dtype, uint64_t first, uint64_t count, void* low,
                      void* high);
  // The law's values for words given, but float64's: for checks over all 2**32 of them.
  void (*apply)(const Law&, Dtype, const uint32_t* words, size_t count, void* out);
  // Between what bfloat16's normal (near.inl) puts the law's: for checks of it.  False, and
  // nothing, on a target that computes them as any other.
  bool (*normal_bounds)(const Law&, const uint32_t* words, size_t count, float* inner, float* outer);
  // In one order of additions on every target.
  Moments (*moments)(const void* data, Dtype, uint64_t count);
  // torch's CPU generator: its words (only passed over where `out` is null), uniforms, 16 normals or
  // more, and pairs of standard normals in float64.  Each returns the new position in the state.
  uint32_t (*mt19937_words)(const Mt19937&, uint32_t* out, size_t count);
  uint32_t (*torch_uniform)(const Mt19937&, const TorchUniform&, Dtype, void* out, size_t count);
  uint32_t (*torch_normal)(const Mt19937&, const TorchNormal&, Dtype, void* out, size_t count);
  uint32_t (*torch_pairs)(const Mt19937&, const FusedLibm&, double* out, size_t pairs);
};

extern const Kernel kPortableKernel;
#ifdef GLOROT_HAVE_AVX2
extern const Kernel kAvx2Kernel;
#endif
#ifdef GLOROT_HAVE_AVX512
extern const Kernel kAvx512Kernel;
#endif
#ifdef GLOROT_HAVE_NEON
extern const Kernel kNeonKernel;
#endif

// The targets this machine can run, best first.
const std::vector<const Kernel*>& available_kernels();

// An array: its sizes, its byte strides, and the index step along each axis.
struct Layout {
  std::vector<uint64_t> shape, steps;
  std::vector<int64_t> strides;
};

// Both split the work over at most `threads` threads; the bytes do not depend on how many.
void fill_run(const Kernel&, const Stream&, const Law&, Dtype, uint64_t start, uint64_t count,
              void* out, int threads);
void fill_strided(const Kernel&, const Stream&, const Law&, Dtype, uint64_t start, Layout layout,
                  void* out, int threads);

// A run of a law whose elements are all computed alone.
struct Task {
  void* out;
  Dtype dtype;
  Law law;
  Stream stream;
  uint64_t start, count;
};

struct Measured {
  Moments moments;
  uint32_t crc;  // only where has_crc32()
};

// Fills on this thread, and measures each piece while it is in the cache.
Measured fill_measured(const Kernel&, const Stream&, const Law&, Dtype, uint64_t start,
                       uint64_t count, void* out);

}  // namespace glorot
