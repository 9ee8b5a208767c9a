// SPDX-License-Identifier: Apache-2.0
// The kernel as a custom call of XLA on a CPU.
#pragma once

#include "kernel.h"

namespace glorot {

// What stands in the second operand, before the block's shape and its index steps (uint64 each).
struct XlaSetting {
  Law law;
  uint32_t dtype, threads, straight, rank;
};

// An XLA FFI handler of two operands and one result:
//   uint32[6]  seed, tag and index of the block's first element, low half before high
//   uint8[n]   an XlaSetting, shape[rank], steps[rank]
// `kernel` gives the one to use at the time of the call.
using KernelGetter = const Kernel& (*)();
void* xla_handler(KernelGetter kernel);

}  // namespace glorot
