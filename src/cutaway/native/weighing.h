// The weights of a vocabulary's tokens, and which of its numbers are large. Bound: the level-2 cache.
#pragma once
#include "choice.h"
#include "simd.h"

namespace cutaway {
namespace CUTAWAY_ISA {

typedef double WideVec __attribute__((vector_size(8 * kLanes)));

// The numbers from a place on, with -∞ behind the last.
static inline Vec load_up_to(const float* numbers, int at, int n) {
    if (at + kLanes <= n) return load<Vec>(numbers + at);
    Vec rest = all(-__builtin_inff());
    for (int i = at; i < n; i++) rest[i - at] = numbers[i];
    return rest;
}

static double weigh(const float* logits, int n, float temperature, float* y, float* w, float* largest) {
    Vec most = all(-__builtin_inff());
    IntVec is_none = {};
    for (int i = 0; i < n; i += kLanes) {
        const Vec scaled = load_up_to(logits, i, n) / temperature;
        is_none |= (IntVec)(scaled != scaled);
        most = maximum(scaled, most);
        store(y + i, scaled);
    }
    *largest = sum_of(is_none) ? __builtin_nanf("") : maximum_of(most);
    WideVec sum = {};
    for (int i = 0; i < n; i += kLanes) {
        const Vec weight = exponential(load<Vec>(y + i) - *largest);
        sum += __builtin_convertvector(weight, WideVec);
        store(w + i, weight);
    }
    double total = 0;
    for (int i = 0; i < kLanes; i++) total += sum[i];
    return total;
}

static int at_least(const float* numbers, int n, float least, int32_t* places) {
    int count = 0;
#if defined(__AVX512F__)
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (int i = 0; i < n; i += kLanes) {
        const __mmask16 there = n - i < kLanes ? (1 << (n - i)) - 1 : 0xffff;
        const __mmask16 found = _mm512_mask_cmp_ps_mask(there, (__m512)load<Vec>(numbers + i), _mm512_set1_ps(least),
                                                        _CMP_GE_OQ);
        const __m512i packed = _mm512_maskz_compress_epi32(found, _mm512_add_epi32(lanes, _mm512_set1_epi32(i)));
        _mm512_storeu_si512(places + count, packed);
        count += __builtin_popcount(found);
    }
#else
    // Few are large as a rule, so four registers at a time are looked at together.
    constexpr int kTogether = 4 * kLanes;
    for (int begin = 0; begin < n; begin += kTogether) {
        const int end = begin + kTogether < n ? begin + kTogether : n;
        if (end - begin == kTogether) {
            IntVec found = {};
            UNROLL for (int v = 0; v < 4; v++) found |= (IntVec)(load<Vec>(numbers + begin + v * kLanes) >= least);
            if (sum_of(found) == 0) continue;
        }
        for (int i = begin; i < end; i++) {
            if (numbers[i] >= least) places[count++] = i;
        }
    }
#endif
    return count;
}

extern const Weighing weighing;
const Weighing weighing = {weigh, at_least};

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
