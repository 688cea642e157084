// Attention of a few queries to the keys and values that one head has cached, and putting them there.
//
// Keys lie 16 tokens side by side, so that a query's element is multiplied with 16 keys at once and no register has
// to be summed across. Bound: memory when decoding, as every key and value is read once for one query; four queries
// in a row of one sequence share that reading, and the multiplier decides.
//
// A query's result does not depend on which other queries share the pass: what lies behind a query's own position
// counts for nothing (its probability is exactly zero), and sums are formed in the order of positions.
#pragma once
#include "layout.h"
#include "simd.h"

namespace cutaway {
namespace CUTAWAY_ISA {

constexpr int kKeyVectors = kKeyBlock / kLanes;

static inline int even(int n) { return (n + 1) & ~1; }

// The nearest bfloat16 of so many floats.
static inline void to_bfloat16(const float* from, int count, uint16_t* to) {
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, to_bfloat16(load<Vec>(from + i)));
    for (; i < count; i++) to[i] = to_bfloat16(all(from[i]))[0];
}

// Keys and values as floats.
struct FloatCache {
    static void remember(const CacheHead& head, int position, const float* key, const float* value) {
        float* keys = (float*)head.keys + (size_t)(position / kKeyBlock) * head.size * kKeyBlock + position % kKeyBlock;
        for (int d = 0; d < head.size; d++) keys[d * kKeyBlock] = key[d];
        float* values = (float*)head.values + (size_t)position * head.width;
        for (int d = 0; d < head.size; d++) values[d] = value[d];
    }

    // Queries as `score` reads them.
    template <int QUERIES>
    struct Queries {
        const float* q[QUERIES];
        Queries(const float* from, size_t stride, int) {
            for (int i = 0; i < QUERIES; i++) q[i] = from + i * stride;
        }
    };

    // q · k for the 16 keys of a block.
    template <int QUERIES>
    static void score(const CacheHead& head, int block, const Queries<QUERIES>& queries,
                      Vec (&sum)[QUERIES][kKeyVectors]) {
        const float* keys = (const float*)head.keys + (size_t)block * head.size * kKeyBlock;
        for (int d = 0; d < head.size; d++, keys += kKeyBlock) {
            if (QUERIES == 1) fetch_ahead(keys, 4 * kKeyBlock);
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const Vec key = load<Vec>(keys + v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) sum[i][v] += key * queries.q[i][d];
            }
        }
    }

    static void keep(float* probabilities, int at, Vec p) { store(probabilities + at, p); }

    // Σ p v over the first `tokens` tokens, for VECTORS registers of the head from `column` on.
    template <int QUERIES, int VECTORS>
    static void mix(const CacheHead& head, int tokens, int column, const float* p, size_t stride,
                    Vec (&sum)[QUERIES][VECTORS]) {
        const float* values = (const float*)head.values + column;
        for (int t = 0; t < tokens; t++, values += head.width) {
            if (QUERIES == 1) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const Vec value = load<Vec>(values + v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) sum[i][v] += value * p[i * stride + t];
            }
        }
    }
};

// Keys and values as bfloat16, two elements of a key or two tokens' values in one lane.
struct Bfloat16Cache {
    static void remember(const CacheHead& head, int position, const float* key, const float* value) {
        const size_t key_block = (size_t)(position / kKeyBlock) * even(head.size) * kKeyBlock;
        uint16_t* keys = (uint16_t*)head.keys + key_block + position % kKeyBlock * 2;
        uint16_t rounded[kMaxHeadSize];
        to_bfloat16(key, head.size, rounded);
        for (int d = 0; d < head.size; d++) keys[d / 2 * 2 * kKeyBlock + d % 2] = rounded[d];
        uint16_t* values = (uint16_t*)head.values + (size_t)(position / 2) * 2 * head.width + position % 2;
        to_bfloat16(value, head.size, rounded);
        for (int d = 0; d < head.size; d++) {
            values[2 * d] = rounded[d];
            // The odd token's place may hold what another sequence left there; even NaN × 0 must be 0.
            if (position % 2 == 0) values[2 * d + 1] = 0;
        }
    }

    template <int QUERIES>
    struct Queries {
        uint16_t q[QUERIES][kMaxHeadSize + 1];
        Queries(const float* from, size_t stride, int size) {
            for (int i = 0; i < QUERIES; i++) {
                to_bfloat16(from + i * stride, size, q[i]);
                q[i][size] = 0;  // completes the last pair where the size is odd
            }
        }
    };

