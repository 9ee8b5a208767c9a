// SPDX-License-Identifier: Apache-2.0
// Normals in bfloat16: bounds of the value, in float32 and for half the work.  Rounding never
// changes an order, so where both bounds round to one number the value does too.  The few elements
// where they do not, and those of the outermost octaves, are computed one by one.

// The float32 polynomial's distance from the law's integer: at most kNearSlack units and
// kNearShare of it.  tools/check_normal_exhaustively.py checks both for every word.
constexpr float kNearSlack = 40.0f, kNearShare = 0x1p-21f;
// The least scale that leaves bounds, and what they are made of, normal numbers.
constexpr double kLeastNear = 0x1p-100;
// The tail probabilities where the first 8 octaves begin, and the first 16.
constexpr uint32_t kOctaves8 = 1u << 24, kOctaves16 = 1u << 16;

// Two vectors: of their values without sign, a bound below, perhaps below zero, and one above; and
// the quantiles, whose highest bit is clear where the value is negative.
struct Bounds {
  Real inner[2], outer[2];
  Word q[2];
};

// T is Target, by a name that lets targets without such a table pass it over.
template <bool kTruncated, class T = Target>
struct NearNormal {
  typename T::NearTable table;
  Word first, count;
  Real least, below, above;
  Real inner_scale, outer_scale, slack, minus_slack;
  const Law* law;

  NearNormal(const Law& law)
      : first(Target::word(uint32_t(law.first))), count(Target::word(uint32_t(law.count))),
        least(Target::real(float(law.least))), below(Target::real(float(law.below))),
        above(Target::real(float(law.above))),
        inner_scale(Target::real(float(law.scale) * (1.0f - kNearShare))),
        outer_scale(Target::real(float(law.scale) * (1.0f + kNearShare))),
        slack(Target::real(float(law.scale) * kNearSlack)),
        minus_slack(Target::real(float(law.scale) * -kNearSlack)), law(&law) {}

  // Step by step for both vectors, which a processor then computes side by side.
  GLOROT_INLINE Bounds bounds(const Word* words) const {
    Bounds found;
    Word tail[2], row[2];
    Real t[2], magnitude[2], c[2][kDegree32 + 1];
    GLOROT_UNROLL
    for (int v = 0; v < 2; ++v) {
      Word& q = found.q[v];
      q = words[v];
      if constexpr (kTruncated) q = Target::add(first, Target::mulhi(q, count));
      tail[v] = Target::xor_or(Target::add(q, q), Target::sar<31>(q), Target::word(1));
      T::split_tail(tail[v], row[v], t[v]);
      table.coefficients(row[v], c[v]);
      magnitude[v] = c[v][kDegree32];
    }
    GLOROT_UNROLL
    for (int degree = kDegree32 - 1; degree >= 0; --degree)
      GLOROT_UNROLL
      for (int v = 0; v < 2; ++v)
        magnitude[v] = T::minus_product(c[v][degree], t[v], magnitude[v]);
    const bool rare = T::any_less(Target::min(tail[0], tail[1]), kOctaves8);
    if (rare) [[unlikely]]
      for (int v = 0; v < 2; ++v) {
        table.next_coefficients(row[v], c[v]);
        Real next = c[v][kDegree32];
        for (int degree = kDegree32 - 1; degree >= 0; --degree)
          next = T::minus_product(c[v][degree], t[v], next);
        magnitude[v] = chosen(Target::less(tail[v], Target::word(kOctaves8)), magnitude[v], next);
      }
    GLOROT_UNROLL
    for (int v = 0; v < 2; ++v) {
      if constexpr (kTruncated) {
        magnitude[v] = Target::max(magnitude[v], least);
        magnitude[v] = Target::min(magnitude[v], chosen(Target::sar<31>(found.q[v]), below, above));
      }
      found.inner[v] = T::plus_product(minus_slack, magnitude[v], inner_scale);
      found.outer[v] = T::plus_product(slack, magnitude[v], outer_scale);
    }
    if (rare) [[unlikely]]
      for (int v = 0; v < 2; ++v)  // beyond the table: opposite bounds, which no rounding makes one
        found.inner[v] = chosen(Target::less(tail[v], Target::word(kOctaves16)), found.inner[v],
                                with_sign(found.outer[v], Target::word(0)));
    return found;
  }

