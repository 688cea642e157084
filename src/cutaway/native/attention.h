// Attention of a few queries to the keys and values that one head has cached.
//
// Keys lie 16 tokens side by side, so that a query's element is multiplied with 16 keys at once and no register has
// to be summed across. Bound: memory when decoding, as every key and value is read once for one query; four queries
// in a row of one sequence share that reading, and the multiplier decides.
//
// A query's result does not depend on which other queries share the pass: what lies behind a query's own position
// counts for nothing (its probability is exactly zero), and sums are formed in the order of positions.
#pragma once
#include "byte_keys_values.h"

namespace cutaway {
namespace CUTAWAY_ISA {

// Scores of all keys up to the last query's, -∞ behind a query's own position; returns each query's largest score.
template <class Keys, class Values, int QUERIES>
static void score_all(const CacheHead& head, int position, const float* q, size_t q_stride, float* scores,
                      size_t stride, float (&largest)[QUERIES]) {
    const typename Keys::template Queries<QUERIES> queries(q, q_stride, head.size);
    IntVec lane;
    for (int i = 0; i < kLanes; i++) lane[i] = i;
    Vec most[QUERIES];
    for (int i = 0; i < QUERIES; i++) most[i] = all(-__builtin_inff());
    const int end = (position + QUERIES + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
    const int near = QUERIES == 1 ? end - (kPage / head.key_bytes + 1) * kKeyBlock : 0;
    for (int begin = 0; begin < end; begin += kKeyBlock) {
        if (QUERIES == 1) Values::expect(head, begin);
        Vec score[QUERIES][kKeyVectors];
        Keys::template score<QUERIES>(head, begin, begin < near, queries, score);
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const Vec seen = lane <= position + i - begin - v * kLanes ? score[i][v] : all(-__builtin_inff());
                most[i] = maximum(most[i], seen);
                store(scores + i * stride + begin + v * kLanes, seen);
            }
        }
    }
    for (int i = 0; i < QUERIES; i++) largest[i] = maximum_of(most[i]);
}

template <class Values, int QUERIES, int VECTORS>
static void mix_columns(const CacheHead& head, int tokens, int column, const typename Values::Weights* weights,
                        const float (&inverse)[QUERIES], float* out, size_t out_stride) {
    Vec sum[QUERIES][VECTORS];
    Values::template mix<QUERIES, VECTORS>(head, tokens, column, weights, sum);
    const int columns = head.size - column < VECTORS * kLanes ? head.size - column : VECTORS * kLanes;
    for (int i = 0; i < QUERIES; i++) {
        float row[VECTORS * kLanes];
        for (int v = 0; v < VECTORS; v++) store(row + v * kLanes, sum[i][v] * inverse[i]);
        for (int d = 0; d < columns; d++) out[i * out_stride + column + d] = row[d];
    }
}

// The mixed values of some queries whose probabilities are known.
template <class Values, int QUERIES>
static void mix_all(const CacheHead& head, int tokens, const typename Values::Weights* weights,
                    const float (&inverse)[QUERIES], float* out, size_t out_stride) {
    constexpr int kVectors = QUERIES == 1 ? 4 : Values::kVectors;
    int column = 0;
    for (; column + kVectors * kLanes <= head.width; column += kVectors * kLanes) {
        mix_columns<Values, QUERIES, kVectors>(head, tokens, column, weights, inverse, out, out_stride);
    }
    for (; column < head.width; column += kLanes) {
        mix_columns<Values, QUERIES, 1>(head, tokens, column, weights, inverse, out, out_stride);
    }
}

template <class Keys, class Values, int QUERIES>
static void attend_together(const CacheHead& head, int position, const float* q, size_t q_stride, float* out,
                            size_t out_stride, float* scores, size_t stride) {
    float largest[QUERIES], inverse[QUERIES];
    score_all<Keys, Values, QUERIES>(head, position, q, q_stride, scores, stride, largest);
    const int tokens = position + QUERIES, padded = (tokens + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
    typename Values::Weights weights[QUERIES];
    for (int i = 0; i < QUERIES; i++) {
        float* row = scores + i * stride;
        Vec sum = {};
        weights[i].begin(row);
        for (int t = 0; t < padded; t += kLanes) {
            const Vec p = exponential(load<Vec>(row + t) - largest[i]);
            sum += p;
            weights[i].keep(head, t, p);
        }
        inverse[i] = weights[i].finish(padded) / sum_of(sum);
    }
    mix_all<Values, QUERIES>(head, tokens, weights, inverse, out, out_stride);
}

template <class Keys, class Values>
struct Attention {
    static void remember(const CacheHead& head, int position, const float* key, const float* value) {
        Keys::remember(head, position, key);
        Values::remember(head, position, value);
    }

    static void attend(const CacheHead& head, int position, int queries, const float* q, size_t q_stride, float* out,
                       size_t out_stride, float* scores, size_t stride) {
        while (queries > 0) {
            const int together = queries >= kQueries ? kQueries : 1;
            if (together == kQueries) {
                attend_together<Keys, Values, kQueries>(head, position, q, q_stride, out, out_stride, scores, stride);
            } else {
                attend_together<Keys, Values, 1>(head, position, q, q_stride, out, out_stride, scores, stride);
            }
            position += together, queries -= together;
            q += together * q_stride, out += together * out_stride;
        }
    }
};

// The kinds of keys and values by the name that the format of weights chooses them by.
template <Kept KEPT>
struct As;
template <>
struct As<kAsFloats> {
    using Keys = FloatKeys;
    using Values = FloatValues;
};
template <>
struct As<kAsBfloat16> {
    using Keys = Bfloat16Keys;
    using Values = Bfloat16Values;
};
template <>
struct As<kAsBytes> {
    using Keys = ByteKeys;
    using Values = ByteValues;
};

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
