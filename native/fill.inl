// SPDX-License-Identifier: Apache-2.0
// The functions of a target: which law and which dtype, then the loop made for them.

template <class Value, class Call>
static void with_dtype(Dtype dtype, const Call& call) {
  switch (dtype) {
    case Dtype::kFloat32: return call.template operator()<Dtype::kFloat32, Value>();
    case Dtype::kFloat16: return call.template operator()<Dtype::kFloat16, Value>();
    case Dtype::kBfloat16: return call.template operator()<Dtype::kBfloat16, Value>();
    case Dtype::kFloat8E4m3fn: return call.template operator()<Dtype::kFloat8E4m3fn, Value>();
    default: return call.template operator()<Dtype::kFloat8E5m2, Value>();
  }
}

template <bool kTruncated, class Call>
static void with_normal(const Law& law, Dtype dtype, const Call& call) {
  if (law.has_mean) return with_dtype<Value<NormalInteger<kTruncated>, Finish::kMean>>(dtype, call);
  if constexpr (Target::kNear)
    if (dtype == Dtype::kBfloat16 && law.scale >= kLeastNear)
      return call.template operator()<Dtype::kBfloat16, NearNormal<kTruncated>>();
  with_dtype<Value<NormalInteger<kTruncated>, Finish::kScale>>(dtype, call);
}

template <class Call>
static void with_law(const Law& law, Dtype dtype, const Call& call) {
  const bool mean = law.has_mean;
  switch (law.kind) {
    case Kind::kNormal: return with_normal<false>(law, dtype, call);
    case Kind::kTruncatedNormal: return with_normal<true>(law, dtype, call);
    case Kind::kTfUniform:
      if (dtype == Dtype::kFloat16)
        return call.template operator()<Dtype::kFloat16, Value<TfUniformUnit<10>, Finish::kTfFloat16>>();
      if (dtype == Dtype::kBfloat16)
        return call.template operator()<Dtype::kBfloat16, Value<TfUniformUnit<7>, Finish::kTfBfloat16>>();
      return call.template operator()<Dtype::kFloat32, Value<TfUniformUnit<23>, Finish::kTf>>();
    default:
      if (mean) return with_dtype<Value<UniformInteger<true>, Finish::kMean>>(dtype, call);
      if (law.scale < kLeastUnshifted)
        return with_dtype<Value<UniformInteger<true>, Finish::kScale>>(dtype, call);
      return with_dtype<Value<UniformInteger<false>, Finish::kScale>>(dtype, call);
  }
}

// Laws that vectors of words do not serve; all of stream 1's, and TensorFlow's uniform, do.
static bool by_blocks(const Law& law) { return is_block_law(law.kind) && law.kind != Kind::kTfUniform; }

static void fill_run_here(const Stream& stream, const Law& law, Dtype dtype, uint64_t start,
                          uint64_t count, void* out) {
  if (dtype == Dtype::kWords) return run_words(stream, start, count, static_cast<uint32_t*>(out));
  if (by_blocks(law)) return run_of_blocks(stream, law, dtype, start, count, out);
  if (law.kind == Kind::kTfUniform)
    return tf_uniform64(law, count, out, [&](uint64_t begin, uint64_t n, uint32_t* words) {
      run_words(stream, 2 * start + begin, n, words);
    });
  values64(stream, law, count, out,
           [&](const Stream& lane, uint64_t begin, uint64_t n, uint32_t* words) {
             run_words(lane, start + begin, n, words);
           });
}

static void fill_runs_here(const Stream& stream, const Law& law, Dtype dtype, const Runs& runs,
                           void* out, bool bypass) {
  if (dtype == Dtype::kWords || dtype == Dtype::kFloat64 || by_blocks(law)) {
    for (uint64_t row = 0; row < runs.rows; ++row)
      fill_run_here(stream, law, dtype, runs.start + row * uint64_t(runs.step), runs.count,
                    static_cast<char*>(out) + int64_t(row) * runs.stride);
    return;
  }
  with_law(law, dtype, [&]<Dtype kDtype, class Value>() {
    run_values<kDtype, Value>(stream, law, runs, out, bypass);
  });
}

static void fill_blocks_here(const Stream& stream, const Law& law, Dtype dtype,
                             const BlockList& list, void* out) {
  if (dtype == Dtype::kWords) return list_words(stream, list, static_cast<uint32_t*>(out));
  if (by_blocks(law)) return law_blocks(stream, law, dtype, list, out);
  if (law.kind == Kind::kTfUniform && dtype == Dtype::kFloat64)
    return tf_uniform64(law, 4 * list.count, out, [&](uint64_t begin, uint64_t n, uint32_t* words) {
      list_word_pairs(stream, list, begin / 8, n / 8, words);
    });
  if (dtype == Dtype::kFloat64)
    return values64(stream, law, 4 * list.count, out,
                    [&](const Stream& lane, uint64_t begin, uint64_t n, uint32_t* words) {
                      list_words(lane, {list.blocks + begin / 4, n / 4, list.smallest, list.largest},
                                 words);
                    });
  with_law(law, dtype, [&]<Dtype kDtype, class Value>() {
    list_values<kDtype, Value>(stream, law, list, out);
  });
}

static void apply_here(const Law& law, Dtype dtype, const uint32_t* words, size_t count, void* out) {
  with_law(law, dtype, [&]<Dtype kDtype, class Value>() {
    put_words<kDtype>(Value(law), words, count, static_cast<typename Item<kDtype>::Type*>(out));
  });
}
