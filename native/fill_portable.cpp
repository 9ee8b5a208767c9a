// SPDX-License-Identifier: Apache-2.0
// The kernel body on portable vectors.
#include <cstring>

#include "kernel.h"
#include "simd_portable.h"

namespace glorot::portable {
namespace {

#include "fill.inl"

}  // namespace
}  // namespace glorot::portable

namespace glorot {

const Kernel kPortableKernel = {portable::Target::kName, portable::fill_runs_here, portable::fill_blocks_here,
                            portable::apply_here};

}  // namespace glorot
