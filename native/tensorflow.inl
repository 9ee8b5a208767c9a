// SPDX-License-Identifier: Apache-2.0
// TensorFlow's laws: the values of listed blocks.

// Four float64 values take the words of two Philox blocks, all others those of one.
static void tf_uniform_blocks(const Stream& stream, const Law& law, Dtype dtype,
                              const BlockList& list, void* out) {
  uint32_t words[8 * kMostBlocks];
  if (dtype != Dtype::kFloat64) {
    list_words(stream, list, words);
    auto* to = static_cast<uint16_t*>(out);
    const bool half = dtype == Dtype::kFloat16;
    for (size_t i = 0; i < 4 * list.count; ++i)
      to[i] = uint16_t(half ? tf_uniform_float16(words[i], law) : tf_uniform_bfloat16(words[i], law));
    return;
  }
  uint64_t pairs[2 * kMostBlocks];
  for (size_t b = 0; b < list.count; ++b) {
    pairs[2 * b] = 2 * list.blocks[b];
    pairs[2 * b + 1] = 2 * list.blocks[b] + 1;
  }
  list_words(stream, {pairs, 2 * list.count, 2 * list.smallest, 2 * list.largest + 1}, words);
  auto* to = static_cast<double*>(out);
  for (size_t i = 0; i < 4 * list.count; ++i)
    to[i] = tf_uniform_float64(words[2 * i], words[2 * i + 1], law);
}
