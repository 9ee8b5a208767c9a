// SPDX-License-Identifier: Apache-2.0
// XLA's float64 inverse error function on a CPU: the C++ twin of replay/_xla64.py, same order of
// operations.  Fused and n: see libm64.h.
#pragma once

#include "libm64.h"

namespace glorot {

static constexpr double kLog1pNumerator[7] = {
    4.52700008624452e-05, 0.49854102823193375, 6.578732594206104, 29.911919328553072,
    60.94966798098779, 57.11296359058554, 20.039553499201283,
};
static constexpr double kLog1pDenominator[7] = {
    1.0, 15.062909083469192, 83.04756596796722, 221.76239823732857, 309.09872225312057,
    216.42788614495947, 60.11866049760384,
};
static constexpr double kErfInvCentral[23] = {
    -3.64441206401782e-21, -1.6850591381820166e-19, 1.28584807152564e-18, 1.1157877678025181e-17,
    -1.333171662854621e-16, 2.0972767875968562e-17, 6.637638134358324e-15, -4.054566272975207e-14,
    -8.151934197605472e-14, 2.6335093153082323e-12, -1.2975133253453532e-11,
    -5.415412054294628e-11, 1.0512122733215323e-09, -4.112633980346984e-09,
    -2.9070369957882005e-08, 4.2347877827932404e-07, -1.3654692000834679e-06,
    -1.3882523362786469e-05, 0.00018673420803405714, -0.000740702534166267, -0.006033670871430149,
    0.24015818242558962, 1.6536545626831027,
};
static constexpr double kErfInvMiddle[19] = {
    2.2137376921775787e-09, 9.075656193888539e-08, -2.7517406297064545e-07,
    1.8239629214389228e-08, 1.5027403968909828e-06, -4.013867526981546e-06,
    2.9234449089955446e-06, 1.2475304481671779e-05, -4.7318229009055734e-05,
    6.828485145957318e-05, 2.4031110387097894e-05, -0.0003550375203628475, 0.0009532893797373805,
    -0.0016882755560235047, 0.002491442096107851, -0.003751208507569241, 0.005370914553590064,
    1.0052589676941592, 3.0838856104922208,
};
static constexpr double kErfInvTail[17] = {
    -2.7109920616438573e-11, -2.555641816996525e-10, 1.5076572693500548e-09,
    -3.789465440126737e-09, 7.61570120807834e-09, -1.496002662714924e-08, 2.914795345090108e-08,
    -6.771199775845234e-08, 2.2900482228026655e-07, -9.9298272942317e-07, 4.526062597223154e-06,
    -1.968177810553167e-05, 7.599527703001776e-05, -0.00021503011930044477,
    -0.00013871931833623122, 1.0103004648645344, 4.849906401408584,
};

// The polynomial with these coefficients, highest power first.
template <bool Fused, int N>
static GLOROT_INLINE double horner(const double (&coefficients)[N], double x) {
  double y = coefficients[0];
  GLOROT_UNROLL
  for (int i = 1; i < N; ++i) y = multiply_add<Fused>(x, y, coefficients[i]);
  return y;
}

// XLA's log1p of x in (-1, 0], where `log` is the C library's of 1 + x.
template <bool Fused> static GLOROT_INLINE double xla_log1p(double x, double log) {
  const double x2 = x * x;
  const double quotient = horner<Fused>(kLog1pNumerator, x) / horner<Fused>(kLog1pDenominator, x);
  const double near = x + (x2 * -0.5 + x * x2 * quotient);
  return choose(x > -0x1.a827999fcef32p-2, near, log);
}

template <bool Fused> static GLOROT_INLINE double erf_inv_outside(double log) {
  const double root = square_root(-log);
  return log > -16.0 ? horner<Fused>(kErfInvMiddle, root - 3.25)
                     : horner<Fused>(kErfInvTail, root - 5.0);
}

// n <= 64 values between -1 and 1, each 0 or at least 2**-1021 from it.  x and y are apart, or the
// same.
template <bool Fused> static GLOROT_INLINE void xla_erf_inv(const double* x, double* y, int n) {
  double square[64], log[64];
  int outside[64], count = 0;
  for (int i = 0; i < n; ++i) {
    square[i] = x[i] * -x[i];
    log[i] = square[i] + 1.0;
  }
  glibc_log<Fused>(log, log, n);
  for (int i = 0; i < n; ++i) log[i] = xla_log1p<Fused>(square[i], log[i]);
  double factor[64];
  for (int i = 0; i < n; ++i) factor[i] = horner<Fused>(kErfInvCentral, -3.125 - log[i]);
  for (int i = 0; i < n; ++i) {
    outside[count] = i;
    count += log[i] <= -6.25;
  }
  for (int j = 0; j < count; ++j) factor[outside[j]] = erf_inv_outside<Fused>(log[outside[j]]);
  for (int i = 0; i < n; ++i) y[i] = x[i] * factor[i];
}

}  // namespace glorot
