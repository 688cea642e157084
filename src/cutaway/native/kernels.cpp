// The kernels of one instruction set. The build compiles this file several times, each time with other flags and
// CUTAWAY_ISA set to the name they have (isa.cpp chooses among them when the library is loaded).
#include "attention.h"
#include "formats.h"
#include "weighing.h"

namespace cutaway {
namespace CUTAWAY_ISA {

// Bias + rows · one block of 64 outputs for ROWS rows, in strips of as many outputs as registers allow.
template <class F, int ROWS>
static void multiply_rows(const Matrix& matrix, int block, const Rows& in, int row, Fetch fetch,
                          float (&out)[kTileRows][kBlock]) {
    constexpr int kAlone = kBlock / kLanes / (kLanes < 16 ? F::kPlanes : 1);
    constexpr int kVectors = ROWS == 1 ? kAlone : kTileVectors;
    for (int column = 0; column < kBlock; column += kVectors * kLanes) {
        Vec sum[ROWS][kVectors];
        const float* bias = matrix.bias + block * kBlock + column;
        UNROLL for (int t = 0; t < ROWS; t++) {
            UNROLL for (int v = 0; v < kVectors; v++) sum[t][v] = load<Vec>(bias + v * kLanes);
        }
        F::multiply(Operands{matrix, in, block, column, row, column == 0 ? fetch : Fetch::none()}, sum);
        UNROLL for (int t = 0; t < ROWS; t++) {
            UNROLL for (int v = 0; v < kVectors; v++) store(out[t] + column + v * kLanes, sum[t][v]);
        }
    }
}

// Calls finish(row, 64 outputs of it) for every row. Rows are split evenly: 8 are 4 + 4 rather than 6 + 2.
template <class F, class Finish>
static void multiply_block(const Matrix& matrix, int block, const Rows& in, int rows, Finish finish) {
    constexpr int kMost = kTileRows / F::kPlanes;
    alignas(64) float out[kTileRows][kBlock];
    const int all_tiles = (rows + kMost - 1) / kMost;
    for (int row = 0, tile; row < rows; row += tile) {
        const int tiles = (rows - row + kMost - 1) / kMost;
        tile = (rows - row + tiles - 1) / tiles;
        const Fetch fetch = Fetch::of_tile(matrix, block, all_tiles - tiles, all_tiles);
        switch (tile) {
            case 1: multiply_rows<F, 1>(matrix, block, in, row, fetch, out); break;
            case 2: multiply_rows<F, 2>(matrix, block, in, row, fetch, out); break;
            case 3: multiply_rows<F, kMost < 3 ? kMost : 3>(matrix, block, in, row, fetch, out); break;
            case 4: multiply_rows<F, kMost < 4 ? kMost : 4>(matrix, block, in, row, fetch, out); break;
            case 5: multiply_rows<F, kMost < 5 ? kMost : 5>(matrix, block, in, row, fetch, out); break;
            default: multiply_rows<F, kMost>(matrix, block, in, row, fetch, out);
        }
        for (int t = 0; t < tile; t++) finish(row + t, out[t]);
    }
}

template <class F>
static void store_block(const Matrix& matrix, int block, const Rows& in, int rows, float* out, size_t stride,
                        int columns) {
    multiply_block<F>(matrix, block, in, rows, [=](int row, const float* values) {
        float* to = out + row * stride + (size_t)block * kBlock;
        if (columns == kBlock) {
            for (int i = 0; i < kBlock; i++) to[i] = values[i];
        } else {
            for (int i = 0; i < columns; i++) to[i] = values[i];
        }
    });
}

template <class F>
static void add_block(const Matrix& matrix, int block, const Rows& in, int rows, float* out, size_t stride) {
    multiply_block<F>(matrix, block, in, rows, [=](int row, const float* values) {
        float* to = out + row * stride + (size_t)block * kBlock;
        for (int i = 0; i < kBlock; i++) to[i] += values[i];
    });
}

template <class F>
static void gelu_block(const Matrix& matrix, int block, const Rows& in, int rows, const Rows& out) {
    multiply_block<F>(matrix, block, in, rows, [&](int row, float* values) {
        for (int i = 0; i < kBlock; i += kLanes) store(values + i, gelu(load<Vec>(values + i)));
        F::put(out, row, block * kBlock, values);
    });
}

template <class F>
static void convert_block(const float* values, const Rows& out, int row, int block) {
    F::put(out, row, block * kBlock, values);
}

template <class F>
static void embed(const Matrix& embedding, int token, const float* position, int channels, float* x) {
    for (int i = 0; i < channels; i++) x[i] = F::weight(embedding, token, i) + position[i];
}

// (x - mean) / √(variance + ε) × weight + bias. Bound: memory, and the row is in the cache already.
template <class F>
static void normalize(const Norm& norm, const float* x, const Rows& out, int row) {
    const int whole = norm.channels / kLanes * kLanes;
    Vec sum = {};
    float rest = 0;
    for (int i = 0; i < whole; i += kLanes) sum += load<Vec>(x + i);
    for (int i = whole; i < norm.channels; i++) rest += x[i];
    const float mean = (sum_of(sum) + rest) / norm.channels;

    Vec squares = {};
    rest = 0;
    for (int i = 0; i < whole; i += kLanes) {
        const Vec d = load<Vec>(x + i) - mean;
        squares += d * d;
    }
    for (int i = whole; i < norm.channels; i++) rest += (x[i] - mean) * (x[i] - mean);
    const float scale = 1 / __builtin_sqrtf((sum_of(squares) + rest) / norm.channels + norm.epsilon);

    // Weight and bias are padded with zeros, which makes the padding of the result zero.
    for (int begin = 0; begin < out.inputs; begin += kBlock) {
        alignas(64) float values[kBlock];
        for (int i = 0; i < kBlock; i += kLanes) {
            const Vec normal = (load<Vec>(x + begin + i) - mean) * scale;
            store(values + i, normal * load<Vec>(norm.weight + begin + i) + load<Vec>(norm.bias + begin + i));
        }
        F::put(out, row, begin, values);
    }
}

template <class F, class Cache>
static constexpr Kernels kernels_of() {
    return {embed<F>,     normalize<F>,  convert_block<F>, store_block<F>,
            add_block<F>, gelu_block<F>, Cache::remember,  attend<Cache>};
}

extern const Kernels kernels[kFormatCount];
const Kernels kernels[kFormatCount] = {
    kernels_of<Float32, FloatCache>(),
    kernels_of<Bfloat16, Bfloat16Cache>(),
    kernels_of<Int8, FloatCache>(),
    kernels_of<Int4, Bfloat16Cache>(),
    kernels_of<W8A8, Bfloat16Cache>(),
};

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
