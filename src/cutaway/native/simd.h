// A register of floats or ints, whatever its width here, and the few operations that compilers do not offer alike.
//
// GCC's and Clang's vector types give + - * & << and comparisons for every machine; this file is compiled once for
// each instruction set, in a namespace of its own. It must not use inline functions from elsewhere: the linker keeps
// one copy of each, and that might be the one with instructions this processor lacks.
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

namespace cutaway {
namespace CUTAWAY_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 6, kTileVectors = 4;  // 24 of 32 registers hold sums
#elif defined(__AVX2__)
constexpr int kLanes = 8, kTileRows = 6, kTileVectors = 2;  // 12 of 16
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileRows = 6, kTileVectors = 4;  // 24 of 32
#else
constexpr int kLanes = 4, kTileRows = 4, kTileVectors = 2;  // 8 of 16
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef uint32_t BitVec __attribute__((vector_size(4 * kLanes)));
typedef uint16_t HalfVec __attribute__((vector_size(2 * kLanes)));
typedef int8_t ByteVec __attribute__((vector_size(kLanes)));

template <class T>
static inline T load(const void* from) {
    T value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
static inline void store(void* to, T value) {
    __builtin_memcpy(to, &value, sizeof value);
}

// Brings a line of memory into the level-2 cache: the first level has too few places for what is on its way.
static inline void fetch(const char* line) { __builtin_prefetch(line, 0, 2); }

constexpr int kPage = 4096;

// Brings what will be read a page later. Processors look ahead by themselves, but start anew at every page.
static inline void fetch_ahead(const void* at, int bytes) {
    for (int i = 0; i < bytes; i += 64) fetch((const char*)at + kPage + i);
}

static inline Vec all(float x) { return x - Vec{}; }
static inline IntVec all(int32_t x) { return x + IntVec{}; }
static inline Vec maximum(Vec a, Vec b) { return a > b ? a : b; }
static inline Vec absolute(Vec x) { return (Vec)((BitVec)x & 0x7fffffffu); }

static inline float sum_of(Vec x) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)x);
#else
    float sum = 0;
    for (int i = 0; i < kLanes; i++) sum += x[i];
    return sum;
#endif
}

static inline int32_t sum_of(IntVec x) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_epi32((__m512i)x);
#else
    int32_t sum = 0;
    for (int i = 0; i < kLanes; i++) sum += x[i];
    return sum;
#endif
}

static inline float maximum_of(Vec x) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)x);
#else
    float most = x[0];
    for (int i = 1; i < kLanes; i++) most = x[i] > most ? x[i] : most;
    return most;
#endif
}

// Floats that are small integers plus 1.5 × 2²³ hold the integer in their lowest bits: adding it rounds to nearest.
static inline IntVec rounded(Vec x) {
    const Vec magic = all(12582912.0f);
    return (IntVec)(x + magic) - (IntVec)magic;
}

