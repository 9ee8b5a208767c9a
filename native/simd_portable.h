// SPDX-License-Identifier: Apache-2.0
// Vectors of the portable target: plain C++ on arrays of 4, which compilers vectorise as they can.
#pragma once

#include "laws.h"

namespace glorot::portable {

struct Target {
  static constexpr const char* kName = "portable";
  static constexpr bool kNear = false, kInlined = false;
  static constexpr int kLanes = 4, kBlocks = 4, kGroups = 1;  // compilers interleave chunks by themselves
  static constexpr int kWideGroups = kGroups;
  struct Word { uint32_t lane[4]; };
  struct Real { float lane[4]; };
  struct Wide { double lane[8]; };
  struct Product { uint64_t lane[4]; };
  using Digit = Word;

  template <class To = Word, class Function> static To each(Function function) {
    To result;
    for (int i = 0; i < 4; ++i) result.lane[i] = function(i);
    return result;
  }

  static Digit digit(uint32_t x) { return word(x); }
  static Product multiply(Digit a, Digit b) {
    return each<Product>([&](int i) { return uint64_t(a.lane[i]) * b.lane[i]; });
  }
  static Digit high(Product p) { return each([&](int i) { return uint32_t(p.lane[i] >> 32); }); }
  static Digit low(Product p) { return each([&](int i) { return uint32_t(p.lane[i]); }); }
  static Digit xor2(Digit a, Digit b) { return bit_xor(a, b); }
  static Digit xor3(Digit a, Digit b, Digit c) { return bit_xor(a, bit_xor(b, c)); }
  static Digit consecutive(uint32_t first) { return each([&](int i) { return first + uint32_t(i); }); }
  static Digit low_digits(const uint64_t* blocks) {
    return each([&](int i) { return uint32_t(blocks[i]); });
  }
  static Product add(Product p, uint64_t x) {
    return each<Product>([&](int i) { return p.lane[i] + x; });
  }
  static void last_round(Product p, Product q, Digit c1, Digit c3, Digit k0, Digit k1, Word out[4]) {
    const Digit w0 = xor3(high(q), c1, k0), w1 = low(q), w2 = xor3(high(p), c3, k1), w3 = low(p);
    for (int i = 0; i < 4; ++i) out[i] = {{w0.lane[i], w1.lane[i], w2.lane[i], w3.lane[i]}};
  }

