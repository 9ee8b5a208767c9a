// SPDX-License-Identifier: Apache-2.0
// Splits work into contiguous shares, which threads take one by one.  Threads live for one call:
// nothing to fork.
#pragma once

#include <functional>
#include <thread>

#include "kernel.h"

namespace glorot {

constexpr uint64_t kLeastBytesEach = 256 << 10;  // below it a thread costs more than it saves

// Calls work(begin, end) for shares of [0, pieces); `bytes` is what all of it writes.
void in_parallel(uint64_t pieces, uint64_t bytes, int threads,
                 const std::function<void(uint64_t, uint64_t)>& work);

// So many bytes leave the cache before anyone reads them.
inline bool past_cache(uint64_t bytes) { return bytes >= 8 << 20; }

// A run whose elements are all computed alone, and one of a draw in JAX's legacy layout.
void fill_straight(const Kernel&, const Stream&, const Law&, Dtype, uint64_t start, uint64_t count,
                   void* out, int threads);
void fill_legacy_run(const Kernel&, const Stream&, const Law&, Dtype, uint64_t start, uint64_t count,
                     void* out, int threads);

}  // namespace glorot
