// SPDX-License-Identifier: Apache-2.0
// The kernel body on avx512 vectors.
#include <cstring>

#include "kernel.h"
#include "simd_avx512.h"

namespace glorot::avx512 {
namespace {

#include "fill.inl"

}  // namespace
}  // namespace glorot::avx512

namespace glorot {

const Kernel kAvx512Kernel = {avx512::Target::kName, avx512::fill_runs_here, avx512::fill_blocks_here,
                            avx512::apply_here};

}  // namespace glorot