    template <int QUERIES>
    static void score(const CacheHead& head, int block, const Queries<QUERIES>& queries,
                      Vec (&sum)[QUERIES][kKeyVectors]) {
        const uint16_t* keys = (const uint16_t*)head.keys + (size_t)block * even(head.size) * kKeyBlock;
        for (int d = 0; d < head.size; d += 2, keys += 2 * kKeyBlock) {
            if (QUERIES == 1) fetch_ahead(keys, 4 * kKeyBlock);
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const IntVec key = load<IntVec>(keys + 2 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    sum[i][v] = dot2(sum[i][v], key, all(load<int32_t>(queries.q[i] + d)));
                }
            }
        }
    }

    static void keep(float* probabilities, int at, Vec p) { store((uint16_t*)probabilities + at, to_bfloat16(p)); }

    template <int QUERIES, int VECTORS>
    static void mix(const CacheHead& head, int tokens, int column, const float* p, size_t stride,
                    Vec (&sum)[QUERIES][VECTORS]) {
        const uint16_t* values = (const uint16_t*)head.values + 2 * column;
        for (int t = 0; t < tokens; t += 2, values += 2 * head.width) {
            if (QUERIES == 1) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const IntVec value = load<IntVec>(values + 2 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    sum[i][v] = dot2(sum[i][v], value, all(load<int32_t>((const uint16_t*)(p + i * stride) + t)));
                }
            }
        }
    }
};

// Scores of all keys up to the last query, -∞ behind a query's own position; returns each query's largest.
template <class Cache, int QUERIES>
static void score_all(const CacheHead& head, int position, const float* q, size_t q_stride, float* scores,
                      size_t stride, float (&largest)[QUERIES]) {
    const typename Cache::template Queries<QUERIES> queries(q, q_stride, head.size);
    const float scale = 1 / __builtin_sqrtf((float)head.size);
    const int blocks = (position + QUERIES + kKeyBlock - 1) / kKeyBlock;
    IntVec lane;
    for (int i = 0; i < kLanes; i++) lane[i] = i;
    Vec most[QUERIES];
    for (int i = 0; i < QUERIES; i++) most[i] = all(-__builtin_inff());
    for (int block = 0; block < blocks; block++) {
        Vec sum[QUERIES][kKeyVectors] = {};
        Cache::score(head, block, queries, sum);
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const int begin = block * kKeyBlock + v * kLanes;
                const Vec seen = lane <= position + i - begin ? sum[i][v] * scale : all(-__builtin_inff());
                most[i] = maximum(most[i], seen);
                store(scores + i * stride + begin, seen);
            }
        }
    }
    for (int i = 0; i < QUERIES; i++) largest[i] = maximum_of(most[i]);
}

template <class Cache, int QUERIES, int VECTORS>
static void mix_columns(const CacheHead& head, int tokens, int column, const float* p, size_t stride,
                        const float (&inverse)[QUERIES], float* out, size_t out_stride) {
    Vec sum[QUERIES][VECTORS] = {};
    Cache::template mix<QUERIES, VECTORS>(head, tokens, column, p, stride, sum);
    const int columns = head.size - column < VECTORS * kLanes ? head.size - column : VECTORS * kLanes;
    for (int i = 0; i < QUERIES; i++) {
        float row[VECTORS * kLanes];
        for (int v = 0; v < VECTORS; v++) store(row + v * kLanes, sum[i][v] * inverse[i]);
        for (int d = 0; d < columns; d++) out[i * out_stride + column + d] = row[d];
    }
}

template <class Cache, int QUERIES>
static void attend_together(const CacheHead& head, int position, const float* q, size_t q_stride, float* out,
                            size_t out_stride, float* scores, size_t stride) {
    float largest[QUERIES], inverse[QUERIES];
    score_all<Cache, QUERIES>(head, position, q, q_stride, scores, stride, largest);
    const int tokens = position + QUERIES, padded = (tokens + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
    for (int i = 0; i < QUERIES; i++) {
        float* row = scores + i * stride;
        Vec sum = {};
        // Probabilities replace the scores; as bfloat16 they take the first half of the room.
        for (int t = 0; t < padded; t += kLanes) {
            const Vec p = exponential(load<Vec>(row + t) - largest[i]);
            sum += p;
            Cache::keep(row, t, p);
        }
        inverse[i] = 1 / sum_of(sum);
    }
    int column = 0;
    for (; column + 4 * kLanes <= head.width; column += 4 * kLanes) {
        mix_columns<Cache, QUERIES, 4>(head, tokens, column, scores, stride, inverse, out, out_stride);
    }
    for (; column < head.width; column += kLanes) {
        mix_columns<Cache, QUERIES, 1>(head, tokens, column, scores, stride, inverse, out, out_stride);
    }
}

template <class Cache>
static void attend(const CacheHead& head, int position, int queries, const float* q, size_t q_stride, float* out,
                   size_t out_stride, float* scores, size_t stride) {
    while (queries > 0) {
        const int together = queries >= kQueries ? kQueries : 1;
        if (together == kQueries) {
            attend_together<Cache, kQueries>(head, position, q, q_stride, out, out_stride, scores, stride);
        } else {
            attend_together<Cache, 1>(head, position, q, q_stride, out, out_stride, scores, stride);
        }
        position += together, queries -= together;
        q += together * q_stride, out += together * out_stride;
    }
}

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
