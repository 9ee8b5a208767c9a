// SPDX-License-Identifier: Apache-2.0
// The laws for one word: the C++ twin of _laws.py, same names and order.  The vector code of
// laws.inl equals these, and uses them where a vector has nothing to offer (float64, rare rows).
#pragma once

#include <cstdint>
#include <cstring>

#include "philox.h"

namespace glorot {

enum class Dtype : uint32_t {
  kFloat32, kFloat64, kFloat16, kBfloat16, kFloat8E4m3fn, kFloat8E5m2, kWords
};  // the order of _dtypes.FLOATS

static inline int item_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat64: return 8;
    case Dtype::kFloat16: case Dtype::kBfloat16: return 2;
    case Dtype::kFloat8E4m3fn: case Dtype::kFloat8E5m2: return 1;
    default: return 4;
  }
}

// The laws of stream 1, and from 8 on those of other frameworks' streams (BlockLaw in _kernel.py).
enum class Kind : uint32_t {
  kWords, kUniform, kNormal, kTruncatedNormal, kTfUniform = 8, kTfNormal, kTfTruncatedNormal,
  kJaxBits = 16, kJaxUniform, kJaxNormal
};

static inline bool is_block_law(Kind kind) { return kind >= Kind::kTfUniform; }

// What _kernel._encode packs: constants already rounded to the precision of the dtype.
struct Law {
  Kind kind;
  uint32_t has_mean, unused[2];
  double scale;  // what the law's integer, or TensorFlow's unit law, is multiplied by
  double peak;   // the largest product, for the clip before the mean (TensorFlow: what is added)
  double mean, low, high, unused_real;
  uint64_t first, count;         // the quantiles inside the cut-offs (32-bit units); TensorFlow's
                                 // normals of float64: whether the C library's log, sincos fuse;
                                 // JAX's: elements of a legacy draw, whether float16 fuses
  uint64_t least, below, above;  // magnitudes the cut-offs allow
};

constexpr int kSegmentBits32 = 2, kDegree32 = 4, kSegmentBits64 = 3, kDegree64 = 9;

static constexpr uint32_t kNormal32[32 << kSegmentBits32][kDegree32 + 1] = {
#include "normal32.inc"
};

// Eight octaves of the table, a column for each coefficient: what vector permutations read.
// Rows stand in the order of the lowest bits of (158 - octave) << 2 | segment, since a float32
// above 2**23 with that octave has the exponent 158 - octave.
constexpr int kColumnRows = 8 << kSegmentBits32;
template <class Cell>
struct NormalColumns {
  alignas(64) Cell cell[kDegree32 + 1][kColumnRows];
  // `step`: what a coefficient is multiplied by more than the one before it, where the place in a
  // segment counts up to 1 / step.
  constexpr explicit NormalColumns(int first_octave, double step = 1.0) : cell() {
    double scale = 1.0;
    for (int degree = 0; degree <= kDegree32; ++degree, scale *= step)
      for (int place = 0; place < kColumnRows; ++place) {
        const int octave = first_octave + (place >> kSegmentBits32);
        const int segment = place & ((1 << kSegmentBits32) - 1);
        cell[degree][((158 - octave) & 7) << kSegmentBits32 | segment] =
            Cell(kNormal32[octave << kSegmentBits32 | segment][degree] * scale);
      }
  }
};
static constexpr NormalColumns<uint32_t> kCommonColumns(0), kNextColumns(8);

static inline uint32_t mulhi(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b >> 32); }

static inline uint64_t mulhi(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
  return uint64_t(static_cast<unsigned __int128>(a) * b >> 64);
#else
  const uint64_t a_lo = uint32_t(a), a_hi = a >> 32, b_lo = uint32_t(b), b_hi = b >> 32;
  const uint64_t cross = a_hi * b_lo + (a_lo * b_lo >> 32);
  const uint64_t middle = a_lo * b_hi + uint32_t(cross);
  return a_hi * b_hi + (cross >> 32) + (middle >> 32);
#endif
}

static inline int leading_zeros(uint64_t x) {  // x != 0
#if defined(__GNUC__)
  return __builtin_clzll(x);
#else
  int n = 0;
  for (int step = 32; step; step >>= 1)
    if (!(x >> (64 - step))) { n += step; x <<= step; }
  return n;
#endif
}

