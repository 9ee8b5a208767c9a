// SPDX-License-Identifier: Apache-2.0
// Compilers' names for what the standard has none for: inlining, and unrolling.
#pragma once

// Inner loops are worth nothing unless their pieces are inlined and their rare cases are not.
#if defined(__GNUC__)
#define GLOROT_INLINE inline __attribute__((always_inline))
#define GLOROT_APART __attribute__((noinline))
#define GLOROT_COLD __attribute__((noinline, cold))
#else
#define GLOROT_INLINE __forceinline
#define GLOROT_APART __declspec(noinline)
#define GLOROT_COLD __declspec(noinline)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define GLOROT_UNROLL _Pragma("GCC unroll 16")
#elif defined(__clang__)
#define GLOROT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GLOROT_UNROLL
#endif
