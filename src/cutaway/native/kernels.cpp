// The kernels of one instruction set. The build compiles this file several times, each time with other flags and
// CUTAWAY_ISA set to the name they have (isa.cpp chooses among them when the library is loaded).
#include "attention.h"
#include "formats.h"
#include "weighing.h"

namespace cutaway {
namespace CUTAWAY_ISA {

// Inputs whose weights stay in the level-2 cache together with those that follow: at most 256 KiB of a block.
constexpr int kInputsAtOnce = 1024;

// sums += rows · some inputs of a block for ROWS rows, in strips of as many outputs as registers allow.
template <class F, int ROWS>
static void multiply_rows(Operands from, float (*sums)[kBlock]) {
    constexpr int kAlone = kBlock / kLanes / (kLanes < 16 ? F::kPlanes : 1);
    constexpr int kVectors = ROWS == 1 ? kAlone : kTileVectors;
    for (; from.column < kBlock; from.column += kVectors * kLanes) {
        Vec sum[ROWS][kVectors];
        UNROLL for (int t = 0; t < ROWS; t++) {
            UNROLL for (int v = 0; v < kVectors; v++) sum[t][v] = load<Vec>(sums[t] + from.column + v * kLanes);
        }
        F::multiply(from, sum);
        UNROLL for (int t = 0; t < ROWS; t++) {
            UNROLL for (int v = 0; v < kVectors; v++) store(sums[t] + from.column + v * kLanes, sum[t][v]);
        }
    }
}

// The same for all rows, tile by tile. Rows are split evenly: 8 are 4 + 4 rather than 6 + 2.
template <class F>
static void multiply_inputs(Operands from, int rows, float (*sums)[kBlock]) {
    constexpr int kMost = F::kRows, kStrips = kBlock / kLanes / kTileVectors;
    int tiles = (rows + kMost - 1) / kMost;
    from.fetch.passes = tiles * kStrips;
    for (int tile; tiles > 0; tiles--, from.row += tile, sums += tile) {
        tile = (rows - from.row + tiles - 1) / tiles;
        switch (tile) {
            case 1: multiply_rows<F, 1>(from, sums); break;
            case 2: multiply_rows<F, 2>(from, sums); break;
            case 3: multiply_rows<F, kMost < 3 ? kMost : 3>(from, sums); break;
            case 4: multiply_rows<F, kMost < 4 ? kMost : 4>(from, sums); break;
            case 5: multiply_rows<F, kMost < 5 ? kMost : 5>(from, sums); break;
            default: multiply_rows<F, kMost>(from, sums);
        }
    }
}

// Room for the sums of a block. On the stack 128 KiB would be all that a thread has where the C library is musl.
static float (*room_for_sums())[kBlock] {
    alignas(64) static thread_local float sums[kMaxRows][kBlock];
    return sums;
}

// Calls finish(row, 64 outputs of it) for every row.
template <class F, class Finish>
static void multiply_block(const Block& block, const Rows& in, int rows, Finish finish) {
    const Matrix& matrix = block.matrix;
    float (*sums)[kBlock] = room_for_sums();
    const float* bias = matrix.bias + block.index * kBlock;
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < kBlock; i++) sums[row][i] = bias[i];
    }
    const char* weights = matrix.block(block.index);
    for (int begin = 0, end; begin < matrix.inputs; begin = end) {
        end = matrix.inputs - begin < kInputsAtOnce ? matrix.inputs : begin + kInputsAtOnce;
        weights += (end - begin) * (matrix.block_bytes / matrix.inputs);
        Fetch fetch(weights, end < matrix.inputs ? weights : block.next);
        multiply_inputs<F>(Operands{matrix, in, block.index, 0, 0, begin, end, fetch}, rows, sums);
    }
    for (int row = 0; row < rows; row++) finish(row, sums[row]);
}

template <class F>
static void store_block(const Block& block, const Rows& in, int rows, float* out, size_t stride, int columns) {
    multiply_block<F>(block, in, rows, [=](int row, const float* values) {
        float* to = out + row * stride;
        if (columns == kBlock) {
            for (int i = 0; i < kBlock; i++) to[i] = values[i];
        } else {
            for (int i = 0; i < columns; i++) to[i] = values[i];
        }
    });
}

template <class F>
static void add_block(const Block& block, const Rows& in, int rows, float* out, size_t stride) {
    multiply_block<F>(block, in, rows, [=](int row, const float* values) {
        float* to = out + row * stride + (size_t)block.index * kBlock;
        for (int i = 0; i < kBlock; i++) to[i] += values[i];
    });
}

template <class F>
static void gelu_block(const Block& block, const Rows& in, int rows, const Rows& out) {
    multiply_block<F>(block, in, rows, [&](int row, float* values) {
        for (int i = 0; i < kBlock; i += kLanes) store(values + i, gelu(load<Vec>(values + i)));
        F::put(out, row, block.index * kBlock, values);
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

template <class F, Format FORMAT>
static constexpr Kernels kernels_of() {
    using Heads = Attention<typename As<kept_keys(FORMAT)>::Keys, typename As<kept_values(FORMAT)>::Values>;
    return {embed<F>,     normalize<F>,  convert_block<F>, store_block<F>,
            add_block<F>, gelu_block<F>, Heads::remember,  Heads::attend};
}

extern const Kernels kernels[kFormatCount];
const Kernels kernels[kFormatCount] = {
    kernels_of<Float32, kFloat32>(), kernels_of<Bfloat16, kBfloat16>(), kernels_of<Int8, kInt8>(),
    kernels_of<Int4, kInt4>(),       kernels_of<W8A8, kW8A8>(),
};

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
