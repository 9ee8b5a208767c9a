// SPDX-License-Identifier: Apache-2.0
// The Python functions for the replay of torch; replay/torch/ checks what it passes here.
#include <nanobind/nanobind.h>

#include "bind.h"

namespace nb = nanobind;

namespace glorot {
namespace {

// The authors' init_genrand.
void seed(uintptr_t state, uint32_t value) {
  auto* word = reinterpret_cast<uint32_t*>(state);
  word[0] = value;
  for (uint32_t i = 1; i < kMtWords; ++i) {
    value = 1812433253u * (value ^ value >> 30) + i;
    word[i] = value;
  }
}

uint32_t words(uintptr_t state, uint32_t position, uintptr_t out, uint64_t count) {
  uint32_t end = position;
  run(count, [&] {
    end = kernel().mt19937_words({reinterpret_cast<uint32_t*>(state), position},
                                 reinterpret_cast<uint32_t*>(out), count);
  });
  return end;
}

uint32_t uniform(uintptr_t state, uint32_t position, uintptr_t out, uint32_t dtype, uint64_t count,
                 double low, double span, double high, bool fused) {
  uint32_t end = position;
  run(count, [&] {
    end = kernel().torch_uniform({reinterpret_cast<uint32_t*>(state), position},
                                 {low, span, high, fused}, Dtype(dtype),
                                 reinterpret_cast<void*>(out), count);
  });
  return end;
}

uint32_t normal(uintptr_t state, uint32_t position, uintptr_t out, uint32_t dtype, uint64_t count,
                double mean, double std, bool fused, bool log_fused, bool sincos_fused) {
  uint32_t end = position;
  run(count, [&] {
    end = kernel().torch_normal({reinterpret_cast<uint32_t*>(state), position},
                                {mean, std, fused, {log_fused, sincos_fused, false}}, Dtype(dtype),
                                reinterpret_cast<void*>(out), count);
  });
  return end;
}

uint32_t pairs(uintptr_t state, uint32_t position, uintptr_t out, uint64_t count, bool sincos_fused,
               bool log1p_fused) {
  return kernel().torch_pairs({reinterpret_cast<uint32_t*>(state), position},
                              {false, sincos_fused, log1p_fused}, reinterpret_cast<double*>(out),
                              count);
}

// Fisher and Yates' shuffle from the front; needs count - 1 words.
void shuffle(uintptr_t words, uintptr_t order, uint64_t count) {
  const auto* word = reinterpret_cast<const uint32_t*>(words);
  auto* entry = reinterpret_cast<int64_t*>(order);
  run(count, [&] {
    for (uint64_t i = 0; i + 1 < count; ++i) {
      const uint64_t other = i + word[i] % (count - i);
      const int64_t kept = entry[i];
      entry[i] = entry[other];
      entry[other] = kept;
    }
  });
}

}  // namespace

void bind_torch(nb::module_& m) {
  m.def("mt19937_seed", &seed);
  m.def("mt19937_words", &words);
  m.def("torch_uniform", &uniform);
  m.def("torch_normal", &normal);
  m.def("torch_pairs", &pairs);
  m.def("shuffle", &shuffle);
}

}  // namespace glorot
