// SPDX-License-Identifier: Apache-2.0
// What the files that know Python share: the kernel in use, and when to let other threads run.
#pragma once

#include <nanobind/nanobind.h>

#include "kernel.h"

namespace glorot {

const Kernel& kernel();  // of the target in use

constexpr uint64_t kKeepGil = 16384;  // releasing it costs more than so few elements

template <class Work> void run(uint64_t count, const Work& work) {
  if (count < kKeepGil) return work();
  nanobind::gil_scoped_release release;
  work();
}

void bind_torch(nanobind::module_& m);

}  // namespace glorot
