// SPDX-License-Identifier: Apache-2.0
// The kernel body on neon vectors.
#include <cstring>

#include "kernel.h"
#include "simd_neon.h"

namespace glorot::neon {
namespace {

#include "fill.inl"

}  // namespace
}  // namespace glorot::neon

namespace glorot {

const Kernel kNeonKernel = {neon::Target::kName, neon::fill_runs_here, neon::fill_blocks_here,
                            neon::apply_here};

}  // namespace glorot
