// SPDX-License-Identifier: Apache-2.0
// Laws of other frameworks' streams, whose values come in blocks of four that are computed alone:
// which law, and runs and long lists on top of it.

// At most kMostBlocks blocks, whose values go to aligned memory.
static void few_blocks(const Stream& stream, const Law& law, Dtype dtype, const BlockList& list,
                       void* out) {
  switch (law.kind) {
    case Kind::kTfNormal:
    case Kind::kTfTruncatedNormal: return tf_normal_blocks(stream, law, dtype, list, out);
    case Kind::kJaxBits:
    case Kind::kJaxUniform:
    case Kind::kJaxNormal: return jax_blocks(stream, law, dtype, list, out);
    default: return;
  }
}

static void law_blocks(const Stream& stream, const Law& law, Dtype dtype, const BlockList& list,
                       void* out) {
  const size_t block_size = 4 * size_t(item_size(dtype));
  for (size_t done = 0; done < list.count; done += kMostBlocks) {
    const size_t here = list.count - done < kMostBlocks ? list.count - done : kMostBlocks;
    few_blocks(stream, law, dtype, {list.blocks + done, here, list.smallest, list.largest},
               static_cast<char*>(out) + done * block_size);
  }
}

// Consecutive indices, to memory of any alignment.
static void run_of_blocks(const Stream& stream, const Law& law, Dtype dtype, uint64_t start,
                          uint64_t count, void* out) {
  alignas(64) unsigned char values[kMostBlocks * 4 * sizeof(double)];
  uint64_t blocks[kMostBlocks];
  const size_t size = size_t(item_size(dtype));
  auto* to = static_cast<unsigned char*>(out);
  while (count) {
    const uint64_t first = start / 4, skip = start % 4;
    const uint64_t wanted = (skip + count + 3) / 4, here = wanted < kMostBlocks ? wanted : kMostBlocks;
    for (uint64_t b = 0; b < here; ++b) blocks[b] = first + b;
    few_blocks(stream, law, dtype, {blocks, size_t(here), first, first + here - 1}, values);
    const uint64_t most = 4 * here - skip, n = count < most ? count : most;
    std::memcpy(to, values + skip * size, n * size);
    to += n * size;
    start += n;
    count -= n;
  }
}
