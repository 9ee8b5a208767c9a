// SPDX-License-Identifier: Apache-2.0
// New memory comes in pages, each of which the system clears when it is first written: in pages of
// 4 KiB that takes longer than to compute the values.  Linux gives pages of 2 MiB to those who ask.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace glorot {

// Asks for them where memory is about to be written, all of it.  What has pages already keeps them;
// a system that has no larger ones, or gives none, changes nothing.
inline void ask_for_huge_pages(void* memory, uint64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uint64_t kPage = 2 << 20, kLeast = 4 << 20;  // NumPy asks for its arrays from there on
  if (bytes < kLeast) return;
  const uint64_t begin = (uint64_t(reinterpret_cast<uintptr_t>(memory)) + kPage - 1) / kPage * kPage;
  const uint64_t end = (uint64_t(reinterpret_cast<uintptr_t>(memory)) + bytes) / kPage * kPage;
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

}  // namespace glorot
