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
    static int key_bytes(const CacheHead& head) { return 4 * head.size * kKeyBlock; }  // of a block

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

    // q · k for the keys of some blocks; `ahead` fetches those a page further.
    template <int QUERIES, int BLOCKS>
    static void score(const CacheHead& head, int block, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&sum)[QUERIES][BLOCKS * kKeyVectors]) {
        const size_t size = (size_t)head.size * kKeyBlock;
        const float* keys = (const float*)head.keys + block * size;
        for (int d = 0; d < head.size; d++, keys += kKeyBlock) {
            UNROLL for (int b = 0; b < BLOCKS; b++) {
                if (ahead) fetch_ahead(keys + b * size, 4 * kKeyBlock);
            }
            UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
                const Vec key = load<Vec>(keys + v / kKeyVectors * size + v % kKeyVectors * kLanes);
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
        const int near = QUERIES == 1 ? tokens - kPage / 4 / head.width : 0;
        for (int t = 0; t < tokens; t++, values += head.width) {
            if (t < near) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const Vec value = load<Vec>(values + v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) sum[i][v] += value * p[i * stride + t];
            }
        }
    }
};

// Keys and values as bfloat16, two elements of a key or two tokens' values in one lane.
struct Bfloat16Cache {
    static int key_bytes(const CacheHead& head) { return 2 * even(head.size) * kKeyBlock; }

    static void remember(const CacheHead& head, int position, const float* key, const float* value) {
        const size_t key_block = (size_t)(position / kKeyBlock) * even(head.size) * kKeyBlock;
        uint32_t* keys = (uint32_t*)head.keys + key_block / 2 + position % kKeyBlock;
        alignas(64) uint16_t rounded[kMaxHeadSize + 1];
        to_bfloat16(key, head.size, rounded);
        rounded[head.size] = 0;  // completes the last pair where the size is odd
        for (int d = 0; d < head.size; d += 2) keys[d / 2 * kKeyBlock] = load<uint32_t>(rounded + d);
        uint32_t* values = (uint32_t*)head.values + (size_t)(position / 2) * head.width;
        to_bfloat16(value, head.size, rounded);
        // The odd token's place may hold what another sequence left there; even NaN × 0 must be 0.
        if (position % 2 == 0) {
            for (int d = 0; d < head.size; d++) values[d] = rounded[d];
        } else {
            for (int d = 0; d < head.size; d++) values[d] = (values[d] & 0xffffu) | (uint32_t)rounded[d] << 16;
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

    template <int QUERIES, int BLOCKS>
    static void score(const CacheHead& head, int block, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&sum)[QUERIES][BLOCKS * kKeyVectors]) {
        const size_t size = (size_t)even(head.size) * kKeyBlock;
        const uint16_t* keys = (const uint16_t*)head.keys + block * size;
        for (int d = 0; d < head.size; d += 2, keys += 2 * kKeyBlock) {
            UNROLL for (int b = 0; b < BLOCKS; b++) {
                if (ahead) fetch_ahead(keys + b * size, 4 * kKeyBlock);
            }
            UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
                const IntVec key = load<IntVec>(keys + v / kKeyVectors * size + 2 * (v % kKeyVectors) * kLanes);
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
        const int near = QUERIES == 1 ? tokens - kPage / 2 / head.width : 0;
        for (int t = 0; t < tokens; t += 2, values += 2 * head.width) {
            if (t < near) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const IntVec value = load<IntVec>(values + 2 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    sum[i][v] = dot2(sum[i][v], value, all(load<int32_t>((const uint16_t*)(p + i * stride) + t)));
                }
            }
        }
    }
};

// Scores of the keys of some blocks, -∞ behind a query's own position, and the largest for each query so far.
template <class Cache, int QUERIES, int BLOCKS>
static inline void score_blocks(const CacheHead& head, int block, int position, bool ahead,
                                const typename Cache::template Queries<QUERIES>& queries, float* scores, size_t stride,
                                Vec (&most)[QUERIES]) {
    const float scale = 1 / __builtin_sqrtf((float)head.size);
    IntVec lane;
    for (int i = 0; i < kLanes; i++) lane[i] = i;
    Vec sum[QUERIES][BLOCKS * kKeyVectors] = {};
    Cache::template score<QUERIES, BLOCKS>(head, block, ahead, queries, sum);
    UNROLL for (int i = 0; i < QUERIES; i++) {
        UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
            const int begin = block * kKeyBlock + v * kLanes;
            const Vec seen = lane <= position + i - begin ? sum[i][v] * scale : all(-__builtin_inff());
            most[i] = maximum(most[i], seen);
            store(scores + i * stride + begin, seen);
        }
    }
}

// The same for all keys up to the last query's; returns each query's largest score. Two blocks at a time: a single one
// would have the multiplier wait for its own sums.
template <class Cache, int QUERIES>
static void score_all(const CacheHead& head, int position, const float* q, size_t q_stride, float* scores,
                      size_t stride, float (&largest)[QUERIES]) {
    const typename Cache::template Queries<QUERIES> queries(q, q_stride, head.size);
    const int blocks = (position + QUERIES + kKeyBlock - 1) / kKeyBlock;
    Vec most[QUERIES];
    for (int i = 0; i < QUERIES; i++) most[i] = all(-__builtin_inff());
    int block = 0;
    for (; block + 2 <= blocks; block += 2) {
        const bool ahead = QUERIES == 1 && (blocks - block) * Cache::key_bytes(head) > kPage;
        score_blocks<Cache, QUERIES, 2>(head, block, position, ahead, queries, scores, stride, most);
    }
    if (block < blocks) score_blocks<Cache, QUERIES, 1>(head, block, position, false, queries, scores, stride, most);
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
