// SPDX-License-Identifier: Apache-2.0
// TensorFlow's laws: words -> values of listed blocks, in loops that compilers turn into vectors.

// float64 takes two words a value.  A pair is one number in memory, its halves exchanged.
static GLOROT_INLINE double tf_unit64(uint64_t pair) {
  const uint64_t mantissa = (pair << 32 | pair >> 32) & ((uint64_t(1) << 52) - 1);
  return __builtin_bit_cast(double, uint64_t(1023) << 52 | mantissa) - 1.0;
}

static GLOROT_INLINE float tf_unit32(uint32_t word) {
  return float_from_bits((word & 0x7fffffu) | 0x3f800000u) - 1.0f;
}

// Uniform float64, through `draw(begin, count, words)`.
template <class Draw>
static void tf_uniform64(const Law& law, uint64_t count, void* out, const Draw& draw) {
  alignas(64) uint32_t words[2 * kBuffer];
  uint64_t pairs[kBuffer];
  double values[kBuffer];
  auto* to = static_cast<unsigned char*>(out);
  for (uint64_t done = 0; done < count;) {
    const uint64_t here = count - done < kBuffer ? count - done : kBuffer;
    draw(2 * done, 2 * here, words);
    std::memcpy(pairs, words, 8 * here);
    for (uint64_t i = 0; i < here; ++i) values[i] = tf_unit64(pairs[i]) * law.scale + law.peak;
    std::memcpy(to + 8 * done, values, 8 * here);
    done += here;
  }
}

// The words of the two Philox blocks that four float64 values take, for each of a list.
static void list_word_pairs(const Stream& stream, const BlockList& list, uint64_t begin,
                            uint64_t count, uint32_t* words) {
  uint64_t blocks[kBuffer / 2];
  for (uint64_t b = 0; b < count; ++b) {
    blocks[2 * b] = 2 * list.blocks[begin + b];
    blocks[2 * b + 1] = blocks[2 * b] + 1;
  }
  list_words(stream, {blocks, size_t(2 * count), 2 * list.smallest, 2 * list.largest + 1}, words);
}

// Box and Muller's transform: the sine's value of each pair first, then the cosine's.
static void tf_normals(const uint32_t* words, const Law&, size_t blocks, float* out) {
  constexpr size_t kMost = 2 * kMostBlocks;
  const size_t pairs = 2 * blocks;
  float logarithm[kMost], angle[kMost];
  for (size_t i = 0; i < pairs; ++i) {
    const float unit = tf_unit32(words[2 * i]);
    logarithm[i] = unit < 1e-7f ? 1e-7f : unit;
    angle[i] = float(6.283185307179586 * double(tf_unit32(words[2 * i + 1])));
  }
  for (size_t i = 0; i < pairs; i += 64)
    glibc_logf(logarithm + i, logarithm + i, int(pairs - i < 64 ? pairs - i : 64));
  for (size_t i = 0; i < pairs; ++i) {
    const float radius = square_root(-2.0f * logarithm[i]);
    float sine, cosine;
    glibc_sincosf(angle[i], &sine, &cosine);
    out[2 * i] = sine * radius;
    out[2 * i + 1] = cosine * radius;
  }
}

static void tf_normals(const uint32_t* words, const Law& law, size_t blocks, double* out) {
  while (blocks) {
    const size_t here = blocks < 64 ? blocks : 64;
    uint64_t pairs[128];
    double logarithm[64], angle[64], sine[64], cosine[64];
    std::memcpy(pairs, words, 16 * here);
    for (size_t i = 0; i < here; ++i) {
      const double unit = tf_unit64(pairs[2 * i]);
      logarithm[i] = unit < 1e-7 ? 1e-7 : unit;
      angle[i] = 6.283185307179586 * tf_unit64(pairs[2 * i + 1]);
    }
    // Which arithmetic the C library had: it is the processor's, and the library's own.
    if (law.first) glibc_log<true>(logarithm, logarithm, int(here));
    else glibc_log<false>(logarithm, logarithm, int(here));
    if (law.count) glibc_sincos<true>(angle, sine, cosine, int(here));
    else glibc_sincos<false>(angle, sine, cosine, int(here));
    for (size_t i = 0; i < here; ++i) {
      const double radius = square_root(-2.0 * logarithm[i]);
      out[2 * i] = sine[i] * radius;
      out[2 * i + 1] = cosine[i] * radius;
    }
    words += 4 * here;
    out += 2 * here;
    blocks -= here;
  }
}

// A Philox block holds kGroup normals: float32 takes one word a value, float64 two.
template <class Type> constexpr size_t kGroup = 16 / sizeof(Type);

template <class Type>
static void tf_listed_normals(const Stream& stream, const Law& law, const uint64_t* blocks,
                              size_t count, Type* out) {
  uint32_t words[8 * kMostBlocks];
  uint64_t smallest = ~uint64_t(0), largest = 0;
  for (size_t i = 0; i < count; ++i) {
    smallest = blocks[i] < smallest ? blocks[i] : smallest;
    largest = blocks[i] > largest ? blocks[i] : largest;
  }
  list_words(stream, {blocks, count, smallest, largest}, words);
  tf_normals(words, law, count, out);
}

