// SPDX-License-Identifier: Apache-2.0
#include "together.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "huge_pages.h"
#include "threads.h"

namespace glorot {
namespace {

constexpr uint64_t kPieceElements = 1 << 18;  // a multiple of what vectors fill at a time

}  // namespace

void Together::add(const std::vector<Task>& tasks) {
  uint64_t bytes;
  {
    const std::lock_guard lock(mutex_);
    for (const Task& task : tasks) {
      if (task.count == 0) continue;
      const uint64_t own = task.count * uint64_t(item_size(task.dtype));
      ask_for_huge_pages(task.out, own);
      bytes_ += own;
      waiting_.push_back(task);
    }
    bytes = bytes_;
  }
  const uint64_t workers = std::min(bytes / kLeastBytesEach, uint64_t(threads_));
  try {
    while (others_.size() + 1 < workers) others_.emplace_back(&Together::work, this);
  } catch (const std::system_error&) {  // no more threads to be had: those that are do the rest
  }
  more_.notify_all();
}

bool Together::wait(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::unique_lock lock(mutex_);
  while (!waiting_.empty()) {
    fill_some(lock);
    if (std::chrono::steady_clock::now() > end) break;
  }
  const auto left = end - std::chrono::steady_clock::now();
  return done_.wait_for(lock, left, [&] { return busy_ == 0 && waiting_.empty(); });
}

void Together::stop() {
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    closing_ = true;
  }
  more_.notify_all();
  for (auto& thread : others_) thread.join();
  others_.clear();
  closing_ = false;
}

// The next part of a long task, or a few short tasks: about as much in either case.  A long one is
// cut at multiples of a piece, so that each part is aligned as the whole is.
size_t Together::take(Task* parts) {
  size_t count = 0;
  for (uint64_t rest = kPieceElements; count < kMostParts && !waiting_.empty();) {
    Task& next = waiting_.front();
    if (count > 0 && next.count > rest) break;
    Task& part = parts[count++] = next;
    part.count = std::min(rest, next.count);
    rest -= part.count;
    if (part.count == next.count) {
      waiting_.pop_front();
      continue;
    }
    next.start += part.count;
    next.count -= part.count;
    next.out = static_cast<char*>(next.out) + part.count * uint64_t(item_size(next.dtype));
    break;
  }
  return count;
}

void Together::fill_some(std::unique_lock<std::mutex>& lock) {
  Task parts[kMostParts];
  const size_t count = take(parts);
  const bool bypass = past_cache(bytes_);
  ++busy_;
  lock.unlock();
  for (size_t i = 0; i < count; ++i)
    kernel_.fill_runs(parts[i].stream, parts[i].law, parts[i].dtype,
                      {parts[i].start, parts[i].count}, parts[i].out, bypass);
  lock.lock();
  if (--busy_ == 0 && waiting_.empty()) done_.notify_all();
}

void Together::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    fill_some(lock);
  }
}

}  // namespace glorot