// eˣ within 2 units in the last place, for x ≤ 88; 0 below -87.
//
// eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2, where eʳ is its Taylor polynomial to r⁷. ln 2 is split in two, the first part short
// enough for n × ln 2 to be exact.
static inline Vec exponential(Vec x) {
    const IntVec n = rounded(x * 1.44269504f);
    const Vec whole = __builtin_convertvector(n, Vec);
    const Vec r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Vec p = all(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const Vec power = (Vec)((n + 127) << 23);
    return x > -87.0f ? p * power : Vec{};
}

// GELU in the tanh form: x/2 (1 + tanh u) = x / (1 + e⁻²ᵘ) with u = √(2/π) (x + 0.044715 x³).
static inline Vec gelu(Vec x) {
    const Vec twice_u = x * (1.5957691216f + 0.0713548163f * x * x);
    const Vec exponent = maximum(-twice_u, all(-80.0f));
    return x / (1.0f + exponential(exponent < 80.0f ? exponent : all(80.0f)));
}

// Float to the nearest bfloat16, ties to even.
static inline HalfVec to_bfloat16(Vec x) {
    const BitVec bits = (BitVec)x;
    return __builtin_convertvector((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16, HalfVec);
}

static inline Vec load_float16(const uint16_t* from) {
#if defined(__AVX512F__)
    return (Vec)_mm512_cvtph_ps(load<__m256i>(from));
#elif defined(__F16C__)
    return (Vec)_mm256_cvtph_ps(load<__m128i>(from));
#else
    // Exponent and fraction moved into place are the number divided by 2¹¹², subnormal or not.
    const BitVec bits = __builtin_convertvector(load<HalfVec>(from), BitVec);
    return (Vec)(((bits & 0x7fffu) << 13) | ((bits & 0x8000u) << 16)) * 0x1p112f;
#endif
}

// sum + the products of the two bfloat16 in each lane.
static inline Vec dot2(Vec sum, IntVec a, IntVec b) {
#if defined(__AVX512BF16__)
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    sum += (Vec)(a << 16) * (Vec)(b << 16);
    return sum + (Vec)((BitVec)a & 0xffff0000u) * (Vec)((BitVec)b & 0xffff0000u);
#endif
}

// NEON multiplies signed bytes only. Flipping the top bit of q + 128 gives q, and the zero point is gone.
#if defined(__ARM_FEATURE_DOTPROD)
constexpr bool kSignedOnly = true;
#else
constexpr bool kSignedOnly = false;
#endif

// sum + the products of the four bytes in each lane, those of w unsigned, those of x signed.
static inline IntVec dot4(IntVec sum, IntVec w, IntVec x) {
#if defined(__AVX512VNNI__)
    // GCC 12 copies the accumulator of the intrinsic to memory and back; the bare instruction stays in its register.
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
#elif defined(__AVXVNNI__)
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(w), "x"(x));
    return sum;
#elif defined(__AVX2__)
    // Products of bytes in pairs could overflow 16 bits in one step, so even and odd bytes go separately.
    const __m256i even = _mm256_and_si256((__m256i)w, _mm256_set1_epi16(0xff)), odd = _mm256_srli_epi16((__m256i)w, 8);
    const __m256i x_even = _mm256_srai_epi16(_mm256_slli_epi16((__m256i)x, 8), 8);
    const __m256i x_odd = _mm256_srai_epi16((__m256i)x, 8);
    return sum + (IntVec)_mm256_madd_epi16(even, x_even) + (IntVec)_mm256_madd_epi16(odd, x_odd);
#elif defined(__ARM_FEATURE_DOTPROD)
    return (IntVec)vdotq_s32((int32x4_t)sum, (int8x16_t)w, (int8x16_t)x);
#else
    UNROLL for (int byte = 0; byte < 32; byte += 8) {
        sum += (IntVec)(((BitVec)w >> byte) & 0xffu) * ((IntVec)((BitVec)x << (24 - byte)) >> 24);
    }
    return sum;
#endif
}

// The same where bytes of w are below 16, for up to 8 steps: their products then fit 16 bits, two sums in a lane, which
// takes half the instructions where one for four products is missing. `join_pairs` adds the two up.
#if defined(__AVX2__) && !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
constexpr bool kPairs = true;
static inline IntVec dot_pairs(IntVec sum, IntVec w, IntVec x) {
    return (IntVec)_mm256_add_epi16((__m256i)sum, _mm256_maddubs_epi16((__m256i)w, (__m256i)x));
}
static inline IntVec join_pairs(IntVec sum) { return (IntVec)_mm256_madd_epi16((__m256i)sum, _mm256_set1_epi16(1)); }
#else
constexpr bool kPairs = false;
static inline IntVec dot_pairs(IntVec sum, IntVec w, IntVec x) { return dot4(sum, w, x); }
static inline IntVec join_pairs(IntVec sum) { return sum; }
#endif

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
