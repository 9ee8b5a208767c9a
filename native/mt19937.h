// SPDX-License-Identifier: Apache-2.0
// The state of torch's CPU generator, and what its distributions take.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glorot {

constexpr uint32_t kMtWords = 624;

// The caller's state, used up to `position`; at kMtWords the next word needs a twist first.
struct Mt19937 {
  uint32_t* state;
  uint32_t position;
};

// x * span + low, rounded once where `fused`; then a value equal to `high` becomes `low`.
struct TorchUniform {
  double low, span, high;  // already rounded to what the dtype is computed in
  bool fused;
};

// Whether the C library's float64 functions fuse (libm64.h).
struct FusedLibm {
  bool log, sincos, log1p;
};

struct TorchNormal {
  double mean, std;  // finite
  bool fused;        // in float32, whether torch's own log, sine and cosine, or the C library's
  FusedLibm libm;
};

}  // namespace glorot