  static GLOROT_INLINE Real chosen(Word mask, Real otherwise, Real where_set) {
    return Target::from_bits(Target::select(mask, Target::bits(otherwise), Target::bits(where_set)));
  }

  // The other sign where the highest bit of q is clear.
  static GLOROT_INLINE Real with_sign(Real x, Word q) {
    const Word sign = Target::and_not(q, Target::word(0x80000000u));
    return Target::from_bits(Target::bit_xor(Target::bits(x), sign));
  }

  // A line of the values of two vectors, with those of the lanes by the law itself.
  static GLOROT_COLD Word exact_lanes(const Law& law, uint32_t lanes, Word q0, Word q1, Word line) {
    uint32_t quantiles[2 * Target::kLanes];
    uint16_t values[2 * Target::kLanes];
    std::memcpy(values, &line, sizeof values);
    Target::store(quantiles, q0);
    Target::store(quantiles + Target::kLanes, q1);
    for (int lane = 0; lane < 2 * Target::kLanes; ++lane) {
      if (!(lanes >> lane & 1)) continue;
      const float value = normal_integer<uint32_t, float>(quantiles[lane], law, kTruncated);
      values[lane] = uint16_t(round_bfloat16(value * float(law.scale)));
    }
    std::memcpy(&line, values, sizeof line);
    return line;
  }
};

template <Dtype kDtype, int n, bool kPast = false, bool kTruncated, class T = Target>
static GLOROT_INLINE void put(const NearNormal<kTruncated>& law, const Word* words, uint16_t* to) {
  static_assert(kDtype == Dtype::kBfloat16 && n % 2 == 0);
  GLOROT_UNROLL
  for (int pair = 0; pair < n; pair += 2, to += 2 * Target::kLanes) {
    const Bounds found = law.bounds(words + pair);
    // Half way between two numbers the even one is nearest: no value between the bounds is half way
    // where rounding it down and rounding it up agree.
    Word down[2], up[2];
    GLOROT_UNROLL
    for (int v = 0; v < 2; ++v) {
      down[v] = Target::add(Target::bits(found.inner[v]), Target::word(0x7fff));
      up[v] = Target::add(Target::bits(found.outer[v]), Target::word(0x8000));
    }
    const uint32_t differing = T::differing_high_halves(down, up);
    Word line = T::signed_high_halves(up, found.q);
    if (differing) [[unlikely]]
      line = law.exact_lanes(*law.law, differing, found.q[0], found.q[1], line);
    put_line<kPast>(to, line);
  }
}

template <class Near>
static void bounds_of_words(const Law& law, const uint32_t* words, size_t count, float* inner,
                            float* outer) {
  const Near normal(law);
  constexpr int both = 2 * Target::kLanes;
  alignas(64) uint32_t in[both] = {};
  alignas(64) float result[2][both];
  for (size_t done = 0; done < count; done += both) {
    const size_t here = count - done < both ? count - done : both;
    std::memcpy(in, words + done, 4 * here);
    const Word vectors[2] = {Target::load(in), Target::load(in + Target::kLanes)};
    const Bounds found = normal.bounds(vectors);
    for (int v = 0; v < 2; ++v) {
      Target::store(result[0] + v * Target::kLanes, normal.with_sign(found.inner[v], found.q[v]));
      Target::store(result[1] + v * Target::kLanes, normal.with_sign(found.outer[v], found.q[v]));
    }
    std::memcpy(inner + done, result[0], 4 * here);
    std::memcpy(outer + done, result[1], 4 * here);
  }
}

// The bounds of words given, for the check of their distance; false on targets that have none.
static bool normal_bounds_here(const Law& law, const uint32_t* words, size_t count, float* inner,
                               float* outer) {
  if constexpr (Target::kNear) bounds_of_words<NearNormal<false>>(law, words, count, inner, outer);
  return Target::kNear;
}
