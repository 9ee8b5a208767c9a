// SPDX-License-Identifier: Apache-2.0
// What the bodies of a target share: short names for its vectors, and the sizes of what is computed
// together.

using Word = Target::Word;
using Real = Target::Real;
using Digit = Target::Digit;
using Product = Target::Product;

constexpr int kGroups = Target::kGroups;  // in flight together: hides the multiplications' latency
constexpr int kGroupWords = 4 * Target::kBlocks;
constexpr int kGroupVectors = kGroupWords / Target::kLanes;
constexpr int kChunk = kGroups * kGroupWords;  // words computed together
constexpr int kChunkBlocks = kGroups * Target::kBlocks;
constexpr int kVectors = kGroups * kGroupVectors;
constexpr int kWideGroups = Target::kWideGroups;  // of a wide chunk (chunks.inl)
constexpr bool kLineWide = Target::kLanes == 16;  // a vector is as wide as a cache line
constexpr size_t kMostBlocks = 128;  // of a law that is computed by blocks, with buffers on the stack
// Chunks drawn before a law is applied to them: one where vectors are registers and the law is inlined
// behind the rounds (kInlined), many where the compiler makes vectors out of the loop over them.
constexpr int kBatch = Target::kInlined ? 1 : 32;
