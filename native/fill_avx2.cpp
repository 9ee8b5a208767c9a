// SPDX-License-Identifier: Apache-2.0
// The kernel body on avx2 vectors.
#include <cstring>

#include "kernel.h"
#include "simd_avx2.h"

namespace glorot::avx2 {
namespace {

#include "fill.inl"

}  // namespace
}  // namespace glorot::avx2

namespace glorot {

const Kernel kAvx2Kernel = {avx2::Target::kName, avx2::fill_runs_here, avx2::fill_blocks_here,
                            avx2::apply_here};

}  // namespace glorot
