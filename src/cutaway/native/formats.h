// The four formats of weights: how rows are stored to be multiplied, and the multiplication itself.
//
// Each format offers
//   put        stores 64 floats of a row
//   multiply   sum[t][v] += row t · outputs of vector v, for a tile of rows × vectors held in registers
//   weight     one number of a packed matrix, for reading embeddings
//
// `multiply` adds the inputs in order, whatever the tile. A row's result therefore depends on no other row.
//
// Bound: with one row every weight is read once and used once, so memory decides, and weights are fetched ahead. With
// many rows a tile uses each weight from the cache `ROWS` times, and the multiplier decides.
#pragma once
#include "layout.h"
#include "simd.h"

namespace cutaway {
namespace CUTAWAY_ISA {

// Where a multiplication reads: a matrix's block from some column on, and rows from some row on.
struct Operands {
    const Matrix& matrix;
    const Rows& rows;
    int block, column, row;
    bool fetch;  // whether the block is read for the first time

    template <class T>
    const T* weights() const {
        return (const T*)(matrix.weights + block * matrix.block_bytes);
    }
    template <class T>
    const T* values(int t) const {
        return (const T*)rows.values + (size_t)(row + t) * rows.inputs;
    }
};

static inline void fetch_ahead(const void* at, int bytes) {
    for (int i = 0; i < bytes; i += 64) __builtin_prefetch((const char*)at + 4096 + i);
}

struct Float32 {
    static void put(const Rows& rows, int row, int column, const float* values) {
        float* to = (float*)rows.values + (size_t)row * rows.inputs + column;
        for (int i = 0; i < kBlock; i++) to[i] = values[i];
    }

    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const float* w = from.weights<float>() + from.column;
        const float* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<float>(t);
        const int inputs = from.matrix.inputs;
        for (int k = 0; k < inputs; k++, w += kBlock) {
            if (ROWS == 1 || from.fetch) fetch_ahead(w, 4 * kBlock);
            Vec weight[VECTORS];
            UNROLL for (int v = 0; v < VECTORS; v++) weight[v] = load<Vec>(w + v * kLanes);
            UNROLL for (int t = 0; t < ROWS; t++) {
                UNROLL for (int v = 0; v < VECTORS; v++) sum[t][v] += weight[v] * x[t][k];
            }
        }
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const float* w = (const float*)(matrix.weights + output / kBlock * matrix.block_bytes);
        return w[(size_t)input * kBlock + output % kBlock];
    }
};

struct Bfloat16 {
    static void put(const Rows& rows, int row, int column, const float* values) {
        uint16_t* to = (uint16_t*)rows.values + (size_t)row * rows.inputs + column;
        for (int i = 0; i < kBlock; i += kLanes) store(to + i, to_bfloat16(load<Vec>(values + i)));
    }

    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const uint16_t* w = from.weights<uint16_t>() + 2 * from.column;
        const uint16_t* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<uint16_t>(t);
        const int inputs = from.matrix.inputs;
        for (int k = 0; k < inputs; k += 2, w += 2 * kBlock) {
            if (ROWS == 1 || from.fetch) fetch_ahead(w, 4 * kBlock);
            IntVec weight[VECTORS];
            UNROLL for (int v = 0; v < VECTORS; v++) weight[v] = load<IntVec>(w + 2 * v * kLanes);
            UNROLL for (int t = 0; t < ROWS; t++) {
                const IntVec pair = all(load<int32_t>(x[t] + k));
                UNROLL for (int v = 0; v < VECTORS; v++) sum[t][v] = dot2(sum[t][v], weight[v], pair);
            }
        }
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const uint16_t* w = (const uint16_t*)(matrix.weights + output / kBlock * matrix.block_bytes);
        const uint32_t bits = w[(size_t)(input / 2) * 2 * kBlock + output % kBlock * 2 + input % 2];
        const uint32_t moved = bits << 16;
        return load<float>(&moved);
    }
};

// Rows of signed bytes with one scale for each GROUP of inputs: x = scale × q with |q| ≤ 127.
template <int GROUP, int ZERO>
static void put_bytes(const Rows& rows, int row, int column, const float* values) {
    const int groups = rows.inputs / GROUP;
    for (int begin = 0; begin < kBlock; begin += GROUP) {
        Vec most = {};
        for (int i = 0; i < GROUP; i += kLanes) most = maximum(most, absolute(load<Vec>(values + begin + i)));
        const float largest = maximum_of(most), inverse = largest > 0 ? 127 / largest : 0;
        IntVec sum = {};
        int8_t* to = (int8_t*)rows.values + (size_t)row * rows.inputs + column + begin;
        for (int i = 0; i < GROUP; i += kLanes) {
            const IntVec q = rounded(load<Vec>(values + begin + i) * inverse);
            store(to + i, __builtin_convertvector(q, ByteVec));
            sum += q;
        }
        const size_t group = (size_t)row * groups + (column + begin) / GROUP;
        rows.scales[group] = largest / 127;
        rows.offsets[group] = -ZERO * sum_of(sum);
    }
}

