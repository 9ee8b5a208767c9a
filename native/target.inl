// SPDX-License-Identifier: Apache-2.0
// One target: every body, compiled on its vectors, and the table of what it offers.  A target's file
// includes its vectors (struct Target), names itself, and includes this.
//
// A new body is one more .inl on the list below and one more function in struct Kernel.  Bodies call
// no inline function of a standard header (std::min, std::fma): the linker keeps one copy of it for
// all targets, perhaps the one compiled for instructions that the machine lacks.

#include <cstring>

#include "cephes.h"
#include "compiler.h"
#include "kernel.h"
#include "legacy.h"
#include "libm32.h"
#include "libm64.h"
#include "xla32.h"
#include "xla64.h"

namespace glorot::GLOROT_TARGET {
namespace {  // a copy for each target, none of which may stand in for another's

#include "vectors.inl"

#include "words.inl"

#include "threefry.inl"

#include "laws.inl"

#include "stores.inl"

#include "near.inl"

#include "chunks.inl"

#include "past_cache.inl"

#include "runs.inl"

#include "single.inl"

#include "tensorflow.inl"

#include "jax.inl"

#include "blocks.inl"

#include "fill.inl"

#include "moments.inl"

#include "mt19937.inl"

#include "torch.inl"

}  // namespace
}  // namespace glorot::GLOROT_TARGET

namespace glorot {

const Kernel GLOROT_KERNEL = {
    GLOROT_TARGET::Target::kName,      GLOROT_TARGET::fill_runs_here,
    GLOROT_TARGET::fill_blocks_here,   GLOROT_TARGET::fill_halves_here,
    GLOROT_TARGET::apply_here,         GLOROT_TARGET::normal_bounds_here,
    GLOROT_TARGET::moments_here,       GLOROT_TARGET::mt19937_words_here,
    GLOROT_TARGET::torch_uniform_here, GLOROT_TARGET::torch_normal_here,
    GLOROT_TARGET::torch_pairs_here};

}  // namespace glorot