// |z| for an odd tail probability, in units of 2**-29.
static inline uint32_t normal_magnitude(uint32_t tail) {
  const int octave = leading_zeros(tail) - 32;
  const uint32_t fraction = (tail << octave) << 1;
  const uint32_t* row = kNormal32[octave << kSegmentBits32 | fraction >> (32 - kSegmentBits32)];
  const uint32_t t = fraction << kSegmentBits32;
  uint32_t magnitude = row[kDegree32];
  for (int degree = kDegree32 - 1; degree >= 0; --degree)
    magnitude = row[degree] - mulhi(t, magnitude);
  return magnitude | 1;
}

// The same in units of 2**-60.  The table is large, so only one file holds it: normal64.cpp.
extern const uint64_t kNormal64[64 << kSegmentBits64][kDegree64 + 1];

static inline uint64_t normal_magnitude(uint64_t tail) {
  const int octave = leading_zeros(tail);
  const uint64_t fraction = (tail << octave) << 1;
  const uint64_t* row = kNormal64[octave << kSegmentBits64 | int(fraction >> (64 - kSegmentBits64))];
  const uint64_t t = fraction << kSegmentBits64;
  uint64_t magnitude = row[kDegree64];
  for (int degree = kDegree64 - 1; degree >= 0; --degree)
    magnitude = row[degree] - mulhi(t, magnitude);
  return magnitude | 1;
}

// The law's signed integer, converted to floating point once.
template <class Word, class Real>
static inline Real normal_integer(Word q, const Law& law, bool truncated) {
  constexpr int bits = sizeof(Word) * 8;
  const bool negative = !(q >> (bits - 1));
  const Word folded = negative ? q : Word(~q);
  Word magnitude = normal_magnitude(Word(folded << 1 | 1));
  if (truncated) {
    if (magnitude < law.least) magnitude = Word(law.least);
    const uint64_t most = negative ? law.below : law.above;
    if (magnitude > most) magnitude = Word(most);
  }
  const Real real = Real(magnitude);
  return negative ? -real : real;
}

static inline double law_integer64(uint64_t word, const Law& law) {
  switch (law.kind) {
    case Kind::kUniform:
      return double(int64_t(word >> 10 | 1) - (int64_t(1) << 53));
    case Kind::kTruncatedNormal:
      word = (law.first << 32) + mulhi(word, law.count << 32);
      return normal_integer<uint64_t, double>(word, law, true);
    default:
      return normal_integer<uint64_t, double>(word, law, false);
  }
}

// -ffp-contract=off keeps the product and the sum apart here.
static inline double finish64(double integer, const Law& law) {
  double value = integer * law.scale;
  if (law.has_mean) {
    if (value < -law.peak) value = -law.peak;
    if (value > law.peak) value = law.peak;
    value += law.mean;
    if (value < law.low) value = law.low;
    if (value > law.high) value = law.high;
  }
  return value;
}

static inline float float_from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// A float32 rounded to nearest even to a smaller format with kExponent and kMantissa bits.
// Laws are refused before they overflow it.
template <int kExponent, int kMantissa>
static inline uint32_t round_small(float value) {
  constexpr int bias = (1 << (kExponent - 1)) - 1;
  constexpr uint32_t smallest_normal = uint32_t(127 - bias + 1) << 23;
  // Adding `magic` shifts a subnormal's last bit to the last bit of a float32, which rounds it.
  constexpr uint32_t magic = uint32_t(127 + 24 - bias - kMantissa) << 23;
  const uint32_t bits = bits_of(value), sign = bits >> 31, magnitude = bits & 0x7fffffffu;
  uint32_t small;
  if (magnitude < smallest_normal) {
    small = bits_of(float_from_bits(magnitude) + float_from_bits(magic)) - magic;
  } else {
    constexpr int drop = 23 - kMantissa;
    const uint32_t even = magnitude >> drop & 1;
    small = ((magnitude + (1u << (drop - 1)) - 1 + even) >> drop) - (uint32_t(127 - bias) << kMantissa);
  }
  return small | sign << (kExponent + kMantissa);
}

static inline uint32_t round_bfloat16(float value) {
  const uint32_t bits = bits_of(value);
  return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}

static inline float widen_bfloat16(uint32_t bits) { return float_from_bits(bits << 16); }

// A non-negative or negative float16 as float32; no infinities or NaNs occur here.
static inline float widen_float16(uint32_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fffu;
  if (magnitude < 0x400u) {  // subnormal: an integer in units of 2**-24
    const float value = float(magnitude) * 0x1p-24f;
    return sign ? -value : value;
  }
  return float_from_bits(sign | ((magnitude << 13) + (uint32_t(127 - 15) << 23)));
}

}  // namespace glorot
