// SPDX-License-Identifier: Apache-2.0
// The float64 normal's table, in the one file that holds it.
#include "laws.h"

namespace glorot {

const uint64_t kNormal64[64 << kSegmentBits64][kDegree64 + 1] = {
#include "normal64.inc"
};

}  // namespace glorot
