// SPDX-License-Identifier: Apache-2.0
// Vectors of the avx512 target (F, BW, DQ, VL, CD; FMA, F16C): 16 words, 8 Philox blocks.
#pragma once

#include <immintrin.h>

#include "compiler.h"
#include "laws.h"

namespace glorot::avx512 {

struct Target {
  static constexpr const char* kName = "avx512";
  static constexpr bool kNear = true, kInlined = true;  // near.inl pays: a row is read by permutations
  static constexpr int kLanes = 16, kBlocks = 8, kGroups = 4, kWideGroups = 6;
  using Word = __m512i;  // 16 x uint32
  using Real = __m512;   // 16 x float32
  // One 32-bit digit a block, in the low half of a 64-bit lane.  The high halves hold anything:
  // the multiplication ignores them.
  using Digit = __m512i;
  using Wide = __m512d;  // 8 float64
  using Product = __m512i;

  static Digit digit(uint32_t x) { return _mm512_set1_epi64(x); }
  static Product multiply(Digit a, Digit b) { return _mm512_mul_epu32(a, b); }
  static Digit high(Product p) { return _mm512_srli_epi64(p, 32); }
  // The same through memory: a load duplicates by itself, on no port that computes.
  static GLOROT_INLINE Digit high_through(Product p, Digit& slot) {
#if defined(__GNUC__)
    Digit high;
    asm("vmovdqa64 %2, %1\n\tvmovshdup %1, %0" : "=&v"(high), "=m"(slot) : "v"(p));
    return high;
#else
    return slot = Target::high(p);
#endif
  }
  static Digit low(Product p) { return p; }
  static Digit xor2(Digit a, Digit b) { return _mm512_xor_si512(a, b); }
  static Digit xor3(Digit a, Digit b, Digit c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
  // Blocks sit in the lanes in the order that lets `interleave` put them straight.
  static Digit consecutive(uint32_t first) {
    return _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
  }
  static Digit low_digits(const uint64_t* blocks) {
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7),
                                    _mm512_loadu_si512(blocks));
  }
  static Product add(Product p, uint64_t x) { return _mm512_add_epi64(p, _mm512_set1_epi64(int64_t(x))); }
  // out = high(q) ^ c1 ^ k0, low(q), high(p) ^ c3 ^ k1, low(p), block after block: swapping the
  // halves of a product puts its two digits in the order of the words.
  static void last_round(Product p, Product q, Digit c1, Digit c3, Digit k0, Digit k1, Word out[2]) {
    __m512i a = _mm512_ror_epi64(q, 32), b = _mm512_ror_epi64(p, 32);
    a = _mm512_mask_ternarylogic_epi32(a, 0x5555, c1, k0, 0x96);
    b = _mm512_mask_ternarylogic_epi32(b, 0x5555, c3, k1, 0x96);
    out[0] = _mm512_unpacklo_epi64(a, b);
    out[1] = _mm512_unpackhi_epi64(a, b);
  }

