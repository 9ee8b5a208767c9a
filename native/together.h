// SPDX-License-Identifier: Apache-2.0
// Many runs that threads share, short ones too; more may be added while they are at work, so that
// whoever prepares them loses no time.  Threads live as long as this object: nothing to fork.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "kernel.h"

namespace glorot {

class Together {
 public:
  // At most `threads` fill at a time, of which the one that waits is one.
  Together(const Kernel& kernel, int threads) : kernel_(kernel), threads_(threads) {}
  ~Together() { stop(); }
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  // The other threads begin at once.
  void add(const std::vector<Task>& tasks);
  // Helps for so many seconds, and once at least; whether all is done.  Nothing may be added
  // meanwhile.
  bool wait(double seconds);
  // Leaves undone what nobody has begun, and returns when nobody writes.
  void stop();

 private:
  static constexpr size_t kMostParts = 16;

  size_t take(Task* parts);
  void fill_some(std::unique_lock<std::mutex>& lock);
  void work();

  const Kernel& kernel_;
  const int threads_;
  std::mutex mutex_;  // of what follows
  std::condition_variable more_, done_;
  std::deque<Task> waiting_;
  uint64_t bytes_ = 0;  // of all that was added
  int busy_ = 0;
  bool closing_ = false;
  std::vector<std::thread> others_;  // the caller's alone
};

}  // namespace glorot
