// SPDX-License-Identifier: Apache-2.0
// Many runs filled together: threads share all of them, so that short ones leave none idle.
#include <algorithm>

#include "huge_pages.h"
#include "threads.h"

namespace glorot {
namespace {

constexpr uint64_t kPieceElements = 1 << 18;  // a multiple of what vectors fill at a time

uint64_t pieces_of(const Task& task) { return (task.count + kPieceElements - 1) / kPieceElements; }

void fill_piece(const Kernel& kernel, const Task& task, uint64_t piece, uint64_t bytes) {
  const uint64_t first = piece * kPieceElements, rest = task.count - first;
  const uint64_t here = rest < kPieceElements ? rest : kPieceElements;
  kernel.fill_runs(task.stream, task.law, task.dtype, {task.start + first, here},
                   static_cast<char*>(task.out) + first * uint64_t(item_size(task.dtype)),
                   past_cache(bytes));
}

}  // namespace

void fill_together(const Kernel& kernel, const std::vector<Task>& tasks, int threads) {
  std::vector<uint64_t> ends;  // of each task's pieces, among those of all
  uint64_t pieces = 0, bytes = 0;
  for (const Task& task : tasks) {
    ends.push_back(pieces += pieces_of(task));
    const uint64_t own = task.count * uint64_t(item_size(task.dtype));
    ask_for_huge_pages(task.out, own);
    bytes += own;
  }
  in_parallel(pieces, bytes, threads, [&](uint64_t piece, uint64_t end) {
    auto number = size_t(std::upper_bound(ends.begin(), ends.end(), piece) - ends.begin());
    for (; piece < end; ++piece) {
      while (ends[number] <= piece) ++number;
      fill_piece(kernel, tasks[number], piece - (ends[number] - pieces_of(tasks[number])), bytes);
    }
  });
}

}  // namespace glorot
