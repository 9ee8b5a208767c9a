// SPDX-License-Identifier: Apache-2.0
// Vectors of the avx2 target (AVX2, FMA, F16C): 8 words, 4 Philox blocks.
#pragma once

#include <immintrin.h>

#include "laws.h"

namespace glorot::avx2 {

// The normal's table with a row in 16 bytes, one load: the fifth coefficient, which is short, is cut
// in two and fills what the third and the fourth leave.  Rows stand as the exponents rise that
// split_tail reads, and begin with the last octave's.
constexpr int kBits2 = 23, kBits3 = 21, kLeastExponent = 126;
constexpr ptrdiff_t kFirstRow = 16 * (kLeastExponent << kSegmentBits32);
struct PackedRows {
  alignas(64) uint32_t row[32 << kSegmentBits32][4];
  constexpr PackedRows() : row() {
    static_assert(kDegree32 == 4);
    for (int place = 0; place < 32 << kSegmentBits32; ++place) {
      const auto& c = kNormal32[place ^ 31 << kSegmentBits32];
      if (c[2] >> kBits2 || c[3] >> kBits3 || c[4] >> (64 - kBits2 - kBits3))
        throw "a coefficient is too long";  // while it is compiled
      row[place][0] = c[0];
      row[place][1] = c[1];
      row[place][2] = c[2] | c[4] >> (32 - kBits3) << kBits2;
      row[place][3] = c[3] | c[4] << kBits3;
    }
  }
};
static constexpr PackedRows kPackedRows;

struct Target {
  static constexpr const char* kName = "avx2";
  static constexpr bool kNear = false, kInlined = true;
  static constexpr int kLanes = 8, kBlocks = 4, kGroups = 4, kWideGroups = 4;
  using Word = __m256i;
  using Real = __m256;
  using Digit = __m256i;  // one 32-bit digit a block, in the low half of a 64-bit lane
  struct Wide { __m256d first, second; };  // 8 float64
  using Product = __m256i;

