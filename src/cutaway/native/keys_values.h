// How keys and values are kept: as floats, as bfloat16 or as bytes with a scale for each token (layout.h draws them).
//
// Kinds of keys offer
//   remember    puts a token's key into its place
//   Queries     some queries as `score` reads them
//   score       q · k / √D of some queries for the keys of some blocks
// and kinds of values
//   remember    puts a token's value into its place
//   Weights     a query's probabilities as `mix` reads them: they `begin` where the scores are, `keep` puts them in
//               the place of some scores after the other, `finish` returns what the mixed values are to be multiplied by
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

    template <int QUERIES, int BLOCKS>
    static void score(const CacheHead& head, int position, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&scores)[QUERIES][BLOCKS * kKeyVectors]) {
        const float scale = 1 / root_of(head.size);
        const int size = head.size * kKeyBlock;
        const float* keys = (const float*)head.key_block(position);
        Vec sum[QUERIES][BLOCKS * kKeyVectors] = {};
        for (int d = 0; d < head.size; d++, keys += kKeyBlock) {
            UNROLL for (int b = 0; b < BLOCKS; b++) {
                if (ahead) fetch_ahead(keys + b * size, 4 * kKeyBlock);
            }
            UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
                const Vec key = load<Vec>(keys + v / kKeyVectors * size + v % kKeyVectors * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) sum[i][v] += key * queries.q[i][d];
            }
        }
        UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
            UNROLL for (int i = 0; i < QUERIES; i++) scores[i][v] = sum[i][v] * scale;
        }
    }
};

struct FloatValues {
    static constexpr int kVectors = 4;  // registers mixed at once

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

    template <int QUERIES, int BLOCKS>
    static void score(const CacheHead& head, int position, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&scores)[QUERIES][BLOCKS * kKeyVectors]) {
        const float scale = 1 / root_of(head.size);
        const int size = (head.size + 1) / 2 * 2 * kKeyBlock;
        const uint16_t* keys = (const uint16_t*)head.key_block(position);
        Vec sum[QUERIES][BLOCKS * kKeyVectors] = {};
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
        UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
            UNROLL for (int i = 0; i < QUERIES; i++) scores[i][v] = sum[i][v] * scale;
        }
    }
};

// Two tokens' values lie in one lane.
struct Bfloat16Values {
    static constexpr int kVectors = 4;

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

// What is added to a byte of the cache to make it unsigned, as the multiplication wants it.
constexpr int kByteZero = kSignedOnly ? 0 : 128;

// Numbers as whole ones times a scale: x ≈ scale × q with |q| ≤ most, zeros behind the last up to a whole register.
struct WholeNumbers {
    alignas(64) int32_t q[kMaxHeadSize];
    float scale;

    WholeNumbers(const float* x, int count, int most) {
        alignas(64) float padded[kMaxHeadSize];
        const int end = (count + kLanes - 1) / kLanes * kLanes;
        for (int i = end - kLanes; i < end; i++) padded[i] = 0;
        for (int i = 0; i < count; i++) padded[i] = x[i];
        Vec largest = {};
        for (int i = 0; i < end; i += kLanes) largest = maximum(largest, absolute(load<Vec>(padded + i)));
        const float widest = maximum_of(largest), inverse = widest > 0 ? most / widest : 0;
        for (int i = 0; i < end; i += kLanes) store(q + i, rounded(load<Vec>(padded + i) * inverse));
        scale = widest / most;
    }
};

// A whole number as 256 high + low, both of them signed bytes.
constexpr int kMostInTwoBytes = 127 * 256;
static inline IntVec high_of(IntVec q) { return (q + 128) >> 8; }

static inline Vec from_two_bytes(IntVec high, IntVec low) {
    return __builtin_convertvector(high, Vec) * 256.0f + __builtin_convertvector(low, Vec);
}

// Four elements of a key lie in one lane. Queries have two bytes, so that only keys lose anything.
struct ByteKeys {
    static void remember(const CacheHead& head, int position, const float* key) {
        char* block = head.key_block(position);
        const int token = position % kKeyBlock;
        const WholeNumbers whole(key, head.size, 127);
        ((float*)block)[token] = whole.scale;
        uint32_t* keys = (uint32_t*)(block + kScaleBytes) + token;
        alignas(64) uint8_t bytes[kMaxHeadSize];
        for (int d = 0; d < head.size; d += kLanes) {
            store(bytes + d, __builtin_convertvector(load<IntVec>(whole.q + d) + kByteZero, ByteVec));
        }
        for (int d = 0; d < head.size; d += 4) keys[d / 4 * kKeyBlock] = load<uint32_t>(bytes + d);
    }

    template <int QUERIES>
    struct Queries {
        int8_t high[QUERIES][kMaxHeadSize], low[QUERIES][kMaxHeadSize];
        int32_t high_begin[QUERIES], low_begin[QUERIES];  // undo the zero point of the keys
        float scale[QUERIES];

        Queries(const float* from, size_t stride, int size) {
            for (int i = 0; i < QUERIES; i++) {
                const WholeNumbers whole(from + i * stride, size, kMostInTwoBytes);
                IntVec high_sum = {}, low_sum = {};
                for (int d = 0; d < size; d += kLanes) {
                    const IntVec q = load<IntVec>(whole.q + d), up = high_of(q), down = q - up * 256;
                    store(high[i] + d, __builtin_convertvector(up, ByteVec));
                    store(low[i] + d, __builtin_convertvector(down, ByteVec));
                    high_sum += up, low_sum += down;
                }
                high_begin[i] = -kByteZero * sum_of(high_sum), low_begin[i] = -kByteZero * sum_of(low_sum);
                scale[i] = whole.scale / root_of(size);
            }
        }
    };

