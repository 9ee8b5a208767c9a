// SPDX-License-Identifier: Apache-2.0
// Runs and lists: words, laws and stores put together, over consecutive indices or listed blocks.

// The ends of a run, where groups are cut or too few for a chunk.  put(vectors, n, to) takes n groups
// to memory.
template <class Type, class Put>
static void run_groups(const Stream& stream, const RoundKeys& keys, uint64_t start, uint64_t count,
                       Type* out, const Put& put) {
  alignas(64) Type buffer[kChunk];
  Word vectors[kVectors];
  uint64_t block = start / 4, skip = start % 4;
  while (count) {
    const uint64_t left = (skip + count + kGroupWords - 1) / kGroupWords;
    const int groups = left < kGroups ? int(left) : kGroups;
    few_groups(stream, keys, block, groups, vectors);
    const uint64_t drawn = uint64_t(groups) * kGroupWords, most = drawn - skip;
    const uint64_t here = count < most ? count : most;
    const bool cut = here < drawn;
    put(vectors, groups, cut ? buffer : out);
    if (cut) std::memcpy(out, buffer + skip, here * sizeof(Type));
    out += here;
    count -= here;
    block += uint64_t(groups) * Target::kBlocks;
    skip = 0;
  }
}

// Calls chunk<n>(vectors, out) for the whole chunks of a run that starts and ends anywhere, and
// groups(start, count, out) for what is not one.  A law's code is large: both are called in as few
// places as can be.
template <bool kCommonLaw, class Type, class Chunk, class Groups>
static GLOROT_INLINE void run_chunks(const Stream& stream, const RoundKeys& keys, uint64_t start,
                                     uint64_t count, Type* out, const Chunk& chunk,
                                     const Groups& groups) {
  const uint64_t skip = start % 4, to_group = skip ? kGroupWords - skip : 0;
  const uint64_t first = count < to_group + kChunk ? count : to_group;
  if (first) groups(start, first, out);
  start += first;
  count -= first;
  out += first;
  whole_chunks<kCommonLaw>(stream, keys, start, count, out, chunk, groups);
  if (count) groups(start, count, out);
}

static GLOROT_INLINE void store_words(const Word* vectors, int groups, uint32_t* to) {
  GLOROT_UNROLL
  for (int v = 0; v < groups * kGroupVectors; ++v) Target::store(to + v * Target::kLanes, vectors[v]);
}

static void run_words(const Stream& stream, uint64_t start, uint64_t count, uint32_t* out) {
  const RoundKeys keys(stream.key);
  run_chunks<false>(
      stream, keys, start, count, out,
      []<int n>(const Word* vectors, uint32_t* to) { store_words(vectors, n / kGroupVectors, to); },
      [&](uint64_t first, uint64_t n, uint32_t* to) {
        run_groups(stream, keys, first, n, to, store_words);
      });
}

// The values of some groups.  A law is long: inlined into each of its callers it takes compilers minutes.
template <Dtype kDtype, class Value>
static GLOROT_APART void put_groups(const Value& value, const Word* vectors, int groups,
                                    typename Item<kDtype>::Type* to) {
  for (; groups; --groups, vectors += kGroupVectors, to += kGroupWords)
    put<kDtype, kGroupVectors>(value, vectors, to);
}

// The values of words in memory.
template <Dtype kDtype, class Value>
static void put_words(const Value& value, const uint32_t* words, uint64_t count,
                      typename Item<kDtype>::Type* to) {
  constexpr int kMost = kBatch * kGroups;
  uint32_t in[kBatch * kChunk] = {};
  alignas(64) typename Item<kDtype>::Type result[kBatch * kChunk];
  Word vectors[kBatch * kVectors];
  while (count) {
    const uint64_t left = (count + kGroupWords - 1) / kGroupWords;
    const int groups = left < kMost ? int(left) : kMost;
    const uint64_t most = uint64_t(groups) * kGroupWords, here = count < most ? count : most;
    const bool cut = here < most;
    if (cut) std::memcpy(in, words, 4 * here);
    for (int v = 0; v < groups * kGroupVectors; ++v)
      vectors[v] = Target::load((cut ? in : words) + v * Target::kLanes);
    put_groups<kDtype>(value, vectors, groups, cut ? result : to);
    if (cut) std::memcpy(to, result, here * sizeof *to);
    words += here;
    to += here;
    count -= here;
  }
}

