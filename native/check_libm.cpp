// SPDX-License-Identifier: Apache-2.0
// The running C library's functions, and the twins of libm32.h, libm64.h and xla64.h, over arrays:
// a shared library for each target, which tools/check_libm.py calls and tools/check_libm.sh builds.
#include <math.h>

#include "libm32.h"
#include "libm64.h"
#include "xla64.h"

using namespace glorot;

// The C library's are called through pointers that no compiler sees through, so that it computes
// nothing itself.
template <class Function> static Function* opaque(Function* function) {
  Function* volatile hidden = function;
  return hidden;
}

// By the form for many values, or by the one for a single value.
template <class Many, class One>
static void both(size_t n, bool single, const Many& many, const One& one) {
  if (single)
    for (size_t i = 0; i < n; ++i) one(i);
  else
    for (size_t i = 0; i < n; i += 64) many(i, int(n - i < 64 ? n - i : 64));
}

template <bool Fused>
static void log64(const double* x, double* y, size_t n, bool single) {
  both(n, single, [&](size_t i, int count) { glibc_log<Fused>(x + i, y + i, count); },
       [&](size_t i) { y[i] = glibc_log<Fused>(x[i]); });
}

template <bool Fused>
static void sincos64(const double* x, double* s, double* c, size_t n, bool single) {
  both(n, single, [&](size_t i, int count) { glibc_sincos<Fused>(x + i, s + i, c + i, count); },
       [&](size_t i) { glibc_sincos<Fused>(x[i], s + i, c + i); });
}

template <bool Fused> static void erf_inv(const double* x, double* y, size_t n) {
  for (size_t i = 0; i < n; i += 64) xla_erf_inv<Fused>(x + i, y + i, int(n - i < 64 ? n - i : 64));
}

extern "C" {

void libm_logf(const float* x, float* y, size_t n) {
  const auto f = opaque<float(float)>(logf);
  for (size_t i = 0; i < n; ++i) y[i] = f(x[i]);
}
void libm_sincosf(const float* x, float* s, float* c, size_t n) {
  const auto f = opaque<void(float, float*, float*)>(sincosf);
  for (size_t i = 0; i < n; ++i) f(x[i], s + i, c + i);
}
void libm_log(const double* x, double* y, size_t n) {
  const auto f = opaque<double(double)>(log);
  for (size_t i = 0; i < n; ++i) y[i] = f(x[i]);
}
void libm_log1p(const double* x, double* y, size_t n) {
  const auto f = opaque<double(double)>(log1p);
  for (size_t i = 0; i < n; ++i) y[i] = f(x[i]);
}
void libm_sincos(const double* x, double* s, double* c, size_t n) {
  const auto f = opaque<void(double, double*, double*)>(sincos);
  for (size_t i = 0; i < n; ++i) f(x[i], s + i, c + i);
}

void twin_logf(const float* x, float* y, size_t n, int, int single) {
  both(n, single, [&](size_t i, int count) { glibc_logf(x + i, y + i, count); },
       [&](size_t i) { y[i] = glibc_logf(x[i]); });
}
void twin_sincosf(const float* x, float* s, float* c, size_t n, int, int) {
  for (size_t i = 0; i < n; ++i) glibc_sincosf(x[i], s + i, c + i);
}
void twin_log(const double* x, double* y, size_t n, int fused, int single) {
  (fused ? log64<true> : log64<false>)(x, y, n, single);
}
void twin_log1p(const double* x, double* y, size_t n, int fused, int) {
  for (size_t i = 0; i < n; ++i) y[i] = fused ? glibc_log1p<true>(x[i]) : glibc_log1p<false>(x[i]);
}
void twin_sincos(const double* x, double* s, double* c, size_t n, int fused, int single) {
  (fused ? sincos64<true> : sincos64<false>)(x, s, c, n, single);
}

void twin_erf_inv(const double* x, double* y, size_t n, int fused, int) {
  (fused ? erf_inv<true> : erf_inv<false>)(x, y, n);
}

}  // extern "C"
