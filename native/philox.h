// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 for one block: the C++ twin of _stream.philox4x32, same names and order.
#pragma once

#include <cstdint>

namespace glorot {

constexpr uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kKeyIncrement0 = 0x9E3779B9u, kKeyIncrement1 = 0xBB67AE85u;
constexpr int kRounds = 10;
constexpr int kLaneShift = 62;
constexpr uint64_t kLaneLow = 2;  // the low 32 bits that float64 adds

// Block b of a stream is Philox(counter + b, key); counter is 128 bits wide.
struct Stream {
  uint64_t key;
  uint64_t counter_lo, counter_hi;
};

struct Counter {
  uint32_t digit[4];
};

// Functions of headers are `static`, so that each target's file keeps its own copy: a shared one
// could be compiled for wider instructions than the machine has.
static inline Counter counter_at(const Stream& stream, uint64_t block) {
  const uint64_t lo = stream.counter_lo + block;
  const uint64_t hi = stream.counter_hi + (lo < block ? 1 : 0);
  return {{uint32_t(lo), uint32_t(lo >> 32), uint32_t(hi), uint32_t(hi >> 32)}};
}

static inline void philox4x32(Counter& counter, uint64_t key) {
  uint32_t c0 = counter.digit[0], c1 = counter.digit[1];
  uint32_t c2 = counter.digit[2], c3 = counter.digit[3];
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p = uint64_t(kMultiplier0) * c0, q = uint64_t(kMultiplier1) * c2;
    c0 = uint32_t(q >> 32) ^ c1 ^ k0;
    c1 = uint32_t(q);
    c2 = uint32_t(p >> 32) ^ c3 ^ k1;
    c3 = uint32_t(p);
    k0 += kKeyIncrement0;
    k1 += kKeyIncrement1;
  }
  counter = {{c0, c1, c2, c3}};
}

}  // namespace glorot