// run_values where a vector is no register: rounds inlined into every law would take compilers minutes.
template <Dtype kDtype, class Value>
static void run_values_apart(const Stream& stream, const Value& value, uint64_t start, uint64_t count,
                             typename Item<kDtype>::Type* to) {
  constexpr uint64_t kBuffer = kBatch * kChunk;
  uint32_t words[kBuffer];
  while (count) {
    const uint64_t here = count < kBuffer ? count : kBuffer;
    run_words(stream, start, here, words);
    put_words<kDtype>(value, words, here, to);
    start += here;
    count -= here;
    to += here;
  }
}

template <Dtype kDtype, class Value>
static void run_values(const Stream& stream, const Law& law, const Runs& runs, void* out,
                       bool bypass) {
  using Type = typename Item<kDtype>::Type;
  const Value value(law);
  const RoundKeys keys(stream.key);
  Type* to = static_cast<Type*>(out);
  auto groups = [&](uint64_t start, uint64_t count, Type* p) {
    run_groups(stream, keys, start, count, p, [&](const Word* vectors, int n, Type* group) {
      put_groups<kDtype>(value, vectors, n, group);
    });
  };
  if constexpr (kLineWide && kCommon<kDtype, Value>)
    if (bypass && run_past_cache<kDtype>(stream, keys, value, runs, to, groups)) return;
  for (uint64_t row = 0; row < runs.rows; ++row) {
    const uint64_t start = runs.start + row * uint64_t(runs.step);
    to = reinterpret_cast<Type*>(static_cast<char*>(out) + int64_t(row) * runs.stride);
    if constexpr (Target::kInlined)
      run_chunks<kCommon<kDtype, Value>>(
          stream, keys, start, runs.count, to,
          [&]<int n>(const Word* vectors, Type* p) { put<kDtype, n>(value, vectors, p); }, groups);
    else
      run_values_apart<kDtype>(stream, value, start, runs.count, to);
  }
}

template <Dtype kDtype, class Value>
static void list_values(const Stream& stream, const Law& law, const BlockList& list, void* out) {
  using Type = typename Item<kDtype>::Type;
  constexpr int kTogether = kCommon<kDtype, Value> ? kWideGroups : kGroups;
  constexpr int kVectorsEach = kTogether * kGroupVectors, kBlocksEach = kTogether * Target::kBlocks;
  const Value value(law);
  const List drawn(stream, list);
  Word vectors[kBatch * kVectorsEach];
  uint64_t padded[kBatch * kBlocksEach];
  alignas(64) Type buffer[kBatch * kBlocksEach * 4];
  Type* to = static_cast<Type*>(out);
  for (size_t done = 0; done < list.count;) {
    const uint64_t* blocks = list.blocks + done;
    const size_t left = list.count - done, chunks = (left + kBlocksEach - 1) / kBlocksEach;
    const int count = chunks < kBatch ? int(chunks) : kBatch;
    const size_t most = size_t(count) * kBlocksEach, here = left < most ? left : most;
    const bool cut = here < most;
    if (cut)
      for (size_t b = 0; b < most; ++b) padded[b] = b < here ? blocks[b] : list.smallest;
    drawn.chunks<kTogether>(cut ? padded : blocks, count, vectors);
    if constexpr (Target::kInlined) put<kDtype, kVectorsEach>(value, vectors, cut ? buffer : to);
    else put_groups<kDtype>(value, vectors, count * kTogether, cut ? buffer : to);
    if (cut) std::memcpy(to, buffer, 4 * here * sizeof(Type));
    done += here;
    to += 4 * here;
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
    drawn.chunks<kGroups>(padded, 1, vectors);
    store_words(vectors, kGroups, buffer);
    std::memcpy(out + 4 * done, buffer, 16 * here);
  }
}
