// SPDX-License-Identifier: Apache-2.0
// JAX's legacy layout: where the values of a draw stand among the outputs of the hash.
#pragma once

#include "laws.h"

namespace glorot {

// A draw is `words` long: word j is the first output of the counter (j, j + half), or the second one
// of (j - half, j).  A word has 2**shift values, the lowest bits first.
struct JaxLegacy {
  uint32_t words, half;
  int shift;
  // Of laws with a total, and at most 32 bits a value.  bfloat16 takes 8 bits: its mantissa has 7.
  JaxLegacy(const Law& law, Dtype dtype) {
    const bool byte = law.kind != Kind::kJaxBits && dtype == Dtype::kBfloat16;
    const int bytes = byte ? 1 : item_size(dtype);
    shift = bytes == 4 ? 0 : bytes == 2 ? 1 : 2;
    words = uint32_t((law.first * uint64_t(bytes) + 3) / 4);  // below 2**32, as _draw.py checks
    half = uint32_t((uint64_t(words) + 1) / 2);
  }
};

static inline bool is_jax_legacy(const Law& law, Dtype dtype) {
  return law.kind >= Kind::kJaxBits && law.kind <= Kind::kJaxNormal && law.first &&
         dtype != Dtype::kFloat64;
}

}  // namespace glorot
