// SPDX-License-Identifier: Apache-2.0
// MT19937: the twist that makes the next state, and the tempering that makes words of it.  Plain
// loops, which compilers turn into this target's vectors.

constexpr uint32_t kMtMiddle = 397;  // a word of the new state meets the one so far ahead
constexpr uint32_t kMtBehind = kMtWords - kMtMiddle;

static GLOROT_INLINE uint32_t mt_twisted(uint32_t here, uint32_t next, uint32_t met) {
  const uint32_t mixed = (here & 0x80000000u) | (next & 0x7fffffffu);
  return met ^ mixed >> 1 ^ ((0u - (next & 1)) & 0x9908b0dfu);
}

static void mt_twist(uint32_t* state) {
  for (uint32_t i = 0; i < kMtBehind; ++i)
    state[i] = mt_twisted(state[i], state[i + 1], state[i + kMtMiddle]);
  for (uint32_t i = kMtBehind; i < kMtWords - 1; ++i)
    state[i] = mt_twisted(state[i], state[i + 1], state[i - kMtBehind]);
  state[kMtWords - 1] = mt_twisted(state[kMtWords - 1], state[0], state[kMtMiddle - 1]);
}

static GLOROT_INLINE uint32_t mt_tempered(uint32_t y) {
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

// Words of a state, drawn piece after piece.
struct MtDraw {
  uint32_t* state;
  uint32_t position;

  explicit MtDraw(const Mt19937& mt) : state(mt.state), position(mt.position) {}

  // How many of `most` words the state has left, after a twist where it has none.
  uint32_t ready(size_t most) {
    if (position == kMtWords) {
      mt_twist(state);
      position = 0;
    }
    const uint32_t left = kMtWords - position;
    return most < left ? uint32_t(most) : left;
  }

  void skip(size_t count) {
    while (count) {
      const uint32_t here = ready(count);
      position += here;
      count -= here;
    }
  }

  void words(uint32_t* __restrict out, size_t count) {
    while (count) {
      const uint32_t here = ready(count);
      const uint32_t* from = state + position;
      for (uint32_t i = 0; i < here; ++i) out[i] = mt_tempered(from[i]);
      position += here;
      out += here;
      count -= here;
    }
  }
};

static uint32_t mt19937_words_here(const Mt19937& mt, uint32_t* out, size_t count) {
  MtDraw draw(mt);
  if (out) draw.words(out, count);
  else draw.skip(count);
  return draw.position;
}
