// SPDX-License-Identifier: Apache-2.0
// Threefry2x32-20 for one counter: the C++ twin of replay/jax/_threefry.py.
#pragma once

#include <cstdint>

namespace glorot {

static inline void threefry_mix(uint32_t& x, uint32_t& y, int bits) {
  x += y;
  y = (y << bits | y >> (32 - bits)) ^ x;
}

// Straight code, so that loops over counters become vectors.
static inline void threefry2x32(uint32_t k0, uint32_t k1, uint32_t& x, uint32_t& y) {
  const uint32_t k2 = k0 ^ k1 ^ 0x1BD11BDAu;
  auto even = [&] {
    threefry_mix(x, y, 13), threefry_mix(x, y, 15), threefry_mix(x, y, 26), threefry_mix(x, y, 6);
  };
  auto odd = [&] {
    threefry_mix(x, y, 17), threefry_mix(x, y, 29), threefry_mix(x, y, 16), threefry_mix(x, y, 24);
  };
  x += k0, y += k1;
  even(), x += k1, y += k2 + 1;
  odd(), x += k2, y += k0 + 2;
  even(), x += k0, y += k1 + 3;
  odd(), x += k1, y += k2 + 4;
  even(), x += k2, y += k0 + 5;
}

}  // namespace glorot
