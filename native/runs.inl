// SPDX-License-Identifier: Apache-2.0
// Runs and lists: words, laws and stores put together, over consecutive indices or listed blocks.

// Calls write<n>(n vectors, out): for whole chunks and groups straight into `out`, and through a
// buffer where the run begins or ends inside of a group.
template <class Type, class Write>
static GLOROT_INLINE void run_chunks(const Stream& stream, const RoundKeys& keys, uint64_t start,
                                     uint64_t count, Type* out, const Write& write) {
  alignas(64) Type buffer[kGroupWords];
  Word vectors[kVectors];
  uint64_t block = start / 4;
  const uint64_t skip = start % 4;
  if (count && skip) {
    const uint64_t here = count < kGroupWords - skip ? count : kGroupWords - skip;
    few_groups(stream, keys, block, 1, vectors);
    write.template operator()<kGroupVectors>(vectors, buffer);
    std::memcpy(out, buffer + skip, here * sizeof(Type));
    out += here;
    count -= here;
    block += Target::kBlocks;
  }
  const uint64_t chunks = count / kChunk;
  each_chunk(stream, keys, block, chunks, [&](const Word* chunk) {
    write.template operator()<kVectors>(chunk, out);
    out += kChunk;
  });
  if (count %= kChunk) {
    block += chunks * kChunkBlocks;
    few_groups(stream, keys, block, int((count + kGroupWords - 1) / kGroupWords), vectors);
    const Word* group = vectors;
    for (; count >= kGroupWords; count -= kGroupWords, group += kGroupVectors, out += kGroupWords)
      write.template operator()<kGroupVectors>(group, out);
    if (count) {
      write.template operator()<kGroupVectors>(group, buffer);
      std::memcpy(out, buffer, count * sizeof(Type));
    }
  }
}

static void run_words(const Stream& stream, uint64_t start, uint64_t count, uint32_t* out) {
  run_chunks<uint32_t>(stream, RoundKeys(stream.key), start, count, out,
                       []<int n>(const Word* vectors, uint32_t* to) {
    GLOROT_UNROLL
    for (int v = 0; v < n; ++v) Target::store(to + v * Target::kLanes, vectors[v]);
  });
}

template <Dtype kDtype, class Value>
static void run_values(const Stream& stream, const Law& law, const Runs& runs, void* out,
                       bool bypass) {
  using Type = typename Item<kDtype>::Type;
  const Value value(law);
  const RoundKeys keys(stream.key);
  Type* to = static_cast<Type*>(out);
  auto store = [&]<int n>(const Word* vectors, Type* p) { put<kDtype, n>(value, vectors, p); };
  if constexpr (kDtype == Dtype::kFloat32 && Target::kLanes == 16) {
    // Vectors as wide as a cache line can skip the cache, once `out` sits on a line where a block
    // starts.  Narrower ones would leave lines half written.
    const uint64_t start = runs.start, count = runs.count;
    const uint64_t to_line = (64 - reinterpret_cast<uintptr_t>(to) % 64) % 64 / 4;
    if (bypass && runs.rows == 1 && reinterpret_cast<uintptr_t>(to) % 4 == 0 &&
        (start + to_line) % 4 == 0 && count > to_line + kChunk) {
      run_chunks<float>(stream, keys, start, to_line, to, store);
      const uint64_t rest = count - to_line, whole = rest / kChunk * kChunk;
      run_chunks<float>(stream, keys, start + to_line, whole, to + to_line,
                        [&]<int n>(const Word* vectors, float* p) {
        value.template each<n>(vectors, [&](int v, Real x) { Target::stream(p + v * Target::kLanes, x); });
      });
      Target::fence();
      run_chunks<float>(stream, keys, start + to_line + whole, rest - whole, to + to_line + whole,
                        store);
      return;
    }
  }
  for (uint64_t row = 0; row < runs.rows; ++row)
    run_chunks<Type>(stream, keys, runs.start + row * uint64_t(runs.step), runs.count,
                     reinterpret_cast<Type*>(static_cast<char*>(out) + int64_t(row) * runs.stride),
                     store);
}

template <Dtype kDtype, class Value>
static void list_values(const Stream& stream, const Law& law, const BlockList& list, void* out) {
  using Type = typename Item<kDtype>::Type;
  const Value value(law);
  const List drawn(stream, list);
  Word vectors[kVectors];
  Type* to = static_cast<Type*>(out);
  const uint64_t* blocks = list.blocks;
  size_t count = list.count;
  for (; count >= kChunkBlocks; count -= kChunkBlocks, blocks += kChunkBlocks, to += kChunk) {
    drawn.chunk(blocks, vectors);
    put<kDtype, kVectors>(value, vectors, to);
  }
  if (count) {
    uint64_t padded[kChunkBlocks];
    for (uint64_t& block : padded) block = list.smallest;
    alignas(64) Type buffer[kChunk];
    std::memcpy(padded, blocks, count * sizeof *blocks);
    drawn.chunk(padded, vectors);
    put<kDtype, kVectors>(value, vectors, buffer);
    std::memcpy(to, buffer, 4 * count * sizeof(Type));
  }
}

static void list_words(const Stream& stream, const BlockList& list, uint32_t* out) {
  const List drawn(stream, list);
  Word vectors[kVectors];
  uint32_t buffer[kChunk];
  for (size_t done = 0; done < list.count; done += kChunkBlocks) {
    const size_t here = list.count - done < kChunkBlocks ? list.count - done : kChunkBlocks;
    uint64_t padded[kChunkBlocks];
    for (uint64_t& block : padded) block = list.smallest;
    std::memcpy(padded, list.blocks + done, here * sizeof *padded);
    drawn.chunk(padded, vectors);
    for (int v = 0; v < kVectors; ++v) Target::store(buffer + v * Target::kLanes, vectors[v]);
    std::memcpy(out + 4 * done, buffer, 16 * here);
  }
}
