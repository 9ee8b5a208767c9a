// SPDX-License-Identifier: Apache-2.0
// float64 of stream 1, which is computed one by one from buffered words.

constexpr uint64_t kBuffer = 512;

static Stream low_lane(const Stream& stream) {
  return {stream.key, stream.counter_lo | kLaneLow << kLaneShift, stream.counter_hi};
}

// Draws through `draw(stream, begin, count, words)` in pieces and converts each.
template <class Draw>
static void values64(const Stream& stream, const Law& law, uint64_t count, void* out,
                     const Draw& draw) {
  uint32_t high[kBuffer], low[kBuffer];
  double values[kBuffer];
  auto* to = static_cast<unsigned char*>(out);
  for (uint64_t done = 0; done < count;) {
    const uint64_t here = count - done < kBuffer ? count - done : kBuffer;
    draw(stream, done, here, high);
    draw(low_lane(stream), done, here, low);
    for (uint64_t i = 0; i < here; ++i)
      values[i] = finish64(law_integer64(uint64_t(high[i]) << 32 | low[i], law), law);
    std::memcpy(to + 8 * done, values, 8 * here);
    done += here;
  }
}