  static Digit digit(uint32_t x) { return _mm256_set1_epi64x(x); }
  static Product multiply(Digit a, Digit b) { return _mm256_mul_epu32(a, b); }
  static Digit high(Product p) { return _mm256_srli_epi64(p, 32); }
  static Digit low(Product p) { return p; }
  static Digit xor2(Digit a, Digit b) { return _mm256_xor_si256(a, b); }
  static Digit xor3(Digit a, Digit b, Digit c) { return xor2(a, xor2(b, c)); }
  static Digit consecutive(uint32_t first) {
    return _mm256_add_epi64(_mm256_set1_epi64x(first), _mm256_setr_epi64x(0, 2, 1, 3));
  }
  static Digit low_digits(const uint64_t* blocks) {
    return _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(blocks)),
                                    0b11'01'10'00);
  }
  static Product add(Product p, uint64_t x) { return _mm256_add_epi64(p, _mm256_set1_epi64x(int64_t(x))); }
  // out = high(q) ^ c1 ^ k0, low(q), high(p) ^ c3 ^ k1, low(p), block after block: swapping the
  // halves of a product puts its two digits in the order of the words.
  static void last_round(Product p, Product q, Digit c1, Digit c3, Digit k0, Digit k1, Word out[2]) {
    auto swapped = [](Product x) { return _mm256_shuffle_epi32(x, 0b10'11'00'01); };
    auto low_half = [](Digit x) { return _mm256_blend_epi32(_mm256_setzero_si256(), x, 0x55); };
    const __m256i a = xor2(swapped(q), low_half(xor2(c1, k0)));
    const __m256i b = xor2(swapped(p), low_half(xor2(c3, k1)));
    out[0] = _mm256_unpacklo_epi64(a, b);
    out[1] = _mm256_unpackhi_epi64(a, b);
  }

  static Word word(uint32_t x) { return _mm256_set1_epi32(int(x)); }
  static Word load(const uint32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store(uint32_t* p, Word x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static void store(float* p, Real x) { _mm256_storeu_ps(p, x); }
  static Word add(Word a, Word b) { return _mm256_add_epi32(a, b); }
  static Word sub(Word a, Word b) { return _mm256_sub_epi32(a, b); }
  static Word bit_and(Word a, Word b) { return _mm256_and_si256(a, b); }
  static Word bit_or(Word a, Word b) { return _mm256_or_si256(a, b); }
  static Word bit_xor(Word a, Word b) { return _mm256_xor_si256(a, b); }
  static Word and_not(Word a, Word b) { return _mm256_andnot_si256(a, b); }
  template <int n> static Word shl(Word a) { return _mm256_slli_epi32(a, n); }
  template <int n> static Word shr(Word a) { return _mm256_srli_epi32(a, n); }
  template <int n> static Word sar(Word a) { return _mm256_srai_epi32(a, n); }
  template <int n> static Word rotl(Word a) {
    if constexpr (n % 8 == 0) {  // whole bytes: one permutation
      const auto from = [](int byte) { return char(byte / 4 * 4 + (byte + 4 - n / 8) % 4); };
      return _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(_mm_setr_epi8(
          from(0), from(1), from(2), from(3), from(4), from(5), from(6), from(7), from(8), from(9),
          from(10), from(11), from(12), from(13), from(14), from(15))));
    }
    return bit_or(shl<n>(a), shr<32 - n>(a));
  }
  static Word and_xor(Word a, Word b, Word c) { return bit_xor(bit_and(a, b), c); }
  static Word xor_or(Word a, Word b, Word c) { return bit_or(bit_xor(a, b), c); }
  static Word min(Word a, Word b) { return _mm256_min_epu32(a, b); }
  static Word max(Word a, Word b) { return _mm256_max_epu32(a, b); }
  static Word select(Word mask, Word b, Word c) { return _mm256_blendv_epi8(b, c, mask); }
  static Word less(Word a, Word b) {  // unsigned
    return _mm256_andnot_si256(_mm256_cmpeq_epi32(max(a, b), a), word(~0u));
  }
  static Word mulhi(Word a, Word b) {
    const __m256i even = _mm256_mul_epu32(a, b);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  }
  static Real signed_real(Word a) { return _mm256_cvtepi32_ps(a); }
  // 2**23 + the low half and 2**39 + 2**16 times the high one, exact by how they are written; one
  // rounding, the sum's.
  static Real unsigned_real(Word a) {
    const Word low = _mm256_blend_epi16(a, word(0x4b000000), 0xAA);
    const Word high = _mm256_blend_epi16(shr<16>(a), word(0x53000000), 0xAA);
    return add(sub(from_bits(high), real(0x1p39f + 0x1p23f)), from_bits(low));
  }
  static Wide wide(__m256 x) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(x)), _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))};
  }
  static Wide wide(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
  static Wide wide(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static Wide wide(const float* p) { return wide(_mm256_loadu_ps(p)); }
  static Wide wide_bfloat16(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return wide(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)));
  }
  static Wide wide_float16(const uint16_t* p) {
    return wide(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static void store(double* p, Wide x) {
    _mm256_storeu_pd(p, x.first);
    _mm256_storeu_pd(p + 4, x.second);
  }
  static Wide add(Wide a, Wide b) {
    return {_mm256_add_pd(a.first, b.first), _mm256_add_pd(a.second, b.second)};
  }
  static Wide mul(Wide a, Wide b) {
    return {_mm256_mul_pd(a.first, b.first), _mm256_mul_pd(a.second, b.second)};
  }
  static Word bits(Real a) { return _mm256_castps_si256(a); }
  static Real from_bits(Word a) { return _mm256_castsi256_ps(a); }
  static Real real(float x) { return _mm256_set1_ps(x); }
  static Real add(Real a, Real b) { return _mm256_add_ps(a, b); }
  static Real sub(Real a, Real b) { return _mm256_sub_ps(a, b); }
  static Real mul(Real a, Real b) { return _mm256_mul_ps(a, b); }
  static Real min(Real a, Real b) { return _mm256_min_ps(a, b); }
  static Real max(Real a, Real b) { return _mm256_max_ps(a, b); }
  static void store16(uint16_t* p, Word x) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0b11'01'10'00);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
  static void store8(uint8_t* p, Word x) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0b11'01'10'00);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(packed), _mm_setzero_si128());
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), bytes);
  }
  static void store_float16(uint16_t* p, Real x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }

  struct NormalTable {
    // Each lane's row is loaded, and rows are turned into columns.
    static void coefficients(Word row, Word (&c)[kDegree32 + 1]) {
      alignas(32) uint32_t offset[kLanes];
      _mm256_store_si256(reinterpret_cast<__m256i*>(offset), row);
      auto load = [&](int lane) {
        const auto* table = reinterpret_cast<const char*>(kPackedRows.row);
        return _mm_load_si128(
            reinterpret_cast<const __m128i*>(table + (ptrdiff_t(offset[lane]) - kFirstRow)));
      };
      auto both = [&](int lane) {  // with the row four lanes on
        return _mm256_inserti128_si256(_mm256_castsi128_si256(load(lane)), load(lane + 4), 1);
      };
      const Word r0 = both(0), r1 = both(1), r2 = both(2), r3 = both(3);
      const Word low01 = _mm256_unpacklo_epi32(r0, r1), low23 = _mm256_unpacklo_epi32(r2, r3);
      const Word high01 = _mm256_unpackhi_epi32(r0, r1), high23 = _mm256_unpackhi_epi32(r2, r3);
      const Word third = _mm256_unpacklo_epi64(high01, high23);
      const Word fourth = _mm256_unpackhi_epi64(high01, high23);
      c[0] = _mm256_unpacklo_epi64(low01, low23);
      c[1] = _mm256_unpackhi_epi64(low01, low23);
      c[2] = bit_and(third, word((1u << kBits2) - 1));
      c[3] = bit_and(fourth, word((1u << kBits3) - 1));
      c[4] = bit_or(shr<kBits3>(fourth), shl<32 - kBits3>(shr<kBits2>(third)));
    }
    static bool misses(Word, uint32_t) { return false; }  // the whole table is at hand
    static void next_coefficients(Word row, Word (&c)[kDegree32 + 1]) { coefficients(row, c); }
  };
  static void split_tail(Word tail, Word& octave, Word& row, Word& t) {
    // No count of leading zeros: read the exponent of tail / 2, whose top bit is clear, after
    // clearing the bit below its leading one, which otherwise would round up.
    const Word folded = shr<1>(tail);
    const Word top = _mm256_andnot_si256(shr<1>(folded), folded);
    const Word exponent =  // folded = 0: the last octave
        max(shr<23>(bits(_mm256_cvtepi32_ps(top))), word(kLeastExponent));
    octave = sub(word(kLeastExponent + 31), exponent);
    const Word fraction = _mm256_sllv_epi32(tail, sub(word(kLeastExponent + 32), exponent));
    row = bit_or(shl<4 + kSegmentBits32>(exponent), shl<4>(shr<32 - kSegmentBits32>(fraction)));
    t = shl<kSegmentBits32>(fraction);
  }
};

}  // namespace glorot::avx2