    template <int QUERIES, int BLOCKS>
    static void score(const CacheHead& head, int position, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&scores)[QUERIES][BLOCKS * kKeyVectors]) {
        const char* block = head.key_block(position);
        const uint8_t* keys = (const uint8_t*)block + kScaleBytes;
        IntVec high[QUERIES][BLOCKS * kKeyVectors], low[QUERIES][BLOCKS * kKeyVectors];
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
                high[i][v] = all(queries.high_begin[i]), low[i][v] = all(queries.low_begin[i]);
            }
        }
        for (int d = 0; d < head.size; d += 4, keys += 4 * kKeyBlock) {
            UNROLL for (int b = 0; b < BLOCKS; b++) {
                if (ahead) fetch_ahead(keys + b * head.key_bytes, 4 * kKeyBlock);
            }
            UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
                const IntVec key =
                    load<IntVec>(keys + v / kKeyVectors * head.key_bytes + 4 * (v % kKeyVectors) * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    high[i][v] = dot4(high[i][v], key, all(load<int32_t>(queries.high[i] + d)));
                    low[i][v] = dot4(low[i][v], key, all(load<int32_t>(queries.low[i] + d)));
                }
            }
        }
        UNROLL for (int v = 0; v < BLOCKS * kKeyVectors; v++) {
            const Vec scale = load<Vec>(block + v / kKeyVectors * head.key_bytes + 4 * (v % kKeyVectors) * kLanes);
            UNROLL for (int i = 0; i < QUERIES; i++) {
                scores[i][v] = from_two_bytes(high[i][v], low[i][v]) * queries.scale[i] * scale;
            }
        }
    }
};

// Four tokens' values lie in one lane. A probability takes up its token's scale and then has two bytes: one would lose
// the many small ones next to a large one.
struct ByteValues {
    static constexpr int kVectors = 2;

    static void remember(const CacheHead& head, int position, const float* value) {
        char* block = head.value_block(position);
        const int token = position % kKeyBlock, shift = token % 4 * 8;
        const WholeNumbers whole(value, head.size, 127);
        ((float*)block)[token] = whole.scale;
        uint32_t* values = (uint32_t*)(block + kScaleBytes) + token / 4 * head.width;
        for (int d = 0; d < head.size; d += kLanes) {
            const BitVec byte = (BitVec)(load<IntVec>(whole.q + d) + kByteZero) & 0xffu;
            store(values + d, (load<BitVec>(values + d) & ~(0xffu << shift)) | byte << shift);
        }
    }

    // The bytes of as many tokens as a register has lanes follow each other, first the high, then the low ones. They
    // never overtake the floats that they are made of.
    struct Weights {
        float* p;
        Vec most;
        int32_t high_begin, low_begin;  // undo the zero point of the values

        void begin(float* scores) { p = scores, most = Vec{}; }

        // Where nothing is seen the scale may be what another sequence left there; even NaN × 0 must be 0.
        void keep(const CacheHead& head, int token, Vec probabilities) {
            const Vec scales = load<Vec>(head.value_block(token) + token % kKeyBlock * 4);
            const Vec weighed = probabilities > 0.0f ? probabilities * scales : Vec{};
            most = maximum(most, weighed);
            store(p + token, weighed);
        }

        float finish(int tokens) {
            const float largest = maximum_of(most), inverse = largest > 0 ? kMostInTwoBytes / largest : 0;
            IntVec high_sum = {}, low_sum = {};
            for (int t = 0; t < tokens; t += kLanes) {
                const IntVec q = rounded(load<Vec>(p + t) * inverse), high = high_of(q), low = q - high * 256;
                store(bytes(t), __builtin_convertvector(high, ByteVec));
                store(bytes(t) + kLanes, __builtin_convertvector(low, ByteVec));
                high_sum += high, low_sum += low;
            }
            high_begin = -kByteZero * sum_of(high_sum), low_begin = -kByteZero * sum_of(low_sum);
            return largest / kMostInTwoBytes;
        }

        int8_t* bytes(int token) const { return (int8_t*)p + token / kLanes * 2 * kLanes + token % kLanes; }
    };

    template <int QUERIES, int VECTORS>
    static void mix(const CacheHead& head, int tokens, int column, const Weights* weights,
                    Vec (&sum)[QUERIES][VECTORS]) {
        IntVec high[QUERIES][VECTORS], low[QUERIES][VECTORS];
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < VECTORS; v++) {
                high[i][v] = all(weights[i].high_begin), low[i][v] = all(weights[i].low_begin);
            }
        }
        const int near = QUERIES == 1 ? tokens - kPage / head.width : 0;
        for (int t = 0; t < tokens; t += 4) {
            const char* values = head.value_block(t) + kScaleBytes + (t % kKeyBlock * head.width + 4 * column);
            if (t < near) fetch_ahead(values, 4 * VECTORS * kLanes);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                const IntVec value = load<IntVec>(values + 4 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    const int8_t* bytes = weights[i].bytes(t);
                    high[i][v] = dot4(high[i][v], value, all(load<int32_t>(bytes)));
                    low[i][v] = dot4(low[i][v], value, all(load<int32_t>(bytes + kLanes)));
                }
            }
        }
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] = from_two_bytes(high[i][v], low[i][v]);
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
