// Keys and values as bytes with a scale for each token. What meets them, queries and probabilities, has two bytes.
#pragma once
#include "keys_values.h"

namespace cutaway {
namespace CUTAWAY_ISA {

// What is added to a byte of the cache to make it unsigned, as the multiplication wants it.
constexpr int kByteZero = kSignedOnly ? 0 : 128;

// Numbers as whole ones times a scale: x ≈ scale × q with |q| ≤ most, zeros behind the last up to a full register.
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

    template <int QUERIES>
    static void score(const CacheHead& head, int position, bool ahead, const Queries<QUERIES>& queries,
                      Vec (&scores)[QUERIES][kKeyVectors]) {
        const char* block = head.key_block(position);
        const uint8_t* keys = (const uint8_t*)block + kScaleBytes;
        IntVec high[QUERIES][kKeyVectors], low[QUERIES][kKeyVectors];
        UNROLL for (int i = 0; i < QUERIES; i++) {
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                high[i][v] = all(queries.high_begin[i]), low[i][v] = all(queries.low_begin[i]);
            }
        }
        if (ahead) fetch_ahead(block, kScaleBytes);
        for (int d = 0; d < head.size; d += 4, keys += 4 * kKeyBlock) {
            if (ahead) fetch_ahead(keys, 4 * kKeyBlock);
            UNROLL for (int v = 0; v < kKeyVectors; v++) {
                const IntVec key = load<IntVec>(keys + 4 * v * kLanes);
                UNROLL for (int i = 0; i < QUERIES; i++) {
                    high[i][v] = dot4(high[i][v], key, all(load<int32_t>(queries.high[i] + d)));
                    low[i][v] = dot4(low[i][v], key, all(load<int32_t>(queries.low[i] + d)));
                }
            }
        }
        UNROLL for (int v = 0; v < kKeyVectors; v++) {
            const Vec scale = load<Vec>(block + 4 * v * kLanes);
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

    static void expect(const CacheHead& head, int position) { fetch(head.value_block(position)); }

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
            if (t < near && t % kKeyBlock == 0) fetch_ahead(head.value_block(t), kScaleBytes);
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

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
