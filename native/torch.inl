// SPDX-License-Identifier: Apache-2.0
// torch's uniforms and normals on CPU: words of MT19937 -> values, a piece at a time in the cache.
// The C++ twin of replay/torch/_uniform.py and _boxmuller.py.  Plain loops, which compilers turn
// into this target's vectors; only the rounding to half types needs them by name.

constexpr size_t kTorchPiece = 1024;  // values; a multiple of every vector and of 16
constexpr size_t kTorchFew = 64;      // what glibc_logf takes at once

template <bool kFused, class Type>
static GLOROT_INLINE Type torch_scaled(Type x, Type factor, Type term) {
  if constexpr (kFused) return fused(x, factor, term);
  else return x * factor + term;
}

static GLOROT_INLINE float torch_unit(uint32_t word) {
  return float(int32_t(word & 0xffffff)) * 0x1p-24f;
}

static GLOROT_INLINE double torch_unit(uint32_t high, uint32_t low) {
  const uint64_t bits = (uint64_t(high) << 32 | low) & ((uint64_t(1) << 53) - 1);
  return double(int64_t(bits)) * 0x1p-53;
}

// Rounds whole vectors; both arrays hold some values more than count.
template <Dtype kDtype>
static void torch_rounded(const float* wide, size_t count, typename Item<kDtype>::Type* values) {
  for (size_t i = 0; i < count; i += Target::kLanes) {
    uint32_t bits[Target::kLanes];
    std::memcpy(bits, wide + i, sizeof bits);
    Item<kDtype>::store(values + i, Target::from_bits(Target::load(bits)));
  }
}

template <Dtype kDtype> static typename Item<kDtype>::Type torch_rounded(double value) {
  float wide[Target::kLanes] = {float(value)};
  typename Item<kDtype>::Type values[Target::kLanes];
  torch_rounded<kDtype>(wide, 1, values);
  return values[0];
}

static GLOROT_INLINE bool torch_same(float a, float b) { return a == b; }
static GLOROT_INLINE bool torch_same(uint16_t a, uint16_t b) {  // of finite half-width numbers
  return a == b || !((a | b) & 0x7fff);
}

template <Dtype kDtype, bool kFused>
static uint32_t torch_uniform_values(const Mt19937& mt, const TorchUniform& law, void* out,
                                     size_t count) {
  using Type = typename Item<kDtype>::Type;
  alignas(64) uint32_t words[kTorchPiece];
  alignas(64) float wide[kTorchPiece] = {};
  alignas(64) Type values[kTorchPiece];
  const float span = float(law.span), low = float(law.low);
  const Type first = torch_rounded<kDtype>(law.low), last = torch_rounded<kDtype>(law.high);
  MtDraw draw(mt);
  for (auto* to = static_cast<unsigned char*>(out); count;) {
    const size_t here = count < kTorchPiece ? count : kTorchPiece;
    draw.words(words, here);
    for (size_t i = 0; i < here; ++i)
      wide[i] = torch_scaled<kFused>(torch_unit(words[i]), span, low);
    torch_rounded<kDtype>(wide, here, values);
    for (size_t i = 0; i < here; ++i) values[i] = torch_same(values[i], last) ? first : values[i];
    std::memcpy(to, values, here * sizeof(Type));
    to += here * sizeof(Type);
    count -= here;
  }
  return draw.position;
}

template <bool kFused>
static uint32_t torch_uniform_float64(const Mt19937& mt, const TorchUniform& law, void* out,
                                      size_t count) {
  alignas(64) uint32_t words[2 * kTorchPiece];
  alignas(64) double values[kTorchPiece];
  MtDraw draw(mt);
  for (auto* to = static_cast<unsigned char*>(out); count;) {
    const size_t here = count < kTorchPiece ? count : kTorchPiece;
    draw.words(words, 2 * here);
    for (size_t i = 0; i < here; ++i) {
      const double unit = torch_unit(words[2 * i], words[2 * i + 1]);
      const double value = torch_scaled<kFused>(unit, law.span, law.low);
      values[i] = value == law.high ? law.low : value;
    }
    std::memcpy(to, values, here * sizeof(double));
    to += here * sizeof(double);
    count -= here;
  }
  return draw.position;
}

template <bool kFused>
static uint32_t torch_uniform_of(const Mt19937& mt, const TorchUniform& law, Dtype dtype, void* out,
                                 size_t count) {
  switch (dtype) {
    case Dtype::kFloat64: return torch_uniform_float64<kFused>(mt, law, out, count);
    case Dtype::kFloat16: return torch_uniform_values<Dtype::kFloat16, kFused>(mt, law, out, count);
    case Dtype::kBfloat16: return torch_uniform_values<Dtype::kBfloat16, kFused>(mt, law, out, count);
    default: return torch_uniform_values<Dtype::kFloat32, kFused>(mt, law, out, count);
  }
}

