// How keys and values are kept: as floats, as bfloat16 or as bytes with a scale for each token (layout.h draws them).
//
// Kinds of keys offer
//   remember    puts a token's key into its place
//   Queries     some queries as `score` reads them
//   score       q · k / √D of some queries for the keys of some blocks
// and kinds of values
//   remember    puts a token's value into its place
//   expect      fetches what of a block is read before the values are mixed
//   Weights     a query's probabilities as `mix` reads them: they `begin` where the scores are, `keep` puts them in
//               the place of some scores after the other, `finish` returns what mixed values are to be multiplied by
//   mix         Σ p v over the first tokens, for some registers of the head
//
// `ahead` and QUERIES == 1 fetch what is read a page later.
#pragma once
#include "layout.h"
#include "simd.h"

namespace cutaway {
namespace CUTAWAY_ISA {

constexpr int kKeyVectors = kKeyBlock / kLanes;

// The nearest bfloat16 of so many floats.
static inline void to_bfloat16(const float* from, int count, uint16_t* to) {
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) store(to + i, to_bfloat16(load<Vec>(from + i)));
    for (; i < count; i++) to[i] = to_bfloat16(all(from[i]))[0];
}

// A sum of products is formed in parts, of which each takes every fourth: one alone would have the multiplier wait for
// its own results.
constexpr int kParts = 4;

// Calls add(element, part) for all elements, some side by side.
template <class Sum, class Add>
static inline void in_parts(int size, int together, Sum (&sum)[kParts], Add add) {
    int d = 0;
    for (; d + kParts * together <= size; d += kParts * together) {
        UNROLL for (int part = 0; part < kParts; part++) add(d + part * together, sum[part]);
    }
    for (; d < size; d += together) add(d, sum[0]);
}

template <int QUERIES>
static inline void join(const Vec (&sum)[kParts][QUERIES][kKeyVectors], float scale,
                        Vec (&scores)[QUERIES][kKeyVectors]) {
    UNROLL for (int v = 0; v < kKeyVectors; v++) {
        UNROLL for (int i = 0; i < QUERIES; i++) {
            scores[i][v] = ((sum[0][i][v] + sum[1][i][v]) + (sum[2][i][v] + sum[3][i][v])) * scale;
        }
    }
}

static inline float root_of(int size) { return __builtin_sqrtf((float)size); }

struct FloatKeys {
    static void remember(const CacheHead& head, int position, const float* key) {
        float* keys = (float*)head.key_block(position) + position % kKeyBlock;
        for (int d = 0; d < head.size; d++) keys[d * kKeyBlock] = key[d];
    }

    template <int QUERIES>
    struct Queries {
        const float* q[QUERIES];
        Queries(const float* from, size_t stride, int) {
            for (int i = 0; i < QUERIES; i++) q[i] = from + i * stride;
        }
    };

    template <int QUERIES>
    static void score(const CacheHead& head, int position, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&scores)[QUERIES][kKeyVectors]) {
        const float* keys = (const float*)head.key_block(position);
        Vec sum[kParts][QUERIES][kKeyVectors] = {};
        const auto add = [&](int d, Vec (&part)[QUERIES][kKeyVectors]) {
            if (ahead) fetch_ahead(keys, 4 * kKeyBlock);
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const Vec key = load<Vec>(keys + v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) part[i][v] += key * queries.q[i][d];
            }
            keys += kKeyBlock;
        };
        in_parts(head.size, 1, sum, add);
        join(sum, 1 / root_of(head.size), scores);
    }
};

struct FloatValues {
    static constexpr int kVectors = 4;  // registers mixed at once

    static void expect(const CacheHead&, int) {}

    static void remember(const CacheHead& head, int position, const float* value) {
        float* values = (float*)head.value_block(position) + position % kKeyBlock * head.width;
        for (int d = 0; d < head.size; d++) values[d] = value[d];
    }

