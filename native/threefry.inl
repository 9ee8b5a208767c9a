// SPDX-License-Identifier: Apache-2.0
// Threefry2x32-20 on vectors of counters: the twin of threefry2x32 in replay/jax/_threefry.py.
// Some groups go together, which hides the latency of a hash whose every step needs the one before.

constexpr int kThreefryGroups = 4;
constexpr size_t kThreefryChunk = kThreefryGroups * size_t(Target::kLanes);  // hashes together

struct ThreefryKey {
  uint32_t word[3];
  explicit ThreefryKey(uint64_t key) {
    word[0] = uint32_t(key);
    word[1] = uint32_t(key >> 32);
    word[2] = word[0] ^ word[1] ^ 0x1bd11bdau;
  }
};

using ThreefryWords = Word[kThreefryGroups];

template <int kTurn>
static GLOROT_INLINE void threefry_inject(const ThreefryKey& key, ThreefryWords& x,
                                          ThreefryWords& y) {
  const Word to_x = Target::word(key.word[kTurn % 3]);
  const Word to_y = Target::word(key.word[(kTurn + 1) % 3] + uint32_t(kTurn));
  GLOROT_UNROLL
  for (int g = 0; g < kThreefryGroups; ++g) {
    x[g] = Target::add(x[g], to_x);
    y[g] = Target::add(y[g], to_y);
  }
}

template <int kBits>
static GLOROT_INLINE void threefry_mix(ThreefryWords& x, ThreefryWords& y) {
  GLOROT_UNROLL
  for (int g = 0; g < kThreefryGroups; ++g) {
    x[g] = Target::add(x[g], y[g]);
    y[g] = Target::bit_xor(Target::template rotl<kBits>(y[g]), x[g]);
  }
}

static GLOROT_INLINE void threefry(const ThreefryKey& key, ThreefryWords& x, ThreefryWords& y) {
  auto even = [&] {
    threefry_mix<13>(x, y), threefry_mix<15>(x, y), threefry_mix<26>(x, y), threefry_mix<6>(x, y);
  };
  auto odd = [&] {
    threefry_mix<17>(x, y), threefry_mix<29>(x, y), threefry_mix<16>(x, y), threefry_mix<24>(x, y);
  };
  threefry_inject<0>(key, x, y);
  even(), threefry_inject<1>(key, x, y);
  odd(), threefry_inject<2>(key, x, y);
  even(), threefry_inject<3>(key, x, y);
  odd(), threefry_inject<4>(key, x, y);
  even(), threefry_inject<5>(key, x, y);
}