// sum += scale of the weights × scale of the row × dot: what both integer formats do at the end of a group.
template <int ROWS, int VECTORS>
static inline void add_group(const uint16_t* scales, const float (&scale)[ROWS], const IntVec (&dot)[ROWS][VECTORS],
                             Vec (&sum)[ROWS][VECTORS]) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const Vec of_weights = load_float16(scales + v * kLanes);
        UNROLL for (int t = 0; t < ROWS; t++) {
            sum[t][v] += __builtin_convertvector(dot[t][v], Vec) * (of_weights * scale[t]);
        }
    }
}

struct Int8 {
    static constexpr int kGroup = 64, kZero = 128;

    static void put(const Rows& rows, int row, int column, const float* values) {
        put_bytes<kGroup, kZero>(rows, row, column, values);
    }

    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const int groups = from.matrix.inputs / kGroup;
        const uint8_t* w = from.weights<uint8_t>() + 4 * from.column;
        const uint16_t* scales = from.matrix.scales + (size_t)from.block * groups * kBlock + from.column;
        const int8_t* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<int8_t>(t);
        for (int g = 0; g < groups; g++, scales += kBlock) {
            IntVec dot[ROWS][VECTORS];
            float scale[ROWS];
            UNROLL for (int t = 0; t < ROWS; t++) {
                const size_t group = (size_t)(from.row + t) * groups + g;
                scale[t] = from.rows.scales[group];
                const IntVec start = all(kSignedOnly ? 0 : from.rows.offsets[group]);
                UNROLL for (int v = 0; v < VECTORS; v++) dot[t][v] = start;
            }
            for (int k = g * kGroup; k < (g + 1) * kGroup; k += 4, w += 4 * kBlock) {
                if (ROWS == 1 || from.fetch) fetch_ahead(w, 4 * kBlock);
                IntVec weight[VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) {
                    weight[v] = load<IntVec>(w + 4 * v * kLanes) ^ (kSignedOnly ? (int32_t)0x80808080 : 0);
                }
                UNROLL for (int t = 0; t < ROWS; t++) {
                    const IntVec four = all(load<int32_t>(x[t] + k));
                    UNROLL for (int v = 0; v < VECTORS; v++) dot[t][v] = dot4(dot[t][v], weight[v], four);
                }
            }
            add_group(scales, scale, dot, sum);
        }
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const int block = output / kBlock, lane = output % kBlock, groups = matrix.inputs / kGroup;
        const uint8_t* w = (const uint8_t*)(matrix.weights + block * matrix.block_bytes);
        const int q = w[(size_t)(input / 4) * 4 * kBlock + lane * 4 + input % 4] - kZero;
        return scale_of(matrix, ((size_t)block * groups + input / kGroup) * kBlock, lane) * q;
    }

    static float scale_of(const Matrix& matrix, size_t group, int lane) {
        float scales[kLanes];
        store(scales, load_float16(matrix.scales + group + lane / kLanes * kLanes));
        return scales[lane % kLanes];
    }
};

struct Int4 {
    static constexpr int kGroup = 32, kZero = 8;

    static void put(const Rows& rows, int row, int column, const float* values) {
        put_bytes<kGroup, kZero>(rows, row, column, values);
    }

    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const int groups = from.matrix.inputs / kGroup;
        const uint8_t* w = from.weights<uint8_t>() + 4 * from.column;
        const uint16_t* scales = from.matrix.scales + (size_t)from.block * groups * kBlock + from.column;
        const int8_t* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<int8_t>(t);
        for (int g = 0; g < groups; g++, scales += kBlock) {
            IntVec dot[ROWS][VECTORS];
            float scale[ROWS];
            UNROLL for (int t = 0; t < ROWS; t++) {
                const size_t group = (size_t)(from.row + t) * groups + g;
                scale[t] = from.rows.scales[group];
                UNROLL for (int v = 0; v < VECTORS; v++) dot[t][v] = all(from.rows.offsets[group]);
            }
            for (int k = g * kGroup; k < (g + 1) * kGroup; k += 8, w += 4 * kBlock) {
                if (ROWS == 1 || from.fetch) fetch_ahead(w, 4 * kBlock);
                IntVec weight[VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) weight[v] = load<IntVec>(w + 4 * v * kLanes);
                UNROLL for (int half = 0; half < 2; half++) {
                    UNROLL for (int t = 0; t < ROWS; t++) {
                        const IntVec four = all(load<int32_t>(x[t] + k + 4 * half));
                        UNROLL for (int v = 0; v < VECTORS; v++) {
                            const IntVec nibbles = (weight[v] >> (4 * half)) & 0x0f0f0f0f;
                            dot[t][v] = dot4(dot[t][v], nibbles, four);
                        }
                    }
                }
            }
            add_group(scales, scale, dot, sum);
        }
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const int block = output / kBlock, lane = output % kBlock, groups = matrix.inputs / kGroup;
        const uint8_t* w = (const uint8_t*)(matrix.weights + block * matrix.block_bytes);
        const int both = w[(size_t)(input / 8) * 4 * kBlock + lane * 4 + input % 4];
        const int q = (input % 8 < 4 ? both & 15 : both >> 4) - kZero;
        return Int8::scale_of(matrix, ((size_t)block * groups + input / kGroup) * kBlock, lane) * q;
    }
};

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