static uint32_t torch_uniform_here(const Mt19937& mt, const TorchUniform& law, Dtype dtype, void* out,
                                   size_t count) {
  return law.fused ? torch_uniform_of<true>(mt, law, dtype, out, count)
                   : torch_uniform_of<false>(mt, law, dtype, out, count);
}

// Box-Muller on kTorchFew of u1 and of u2; a fixed number makes the better vectors.  CPUs without
// AVX2 use the C library's functions.
template <bool kFused>
static void torch_box_muller(const float* u1, const float* u2, float mean, float std,
                             float* __restrict with_cosine, float* __restrict with_sine) {
  float log[kTorchFew], sine[kTorchFew], cosine[kTorchFew];
  if constexpr (kFused) {
    for (size_t i = 0; i < kTorchFew; ++i) log[i] = cephes_logf(u1[i]);
    for (size_t i = 0; i < kTorchFew; ++i)
      cephes_sincosf(float(6.283185307179586) * u2[i], sine + i, cosine + i);
  } else {
    glibc_logf(u1, log, int(kTorchFew));
    for (size_t i = 0; i < kTorchFew; ++i)
      glibc_sincosf(float(6.283185307179586 * double(u2[i])), sine + i, cosine + i);
  }
  for (size_t i = 0; i < kTorchFew; ++i) {
    const float radius = square_root(-2.0f * log[i]);
    with_cosine[i] = fused(radius * cosine[i], std, mean);
    with_sine[i] = fused(radius * sine[i], std, mean);
  }
}

// Blocks of 16 words -> blocks of 16 normals: word j and word j + 8 make normals j and j + 8.
// Whole runs of 8 blocks are computed: `words` has, and `out` has room for, as many.
template <bool kFused>
static void torch_normal_blocks(const uint32_t* words, size_t blocks, float mean, float std,
                                float* out) {
  constexpr size_t kBlocks = kTorchFew / 8;
  float u1[kTorchFew], u2[kTorchFew], with_cosine[kTorchFew], with_sine[kTorchFew];
  for (size_t done = 0; done < blocks; done += kBlocks) {
    const uint32_t* from = words + 16 * done;
    for (size_t b = 0; b < kBlocks; ++b)
      for (size_t j = 0; j < 8; ++j) {
        u1[8 * b + j] = 1.0f - torch_unit(from[16 * b + j]);
        u2[8 * b + j] = torch_unit(from[16 * b + 8 + j]);
      }
    torch_box_muller<kFused>(u1, u2, mean, std, with_cosine, with_sine);
    for (size_t b = 0; b < kBlocks; ++b) {
      std::memcpy(out + 16 * (done + b), with_cosine + 8 * b, 8 * sizeof(float));
      std::memcpy(out + 16 * (done + b) + 8, with_sine + 8 * b, 8 * sizeof(float));
    }
  }
}

template <Dtype kDtype, bool kFused>
static uint32_t torch_normal_values(const Mt19937& mt, const TorchNormal& law, void* out,
                                    size_t count) {
  using Type = typename Item<kDtype>::Type;
  alignas(64) uint32_t words[kTorchPiece] = {};
  alignas(64) float wide[kTorchPiece];
  [[maybe_unused]] alignas(64) Type values[kTorchPiece];
  const float mean = float(law.mean), std = float(law.std);
  MtDraw draw(mt);
  auto piece = [&](unsigned char* to, size_t here) {  // a multiple of 16
    draw.words(words, here);
    torch_normal_blocks<kFused>(words, here / 16, mean, std, wide);
    if constexpr (kDtype == Dtype::kFloat16)  // 65536 and beyond become infinite
      for (size_t i = 0; i < here; ++i) {
        wide[i] = wide[i] > 65536.0f ? 65536.0f : wide[i];
        wide[i] = wide[i] < -65536.0f ? -65536.0f : wide[i];
      }
    if constexpr (kDtype == Dtype::kFloat32) {
      std::memcpy(to, wide, here * sizeof(float));
    } else {
      torch_rounded<kDtype>(wide, here, values);
      std::memcpy(to, values, here * sizeof(Type));
    }
  };
  auto* const begin = static_cast<unsigned char*>(out);
  const size_t whole = count / 16 * 16;
  for (size_t done = 0; done < whole; done += kTorchPiece)
    piece(begin + done * sizeof(Type), whole - done < kTorchPiece ? whole - done : kTorchPiece);
  if (count % 16) {
    // Only what is computed in its own dtype draws the uniforms that the last 16 replace.
    if (kDtype == Dtype::kFloat32) draw.skip(count % 16);
    piece(begin + (count - 16) * sizeof(Type), 16);
  }
  return draw.position;
}

