// SPDX-License-Identifier: Apache-2.0
// Vectors of the neon target (AArch64): 4 words, 4 Philox blocks.
#pragma once

#include <arm_neon.h>

#include "laws.h"

namespace glorot::neon {

struct Target {
  static constexpr const char* kName = "neon";
  static constexpr bool kNear = false, kInlined = true;
  static constexpr int kLanes = 4, kBlocks = 4, kGroups = 4, kWideGroups = 4;
  using Word = uint32x4_t;
  using Real = float32x4_t;
  using Digit = uint32x4_t;
  struct Wide { float64x2_t part[4]; };  // 8 float64
  struct Product { uint64x2_t first, second; };

  static Digit digit(uint32_t x) { return vdupq_n_u32(x); }
  static Product multiply(Digit a, Digit b) {
    return {vmull_u32(vget_low_u32(a), vget_low_u32(b)), vmull_high_u32(a, b)};
  }
  static Digit high(Product p) {
    return vuzp2q_u32(vreinterpretq_u32_u64(p.first), vreinterpretq_u32_u64(p.second));
  }
  static Digit low(Product p) {
    return vuzp1q_u32(vreinterpretq_u32_u64(p.first), vreinterpretq_u32_u64(p.second));
  }
  static Digit xor2(Digit a, Digit b) { return veorq_u32(a, b); }
  static Digit xor3(Digit a, Digit b, Digit c) { return veorq_u32(a, veorq_u32(b, c)); }
  static Digit consecutive(uint32_t first) {
    const uint32_t offsets[4] = {0, 1, 2, 3};
    return vaddq_u32(vdupq_n_u32(first), vld1q_u32(offsets));
  }
  static Digit low_digits(const uint64_t* blocks) {
    const uint32x4_t a = vreinterpretq_u32_u64(vld1q_u64(blocks));
    const uint32x4_t b = vreinterpretq_u32_u64(vld1q_u64(blocks + 2));
    return vuzp1q_u32(a, b);
  }
  static Product add(Product p, uint64_t x) {
    return {vaddq_u64(p.first, vdupq_n_u64(x)), vaddq_u64(p.second, vdupq_n_u64(x))};
  }
  // out = high(q) ^ c1 ^ k0, low(q), high(p) ^ c3 ^ k1, low(p), block after block.
  static void last_round(Product p, Product q, Digit c1, Digit c3, Digit k0, Digit k1, Word out[4]) {
    const Digit w0 = xor3(high(q), c1, k0), w1 = low(q), w2 = xor3(high(p), c3, k1), w3 = low(p);
    const uint32x4_t a = vzip1q_u32(w0, w1), b = vzip2q_u32(w0, w1);
    const uint32x4_t c = vzip1q_u32(w2, w3), d = vzip2q_u32(w2, w3);
    auto join = [](uint32x4_t x, uint32x4_t y, bool upper) {
      const uint64x2_t first = vreinterpretq_u64_u32(x), second = vreinterpretq_u64_u32(y);
      return vreinterpretq_u32_u64(upper ? vzip2q_u64(first, second) : vzip1q_u64(first, second));
    };
    out[0] = join(a, c, false);
    out[1] = join(a, c, true);
    out[2] = join(b, d, false);
    out[3] = join(b, d, true);
  }

