// SPDX-License-Identifier: Apache-2.0
// Values that are computed one by one from buffered words: float64, and TensorFlow's but float32.

constexpr uint64_t kBuffer = 512;

static Stream low_lane(const Stream& stream) {
  return {stream.key, stream.counter_lo | kLaneLow << kLaneShift, stream.counter_hi};
}

static void convert64(const Law& law, const uint32_t* high, const uint32_t* low, uint64_t count,
                      double* out) {
  for (uint64_t i = 0; i < count; ++i)
    out[i] = finish64(law_integer64(uint64_t(high[i]) << 32 | low[i], law), law);
}

static void convert_tf(const Law& law, Dtype dtype, const uint32_t* words, uint64_t count,
                       void* out) {
  auto* small = static_cast<uint16_t*>(out);
  auto* wide = static_cast<unsigned char*>(out);
  for (uint64_t i = 0; i < count; ++i) {
    if (dtype == Dtype::kFloat16) {
      small[i] = uint16_t(tf_uniform_float16(words[i], law));
    } else if (dtype == Dtype::kBfloat16) {
      small[i] = uint16_t(tf_uniform_bfloat16(words[i], law));
    } else {
      const double value = tf_uniform_float64(words[2 * i], words[2 * i + 1], law);
      std::memcpy(wide + 8 * i, &value, sizeof value);
    }
  }
}

// Draws through `draw(stream, begin, count, words)` in pieces and converts each.
template <class Draw>
static void buffered(const Stream& stream, const Law& law, Dtype dtype, uint64_t count, void* out,
                     const Draw& draw) {
  uint32_t words[2][kBuffer];
  alignas(64) unsigned char values[8 * kBuffer];
  const bool tf = law.kind == Kind::kTfUniform;
  const uint64_t words_each = tf && dtype == Dtype::kFloat64 ? 2 : 1;
  auto* to = static_cast<unsigned char*>(out);
  const uint64_t size = uint64_t(item_size(dtype));
  for (uint64_t done = 0; done < count;) {
    const uint64_t most = kBuffer / words_each, here = count - done < most ? count - done : most;
    draw(stream, words_each * done, words_each * here, words[0]);
    if (tf) {
      convert_tf(law, dtype, words[0], here, values);
    } else {
      draw(low_lane(stream), done, here, words[1]);
      convert64(law, words[0], words[1], here, reinterpret_cast<double*>(values));
    }
    std::memcpy(to + done * size, values, here * size);
    done += here;
  }
}
