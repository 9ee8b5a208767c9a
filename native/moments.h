// SPDX-License-Identifier: Apache-2.0
// Sum and sum of squares of an array: what a report of measured deviations needs.
#pragma once

namespace glorot {

struct Moments {
  double sum = 0, sum_of_squares = 0;
};

}  // namespace glorot