// float64, by the C library's functions on every CPU.
template <bool kLogFused, bool kSincosFused>
static uint32_t torch_normal_float64(const Mt19937& mt, const TorchNormal& law, void* out,
                                     size_t count) {
  constexpr size_t kValues = 2 * kTorchFew;  // of 8 blocks
  uint32_t words[2 * kValues];
  double values[kValues], log[kTorchFew], angle[kTorchFew], sine[kTorchFew], cosine[kTorchFew];
  MtDraw draw(mt);
  auto piece = [&](unsigned char* to, size_t here) {  // a multiple of 16
    draw.words(words, 2 * here);
    for (size_t i = 0; i < here / 2; ++i) {
      const uint32_t* pair = words + 32 * (i / 8) + 2 * (i % 8);
      log[i] = 1.0 - torch_unit(pair[0], pair[1]);
      angle[i] = 6.283185307179586 * torch_unit(pair[16], pair[17]);
    }
    glibc_log<kLogFused>(log, log, int(here / 2));
    glibc_sincos<kSincosFused>(angle, sine, cosine, int(here / 2));
    for (size_t i = 0; i < here / 2; ++i) {
      const double radius = square_root(-2.0 * log[i]);
      double* value = values + 16 * (i / 8) + i % 8;
      value[0] = fused(radius * cosine[i], law.std, law.mean);
      value[8] = fused(radius * sine[i], law.std, law.mean);
    }
    std::memcpy(to, values, here * sizeof(double));
  };
  auto* const begin = static_cast<unsigned char*>(out);
  const size_t whole = count / 16 * 16;
  for (size_t done = 0; done < whole; done += kValues)
    piece(begin + done * sizeof(double), whole - done < kValues ? whole - done : kValues);
  if (count % 16) {
    draw.skip(2 * (count % 16));
    piece(begin + (count - 16) * sizeof(double), 16);
  }
  return draw.position;
}

template <bool kFused>
static uint32_t torch_normal_of(const Mt19937& mt, const TorchNormal& law, Dtype dtype, void* out,
                                size_t count) {
  switch (dtype) {
    case Dtype::kFloat16: return torch_normal_values<Dtype::kFloat16, kFused>(mt, law, out, count);
    case Dtype::kBfloat16: return torch_normal_values<Dtype::kBfloat16, kFused>(mt, law, out, count);
    default: return torch_normal_values<Dtype::kFloat32, kFused>(mt, law, out, count);
  }
}

static uint32_t torch_normal_here(const Mt19937& mt, const TorchNormal& law, Dtype dtype, void* out,
                                  size_t count) {
  if (dtype == Dtype::kFloat64) {
    if (!law.libm.log) return torch_normal_float64<false, false>(mt, law, out, count);
    return law.libm.sincos ? torch_normal_float64<true, true>(mt, law, out, count)
                           : torch_normal_float64<true, false>(mt, law, out, count);
  }
  return law.fused ? torch_normal_of<true>(mt, law, dtype, out, count)
                   : torch_normal_of<false>(mt, law, dtype, out, count);
}

// The one-by-one method: two uniforms of 53 bits -> two standard normals, cosine first.
template <bool kLog1pFused, bool kSincosFused>
static uint32_t torch_pairs_of(const Mt19937& mt, double* out, size_t pairs) {
  MtDraw draw(mt);
  for (size_t i = 0; i < pairs; ++i) {
    uint32_t words[4];
    draw.words(words, 4);
    const double u1 = torch_unit(words[0], words[1]), u2 = torch_unit(words[2], words[3]);
    const double radius = square_root(-2.0 * glibc_log1p<kLog1pFused>(-u2));
    double sine, cosine;
    glibc_sincos<kSincosFused>(6.283185307179586 * u1, &sine, &cosine);
    out[2 * i] = radius * cosine;
    out[2 * i + 1] = radius * sine;
  }
  return draw.position;
}

static uint32_t torch_pairs_here(const Mt19937& mt, const FusedLibm& libm, double* out, size_t pairs) {
  if (!libm.sincos) return torch_pairs_of<false, false>(mt, out, pairs);
  return libm.log1p ? torch_pairs_of<true, true>(mt, out, pairs)
                    : torch_pairs_of<false, true>(mt, out, pairs);
}
