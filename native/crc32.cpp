// SPDX-License-Identifier: Apache-2.0
// CRC-32 by folding: 64 bytes are four polynomials of 128 bits, and each is multiplied by x**512
// modulo the CRC's polynomial to lie over the next 64 bytes.  (Gopal et al., Fast CRC Computation
// for Generic Polynomials Using PCLMULQDQ Instruction, Intel, 2009.)
#include "crc32.h"

#include <array>

#ifdef GLOROT_HAVE_CRC32
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#endif
#endif

namespace glorot {
namespace {

// Bit 31 stands for x**0, as the CRC has it.
constexpr uint32_t kPolynomial = 0xedb88320;

constexpr uint32_t times_x(uint32_t a) { return a >> 1 ^ (a & 1 ? kPolynomial : 0); }

constexpr std::array<uint32_t, 256> kTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = times_x(rest);
    table[byte] = rest;
  }
  return table;
}();

uint32_t by_bytes(uint32_t state, const uint8_t* p, size_t count) {
  for (; count; --count) state = state >> 8 ^ kTable[(state ^ *p++) & 255];
  return state;
}

#ifdef GLOROT_HAVE_CRC32

// x**n modulo the polynomial, as a factor of the instruction, whose product of reflected operands
// comes out one bit too low.
constexpr uint64_t power(int n) {
  uint32_t a = uint32_t(1) << 31;
  for (int i = 0; i < n; ++i) a = times_x(a);
  return uint64_t(a) << 1;
}

// `a` times x**bits: its halves are 64 bits apart.
template <int kBits> inline __m128i shifted(__m128i a) {
  constexpr uint64_t far = power(kBits + 32), near = power(kBits - 32);
  const __m128i factors = _mm_set_epi64x(int64_t(near), int64_t(far));
  return _mm_xor_si128(_mm_clmulepi64_si128(a, factors, 0x00),
                       _mm_clmulepi64_si128(a, factors, 0x11));
}

inline __m128i load(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

uint32_t folded(uint32_t state, const uint8_t*& p, size_t& count) {
  __m128i a[4];
  for (int i = 0; i < 4; ++i) a[i] = load(p + 16 * i);
  a[0] = _mm_xor_si128(a[0], _mm_cvtsi32_si128(int(state)));
  for (p += 64, count -= 64; count >= 64; p += 64, count -= 64)
    for (int i = 0; i < 4; ++i) a[i] = _mm_xor_si128(shifted<512>(a[i]), load(p + 16 * i));
  for (int i = 1; i < 4; ++i) a[0] = _mm_xor_si128(shifted<128>(a[0]), a[i]);
  // What is left are 16 bytes whose CRC, from a state of 0, is that of all before.
  uint8_t rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), a[0]);
  return by_bytes(0, rest, 16);
}

// The same on vectors of four, where the processor has them.
#ifdef __GNUC__
#define GLOROT_WIDE __attribute__((target("avx512f,vpclmulqdq")))
constexpr size_t kWide = 256;

GLOROT_WIDE inline __m512i shifted_wide(__m512i a, __m512i factors) {
  return _mm512_xor_si512(_mm512_clmulepi64_epi128(a, factors, 0x00),
                          _mm512_clmulepi64_epi128(a, factors, 0x11));
}

GLOROT_WIDE uint32_t folded_wide(uint32_t state, const uint8_t*& p, size_t& count) {
  constexpr auto far = int64_t(power(8 * kWide + 32)), near = int64_t(power(8 * kWide - 32));
  const __m512i factors = _mm512_set_epi64(near, far, near, far, near, far, near, far);
  __m512i a[4];
  for (int i = 0; i < 4; ++i) a[i] = _mm512_loadu_si512(p + 64 * i);
  a[0] = _mm512_xor_si512(a[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(int(state))));
  for (p += kWide, count -= kWide; count >= kWide; p += kWide, count -= kWide)
    for (int i = 0; i < 4; ++i)
      a[i] = _mm512_xor_si512(shifted_wide(a[i], factors), _mm512_loadu_si512(p + 64 * i));
  uint8_t rest[kWide];
  for (int i = 0; i < 4; ++i) _mm512_storeu_si512(rest + 64 * i, a[i]);
  const uint8_t* from = rest;
  size_t left = kWide;
  return folded(0, from, left);
}

bool has_wide() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
}
#endif

#endif

}  // namespace

bool has_crc32() {
#ifndef GLOROT_HAVE_CRC32
  return false;
#elif defined(_MSC_VER) && !defined(__clang__)
  int r[4];
  __cpuid(r, 1);
  return (r[2] >> 1 & 1) != 0;
#else
  __builtin_cpu_init();
  return __builtin_cpu_supports("pclmul");
#endif
}

uint32_t crc32(uint32_t before, const void* data, size_t count) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  uint32_t state = ~before;
#ifdef GLOROT_HAVE_CRC32
#ifdef GLOROT_WIDE
  static const bool wide = has_wide();
  if (wide && count >= kWide) state = folded_wide(state, p, count);
#endif
  if (count >= 64) state = folded(state, p, count);
#endif
  return ~by_bytes(state, p, count);
}

}  // namespace glorot