  static Word word(uint32_t x) { return {{x, x, x, x}}; }
  static Word load(const uint32_t* p) { Word x; std::memcpy(&x, p, sizeof x); return x; }
  static void store(uint32_t* p, Word x) {  // one by one, or gcc sees no vectors in a loop of stores
    for (int i = 0; i < 4; ++i) std::memcpy(p + i, &x.lane[i], sizeof *p);
  }
  static void store(float* p, Real x) { std::memcpy(p, &x, sizeof x); }
  static Word add(Word a, Word b) { return each([&](int i) { return a.lane[i] + b.lane[i]; }); }
  static Word sub(Word a, Word b) { return each([&](int i) { return a.lane[i] - b.lane[i]; }); }
  static Word bit_and(Word a, Word b) { return each([&](int i) { return a.lane[i] & b.lane[i]; }); }
  static Word bit_or(Word a, Word b) { return each([&](int i) { return a.lane[i] | b.lane[i]; }); }
  static Word bit_xor(Word a, Word b) { return each([&](int i) { return a.lane[i] ^ b.lane[i]; }); }
  static Word and_not(Word a, Word b) { return each([&](int i) { return ~a.lane[i] & b.lane[i]; }); }
  template <int n> static Word shl(Word a) { return each([&](int i) { return a.lane[i] << n; }); }
  template <int n> static Word shr(Word a) { return each([&](int i) { return a.lane[i] >> n; }); }
  template <int n> static Word sar(Word a) {
    return each([&](int i) { return uint32_t(int32_t(a.lane[i]) >> n); });
  }
  template <int n> static Word rotl(Word a) {
    return each([&](int i) { return a.lane[i] << n | a.lane[i] >> (32 - n); });
  }
  static Word and_xor(Word a, Word b, Word c) { return bit_xor(bit_and(a, b), c); }
  static Word xor_or(Word a, Word b, Word c) { return bit_or(bit_xor(a, b), c); }
  static Word min(Word a, Word b) {
    return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Word max(Word a, Word b) {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Word select(Word mask, Word b, Word c) {
    return each([&](int i) { return (b.lane[i] & ~mask.lane[i]) | (c.lane[i] & mask.lane[i]); });
  }
  static Word less(Word a, Word b) {
    return each([&](int i) { return a.lane[i] < b.lane[i] ? ~0u : 0u; });
  }
  static Word mulhi(Word a, Word b) { return high(multiply(a, b)); }
  static Real signed_real(Word a) {
    return each<Real>([&](int i) { return float(int32_t(a.lane[i])); });
  }
  static Real unsigned_real(Word a) { return each<Real>([&](int i) { return float(a.lane[i]); }); }
  template <class Function> static Wide each_wide(const Function& function) {
    Wide result;
    for (int i = 0; i < 8; ++i) result.lane[i] = function(i);
    return result;
  }
  static Wide wide(double x) { return each_wide([&](int) { return x; }); }
  static Wide wide(const double* p) { return each_wide([&](int i) { return p[i]; }); }
  static Wide wide(const float* p) { return each_wide([&](int i) { return double(p[i]); }); }
  static Wide wide_bfloat16(const uint16_t* p) {
    return each_wide([&](int i) { return double(widen_bfloat16(p[i])); });
  }
  static Wide wide_float16(const uint16_t* p) {
    return each_wide([&](int i) { return double(widen_float16(p[i])); });
  }
  static void store(double* p, Wide x) { std::memcpy(p, &x, sizeof x); }
  static Wide add(Wide a, Wide b) { return each_wide([&](int i) { return a.lane[i] + b.lane[i]; }); }
  static Wide mul(Wide a, Wide b) { return each_wide([&](int i) { return a.lane[i] * b.lane[i]; }); }
  static Word bits(Real a) { return each([&](int i) { return bits_of(a.lane[i]); }); }
  static Real from_bits(Word a) {
    return each<Real>([&](int i) { return float_from_bits(a.lane[i]); });
  }
  static Real real(float x) { return {{x, x, x, x}}; }
  static Real add(Real a, Real b) { return each<Real>([&](int i) { return a.lane[i] + b.lane[i]; }); }
  static Real sub(Real a, Real b) { return each<Real>([&](int i) { return a.lane[i] - b.lane[i]; }); }
  static Real mul(Real a, Real b) { return each<Real>([&](int i) { return a.lane[i] * b.lane[i]; }); }
  static Real min(Real a, Real b) {
    return each<Real>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Real max(Real a, Real b) {
    return each<Real>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static void store_half(uint16_t* p, uint32_t x) {  // at any alignment
    const uint16_t half = uint16_t(x);
    std::memcpy(p, &half, sizeof half);
  }
  static void store16(uint16_t* p, Word x) {
    for (int i = 0; i < 4; ++i) store_half(p + i, x.lane[i]);
  }
  static void store8(uint8_t* p, Word x) {
    for (int i = 0; i < 4; ++i) p[i] = uint8_t(x.lane[i]);
  }
  static void store_float16(uint16_t* p, Real x) {
    for (int i = 0; i < 4; ++i) store_half(p + i, round_small<5, 10>(x.lane[i]));
  }

  struct NormalTable {
    static void coefficients(Word row, Word (&c)[kDegree32 + 1]) {
      for (int degree = 0; degree <= kDegree32; ++degree)
        c[degree] = each([&](int i) { return kNormal32[row.lane[i]][degree]; });
    }
    static bool misses(Word, uint32_t) { return false; }  // the whole table is at hand
    static void next_coefficients(Word row, Word (&c)[kDegree32 + 1]) { coefficients(row, c); }
  };
  static void split_tail(Word tail, Word& octave, Word& row, Word& t) {
    for (int i = 0; i < 4; ++i) {
      octave.lane[i] = uint32_t(leading_zeros(tail.lane[i]) - 32);
      const uint32_t fraction = (tail.lane[i] << octave.lane[i]) << 1;
      row.lane[i] = octave.lane[i] << kSegmentBits32 | fraction >> (32 - kSegmentBits32);
      t.lane[i] = fraction << kSegmentBits32;
    }
  }
};

}  // namespace glorot::portable