// Moves the candidates within two standard deviations behind the `kept` first values of a group.
template <class Type>
static GLOROT_INLINE size_t tf_keep(const Type* candidates, Type* group, size_t kept) {
  for (size_t i = 0; i < kGroup<Type> && kept < kGroup<Type>; ++i) {
    const Type value = candidates[i];
    group[kept] = value;
    kept += value < Type(2) && value > Type(-2);
  }
  return kept;
}

// Each group's candidates are the normals from its own first block on.  A group of float32 is
// complete after one block five times in six; the others take one block more, together, until all
// are.
template <class Type>
static void tf_truncated(const Stream& stream, const Law& law, const uint64_t* first, size_t groups,
                         Type* out) {
  constexpr size_t kMost = kMostBlocks * 4 / kGroup<Type>;
  constexpr size_t size = kGroup<Type>;
  uint64_t next[kMost];
  size_t open[kMost], kept[kMost], left = 0;
  Type candidates[size * kMost];
  tf_listed_normals(stream, law, first, groups, out);
  for (size_t g = 0; g < groups; ++g) {
    bool whole = true;
    for (size_t i = 0; i < size; ++i) whole &= out[size * g + i] < Type(2) && out[size * g + i] > Type(-2);
    if (whole) continue;
    kept[left] = tf_keep(out + size * g, out + size * g, 0);
    next[left] = first[g];
    open[left++] = g;
  }
  while (left) {
    for (size_t i = 0; i < left; ++i) ++next[i];
    tf_listed_normals(stream, law, next, left, candidates);
    size_t still = 0;
    for (size_t i = 0; i < left; ++i) {
      const size_t g = open[i], now = tf_keep(candidates + size * i, out + size * g, kept[i]);
      if (now == size) continue;
      kept[still] = now;
      next[still] = next[i];
      open[still++] = g;
    }
    left = still;
  }
}

template <Dtype kDtype, Finish kFinish>
static void tf_finish(const float* values, size_t count, const Law& law, void* out) {
  using Type = typename Item<kDtype>::Type;
  const Scaled<kFinish> scaled(law, 1.0f);
  auto vector = [&](size_t i) {
    const Real value = Target::from_bits(Target::load(reinterpret_cast<const uint32_t*>(values) + i));
    return scaled.finish(scaled.rounded(value));
  };
  auto* to = static_cast<Type*>(out);
  size_t i = 0;
  for (; i + Target::kLanes <= count; i += Target::kLanes) Item<kDtype>::store(to + i, vector(i));
  if (i < count) {
    alignas(64) Type buffer[Target::kLanes];
    Item<kDtype>::store(buffer, vector(i));
    std::memcpy(to + i, buffer, (count - i) * sizeof(Type));
  }
}

static void tf_finish(const double* values, size_t count, const Law& law, void* out) {
  auto* to = static_cast<double*>(out);
  for (size_t i = 0; i < count; ++i) to[i] = values[i] * law.scale + law.peak;
}

// The unit normals of at most kMostBlocks blocks of four elements, truncated or not.
template <class Type>
static void tf_unit_normals(const Stream& stream, const Law& law, const BlockList& list, Type* out) {
  constexpr size_t each = 4 / kGroup<Type>;  // groups to a block of four elements
  const bool truncated = law.kind == Kind::kTfTruncatedNormal;
  const uint64_t step = truncated ? 256 / each : 1;  // Philox blocks from group to group
  uint64_t first[each * kMostBlocks] = {};
  for (size_t b = 0; b < list.count; ++b)
    for (size_t i = 0; i < each; ++i) first[each * b + i] = (each * list.blocks[b] + i) * step;
  if (truncated) return tf_truncated(stream, law, first, each * list.count, out);
  tf_listed_normals(stream, law, first, each * list.count, out);
}

static void tf_normal_blocks(const Stream& stream, const Law& law, Dtype dtype,
                             const BlockList& list, void* out) {
  const size_t count = 4 * list.count;
  if (dtype == Dtype::kFloat64) {
    double values[4 * kMostBlocks];
    tf_unit_normals(stream, law, list, values);
    return tf_finish(values, count, law, out);
  }
  alignas(64) float values[4 * kMostBlocks + Target::kLanes];
  tf_unit_normals(stream, law, list, values);
  for (int i = 0; i < Target::kLanes; ++i) values[count + size_t(i)] = 0.0f;  // the last vector's
  switch (dtype) {
    case Dtype::kFloat16:
      return tf_finish<Dtype::kFloat16, Finish::kTfFloat16>(values, count, law, out);
    case Dtype::kBfloat16:
      return tf_finish<Dtype::kBfloat16, Finish::kTfBfloat16>(values, count, law, out);
    default: return tf_finish<Dtype::kFloat32, Finish::kTf>(values, count, law, out);
  }
}