  static Word word(uint32_t x) { return vdupq_n_u32(x); }
  static Word load(const uint32_t* p) { return vld1q_u32(p); }
  static void store(uint32_t* p, Word x) { vst1q_u32(p, x); }
  static void store(float* p, Real x) { vst1q_f32(p, x); }
  static Word add(Word a, Word b) { return vaddq_u32(a, b); }
  static Word sub(Word a, Word b) { return vsubq_u32(a, b); }
  static Word bit_and(Word a, Word b) { return vandq_u32(a, b); }
  static Word bit_or(Word a, Word b) { return vorrq_u32(a, b); }
  static Word bit_xor(Word a, Word b) { return veorq_u32(a, b); }
  static Word and_not(Word a, Word b) { return vbicq_u32(b, a); }
  template <int n> static Word shl(Word a) { return vshlq_n_u32(a, n); }
  template <int n> static Word shr(Word a) { return vshrq_n_u32(a, n); }
  template <int n> static Word sar(Word a) {
    return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(a), n));
  }
  template <int n> static Word rotl(Word a) { return vsriq_n_u32(shl<n>(a), a, 32 - n); }
  static Word and_xor(Word a, Word b, Word c) { return bit_xor(bit_and(a, b), c); }
  static Word xor_or(Word a, Word b, Word c) { return bit_or(bit_xor(a, b), c); }
  static Word min(Word a, Word b) { return vminq_u32(a, b); }
  static Word max(Word a, Word b) { return vmaxq_u32(a, b); }
  static Word select(Word mask, Word b, Word c) { return vbslq_u32(mask, c, b); }
  static Word less(Word a, Word b) { return vcltq_u32(a, b); }
  static Word mulhi(Word a, Word b) { return high(multiply(a, b)); }
  static Real signed_real(Word a) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a)); }
  static Real unsigned_real(Word a) { return vcvtq_f32_u32(a); }
  template <class Function> static Wide each_part(const Function& part) {
    return {{part(0), part(1), part(2), part(3)}};
  }
  static Wide wide(float32x4_t a, float32x4_t b) {
    return {{vcvt_f64_f32(vget_low_f32(a)), vcvt_high_f64_f32(a), vcvt_f64_f32(vget_low_f32(b)),
             vcvt_high_f64_f32(b)}};
  }
  static Wide wide(double x) { return each_part([&](int) { return vdupq_n_f64(x); }); }
  static Wide wide(const double* p) { return each_part([&](int i) { return vld1q_f64(p + 2 * i); }); }
  static Wide wide(const float* p) { return wide(vld1q_f32(p), vld1q_f32(p + 4)); }
  static Wide wide_bfloat16(const uint16_t* p) {
    const uint16x8_t bits = vld1q_u16(p);
    return wide(vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(bits), 16)),
                vreinterpretq_f32_u32(vshll_high_n_u16(bits, 16)));
  }
  static Wide wide_float16(const uint16_t* p) {
    const float16x8_t half = vreinterpretq_f16_u16(vld1q_u16(p));
    return wide(vcvt_f32_f16(vget_low_f16(half)), vcvt_high_f32_f16(half));
  }
  static void store(double* p, Wide x) {
    for (int i = 0; i < 4; ++i) vst1q_f64(p + 2 * i, x.part[i]);
  }
  static Wide add(Wide a, Wide b) {
    return each_part([&](int i) { return vaddq_f64(a.part[i], b.part[i]); });
  }
  static Wide mul(Wide a, Wide b) {
    return each_part([&](int i) { return vmulq_f64(a.part[i], b.part[i]); });
  }
  static Word bits(Real a) { return vreinterpretq_u32_f32(a); }
  static Real from_bits(Word a) { return vreinterpretq_f32_u32(a); }
  static Real real(float x) { return vdupq_n_f32(x); }
  static Real add(Real a, Real b) { return vaddq_f32(a, b); }
  static Real sub(Real a, Real b) { return vsubq_f32(a, b); }
  static Real mul(Real a, Real b) { return vmulq_f32(a, b); }
  static Real min(Real a, Real b) { return vminq_f32(a, b); }
  static Real max(Real a, Real b) { return vmaxq_f32(a, b); }
  static void store16(uint16_t* p, Word x) { vst1_u16(p, vmovn_u32(x)); }
  static void store8(uint8_t* p, Word x) {
    const uint16x4_t halves = vmovn_u32(x);
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(halves, halves));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    std::memcpy(p, &four, sizeof four);
  }
  static void store_float16(uint16_t* p, Real x) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x)));
  }

  // Rows are read one lane at a time: NEON has no gather.
  struct NormalTable {
    static void coefficients(Word row, Word (&c)[kDegree32 + 1]) {
      uint32_t rows[4], cells[4];
      vst1q_u32(rows, row);
      for (int degree = 0; degree <= kDegree32; ++degree) {
        for (int lane = 0; lane < 4; ++lane) cells[lane] = kNormal32[rows[lane]][degree];
        c[degree] = vld1q_u32(cells);
      }
    }
    static bool misses(Word, uint32_t) { return false; }  // the whole table is at hand
    static void next_coefficients(Word row, Word (&c)[kDegree32 + 1]) { coefficients(row, c); }
  };
  static void split_tail(Word tail, Word& octave, Word& row, Word& t) {
    octave = vclzq_u32(tail);
    const int32x4_t shift = vreinterpretq_s32_u32(add(octave, word(1)));
    const Word fraction = vshlq_u32(tail, shift);  // a shift by 32 gives 0
    row = bit_or(shl<kSegmentBits32>(octave), shr<32 - kSegmentBits32>(fraction));
    t = shl<kSegmentBits32>(fraction);
  }
};

}  // namespace glorot::neon