  static Word word(uint32_t x) { return _mm512_set1_epi32(int(x)); }
  static Word load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static void store(uint32_t* p, Word x) { _mm512_storeu_si512(p, x); }
  static void store(float* p, Real x) { _mm512_storeu_ps(p, x); }
  static void stream(void* p, Word x) { _mm512_stream_si512(static_cast<__m512i*>(p), x); }
  static void fence() { _mm_sfence(); }
  static Word add(Word a, Word b) { return _mm512_add_epi32(a, b); }
  static Word sub(Word a, Word b) { return _mm512_sub_epi32(a, b); }
  static Word bit_and(Word a, Word b) { return _mm512_and_si512(a, b); }
  static Word bit_or(Word a, Word b) { return _mm512_or_si512(a, b); }
  static Word bit_xor(Word a, Word b) { return _mm512_xor_si512(a, b); }
  static Word and_not(Word a, Word b) { return _mm512_andnot_si512(a, b); }  // ~a & b
  template <int n> static Word shl(Word a) { return _mm512_slli_epi32(a, n); }
  template <int n> static Word shr(Word a) { return _mm512_srli_epi32(a, n); }
  template <int n> static Word sar(Word a) { return _mm512_srai_epi32(a, n); }
  template <int n> static Word rotl(Word a) { return _mm512_rol_epi32(a, n); }
  static Word and_xor(Word a, Word b, Word c) {  // (a & b) ^ c
    return _mm512_ternarylogic_epi32(a, b, c, 0x6A);
  }
  static Word xor_or(Word a, Word b, Word c) {  // (a ^ b) | c
    return _mm512_ternarylogic_epi32(a, b, c, 0xBE);
  }
  static Word min(Word a, Word b) { return _mm512_min_epu32(a, b); }
  static Word max(Word a, Word b) { return _mm512_max_epu32(a, b); }
  // b where the top bit of `mask` is clear, c where it is set; `mask` is all zeros or ones.
  static Word select(Word mask, Word b, Word c) { return _mm512_ternarylogic_epi32(mask, b, c, 0xAC); }
  static Word less(Word a, Word b) { return _mm512_movm_epi32(_mm512_cmplt_epu32_mask(a, b)); }
  static Word mulhi(Word a, Word b) {
    const __m512i even = _mm512_mul_epu32(a, b);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
  }
  static Real signed_real(Word a) { return _mm512_cvtepi32_ps(a); }
  static Real unsigned_real(Word a) { return _mm512_cvtepu32_ps(a); }
  static Wide wide(double x) { return _mm512_set1_pd(x); }
  static Wide wide(const double* p) { return _mm512_loadu_pd(p); }
  static Wide wide(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static Wide wide_bfloat16(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)));
  }
  static Wide wide_float16(const uint16_t* p) {
    return _mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static void store(double* p, Wide x) { _mm512_storeu_pd(p, x); }
  static Wide add(Wide a, Wide b) { return _mm512_add_pd(a, b); }
  static Wide mul(Wide a, Wide b) { return _mm512_mul_pd(a, b); }
  static Word bits(Real a) { return _mm512_castps_si512(a); }
  static Real from_bits(Word a) { return _mm512_castsi512_ps(a); }
  static Real real(float x) { return _mm512_set1_ps(x); }
  static Real add(Real a, Real b) { return _mm512_add_ps(a, b); }
  static Real sub(Real a, Real b) { return _mm512_sub_ps(a, b); }
  static Real mul(Real a, Real b) { return _mm512_mul_ps(a, b); }
  static Real min(Real a, Real b) { return _mm512_min_ps(a, b); }
  static Real max(Real a, Real b) { return _mm512_max_ps(a, b); }
  static void store16(uint16_t* p, Word x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(x));
  }
  static void store8(uint8_t* p, Word x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
  }
  static void store_float16(uint16_t* p, Real x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }

  static bool any_less(Word a, uint32_t b) { return _mm512_cmplt_epu32_mask(a, word(b)) != 0; }
  // The high halves of the lanes of two vectors.
  static __m512i high_halves(const Word (&a)[2]) {
    const __m512i odd = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35,
                                         33, 31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(a[0], odd, a[1]);
  }
  static uint32_t differing_high_halves(const Word (&a)[2], const Word (&b)[2]) {
    return _mm512_cmpneq_epu16_mask(high_halves(a), high_halves(b));
  }
  // Those of a, the highest bit flipped where q's is clear.
  static Word signed_high_halves(const Word (&a)[2], const Word (&q)[2]) {
    return _mm512_ternarylogic_epi32(high_halves(a), high_halves(q), _mm512_set1_epi16(short(0x8000)),
                                     0xD2);
  }
  static Real minus_product(Real c, Real a, Real b) { return _mm512_fnmadd_ps(a, b, c); }
  static Real plus_product(Real c, Real a, Real b) { return _mm512_fmadd_ps(a, b, c); }

  // The table's first 8 octaves live in registers: 32 rows, a permutation of two vectors for each
  // coefficient.  One word in 256 lies in the next 8, one in 65536 beyond.
  static Word pick(Word first, Word row, Word second) {
    return _mm512_permutex2var_epi32(first, row, second);
  }
  static Real pick(Real first, Word row, Real second) {
    return _mm512_permutex2var_ps(first, row, second);
  }
  static Word load_cells(const uint32_t* cells) { return _mm512_load_si512(cells); }
  static Real load_cells(const float* cells) { return _mm512_load_ps(cells); }

  template <const auto& kFirst, const auto& kNext>
  struct Table {
    using Vector = decltype(load_cells(kFirst.cell[0]));
    Vector column[kDegree32 + 1][2];
    Table() {
      for (int degree = 0; degree <= kDegree32; ++degree)
        for (int part = 0; part < 2; ++part)
          column[degree][part] = load_cells(kFirst.cell[degree] + 16 * part);
    }
    void coefficients(Word row, Vector (&c)[kDegree32 + 1]) const {
      for (int degree = 0; degree <= kDegree32; ++degree)
        c[degree] = pick(column[degree][0], row, column[degree][1]);
    }
    static void next_coefficients(Word row, Vector (&c)[kDegree32 + 1]) {
      for (int degree = 0; degree <= kDegree32; ++degree) {
        const auto* cells = kNext.cell[degree];
        c[degree] = pick(load_cells(cells), row, load_cells(cells + 16));
      }
    }
    static bool misses(Word octave, uint32_t octaves) {  // some lane beyond the first `octaves`
      return _mm512_cmpge_epu32_mask(octave, word(octaves)) != 0;
    }
  };
  using NormalTable = Table<kCommonColumns, kNextColumns>;
  static constexpr NormalColumns<float> kFirstNear{0, 4.0}, kNextNear{8, 4.0};
  using NearTable = Table<kFirstNear, kNextNear>;
  // The float32 of the tail, rounded down, has the row in its exponent and two highest mantissa
  // bits; a permutation reads the lowest 5 bits of that, and NormalColumns is in their order.
  static void split_tail(Word tail, Word& octave, Word& row, Word& t) {
    octave = _mm512_lzcnt_epi32(tail);
    row = shr<23 - kSegmentBits32>(
        bits(_mm512_cvt_roundepu32_ps(tail, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)));
    t = _mm512_sllv_epi32(tail, add(octave, word(1 + kSegmentBits32)));
  }
  // The same with the highest 21 bits of t, as a float32 below 1/4, and half of the next.
  static void split_tail(Word tail, Word& row, Real& t) {
    const Word real = bits(_mm512_cvt_roundepu32_ps(tail, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
    row = shr<23 - kSegmentBits32>(real);
    const Word place = word((1u << (23 - kSegmentBits32)) - 1);
    t = sub(from_bits(_mm512_ternarylogic_epi32(real, place, bits(Target::real(1.0f)), 0xEA)),
            Target::real(1.0f - 0x1p-24f));
  }
};

}  // namespace glorot::avx512