    struct Weights {
        float* p;
        void begin(float* scores) { p = scores; }
        void keep(const CacheHead&, int token, Vec probabilities) { store(p + token, probabilities); }
        float finish(int) { return 1; }
    };

    template <int QUERIES, int VECTORS>
    static void mix(const CacheHead& head, int tokens, int column, const Weights* weights,
                    Vec (&sum)[QUERIES][VECTORS]) {
        const float* values = (const float*)head.values + column;
        const int near = QUERIES == 1 ? tokens - kPage / 4 / head.width : 0;
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] = Vec{};
        }
        for (int t = 0; t < tokens; t++, values += head.width) {
            if (t < near) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const Vec value = load<Vec>(values + v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) sum[i][v] += value * weights[i].p[t];
            }
        }
    }
};

// Two elements of a key lie in one lane.
struct Bfloat16Keys {
    static void remember(const CacheHead& head, int position, const float* key) {
        uint32_t* keys = (uint32_t*)head.key_block(position) + position % kKeyBlock;
        alignas(64) uint16_t rounded[kMaxHeadSize + 1];
        to_bfloat16(key, head.size, rounded);
        rounded[head.size] = 0;  // completes the last pair where the size is odd
        for (int d = 0; d < head.size; d += 2) keys[d / 2 * kKeyBlock] = load<uint32_t>(rounded + d);
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
    static void score(const CacheHead& head, int position, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&scores)[QUERIES][kKeyVectors]) {
        const uint16_t* keys = (const uint16_t*)head.key_block(position);
        Vec sum[kParts][QUERIES][kKeyVectors] = {};
        const auto add = [&](int d, Vec (&part)[QUERIES][kKeyVectors]) {
            if (ahead) fetch_ahead(keys, 4 * kKeyBlock);
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const IntVec key = load<IntVec>(keys + 2 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    part[i][v] = dot2(part[i][v], key, all(load<int32_t>(queries.q[i] + d)));
                }
            }
            keys += 2 * kKeyBlock;
        };
        in_parts(head.size, 2, sum, add);
        join(sum, 1 / root_of(head.size), scores);
    }
};

// Two tokens' values lie in one lane.
struct Bfloat16Values {
    static constexpr int kVectors = 4;

    static void expect(const CacheHead&, int) {}

    static void remember(const CacheHead& head, int position, const float* value) {
        const int pair = position % kKeyBlock / 2;
        uint32_t* values = (uint32_t*)head.value_block(position) + pair * head.width;
        alignas(64) uint16_t rounded[kMaxHeadSize];
        to_bfloat16(value, head.size, rounded);
        // The odd token's place may hold what another sequence left there; even NaN × 0 must be 0.
        if (position % 2 == 0) {
            for (int d = 0; d < head.size; d++) values[d] = rounded[d];
        } else {
            for (int d = 0; d < head.size; d++) values[d] = (values[d] & 0xffffu) | (uint32_t)rounded[d] << 16;
        }
    }

    // They take the first half of the room.
    struct Weights {
        uint16_t* p;
        void begin(float* scores) { p = (uint16_t*)scores; }
        void keep(const CacheHead&, int token, Vec probabilities) { store(p + token, to_bfloat16(probabilities)); }
        float finish(int) { return 1; }
    };

    template <int QUERIES, int VECTORS>
    static void mix(const CacheHead& head, int tokens, int column, const Weights* weights,
                    Vec (&sum)[QUERIES][VECTORS]) {
        const uint16_t* values = (const uint16_t*)head.values + 2 * column;
        const int near = QUERIES == 1 ? tokens - kPage / 2 / head.width : 0;
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] = Vec{};
        }
        for (int t = 0; t < tokens; t += 2, values += 2 * head.width) {
            if (t < near) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const IntVec value = load<IntVec>(values + 2 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    sum[i][v] = dot2(sum[i][v], value, all(load<int32_t>(weights[i].p + t)));
                }
            }
        }
    }
};

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
