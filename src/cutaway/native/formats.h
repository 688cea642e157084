// The formats of weights: how rows are stored to be multiplied, and the multiplication itself.
//
// Each format offers
//   put        stores 64 floats of a row
//   multiply   sum[t][v] += row t · outputs of vector v, for a tile of rows × vectors held in registers
//   weight     one number of a packed matrix, for reading embeddings
//   kRows      how many rows a tile has at most
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

// What is asked of memory while weights are multiplied, at each step of 256 bytes of them. With one row that is what
// will be read a page later, in these weights or in those that follow. With many rows the weights at hand stay in the
// cache from the first tile of rows to the last, and meanwhile those that follow come, a share of them with each pass
// over those at hand: memory and multiplier then work at the same time.
struct Fetch {
    static constexpr int kStepBytes = 4 * kBlock, kLines = kStepBytes / 64;
    const char* turn;  // where what is read a page later is no more of these weights
    ptrdiff_t jump;    // from their end to those that follow
    const char* next;  // null: nothing follows
    int passes = 1;    // that bring them together
    int due = 0;       // lines times passes

    Fetch(const char* end, const char* next) : turn(end - kPage), jump(next ? next - end : 0), next(next) {}

    template <int ROWS>
    inline void step(const void* weights) {
        const char* at = (const char*)weights;
        if (ROWS == 1) {
            fetch_ahead(at >= turn ? at + jump : at, kStepBytes);
        } else if (next) {
            for (due += kLines; due >= passes; due -= passes, next += 64) fetch(next);
        }
    }
};

// Where a multiplication reads: a matrix's block from some column on, some of its inputs, and rows from some row on.
struct Operands {
    const Matrix& matrix;
    const Rows& rows;
    int block, column, row, begin, end;
    Fetch& fetch;

    // Whatever the format, an output takes 4 bytes where the next begins.
    template <class T>
    const T* weights() const {
        return (const T*)(matrix.block(block) + begin * (matrix.block_bytes / matrix.inputs) + 4 * column);
    }
    template <class T>
    const T* values(int t) const {
        return (const T*)rows.values + (size_t)(row + t) * rows.inputs + begin;
    }
};

struct Float32 {
    static constexpr int kPlanes = 1, kRows = kTileRows;

    static void put(const Rows& rows, int row, int column, const float* values) {
        float* to = (float*)rows.values + (size_t)row * rows.inputs + column;
        for (int i = 0; i < kBlock; i++) to[i] = values[i];
    }

    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const float* w = from.weights<float>();
        const float* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<float>(t);
        const int inputs = from.end - from.begin;
        Fetch fetch = from.fetch;
        for (int begin = 0; begin < inputs; begin += kBlock) {
            // A long sum loses digits to its own size, so 64 products are added up before they join the others.
            Vec part[ROWS][VECTORS] = {};
            for (int k = begin; k < begin + kBlock; k++, w += kBlock) {
                fetch.step<ROWS>(w);
                Vec weight[VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) weight[v] = load<Vec>(w + v * kLanes);
                UNROLL for (int t = 0; t < ROWS; t++) {
                    UNROLL for (int v = 0; v < VECTORS; v++) part[t][v] += weight[v] * x[t][k];
                }
            }
            UNROLL for (int t = 0; t < ROWS; t++) {
                UNROLL for (int v = 0; v < VECTORS; v++) sum[t][v] += part[t][v];
            }
        }
        from.fetch = fetch;
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const float* w = (const float*)(matrix.block(output / kBlock));
        return w[(size_t)input * kBlock + output % kBlock];
    }
};

struct Bfloat16 {
    static constexpr int kPlanes = 1, kRows = kTileRows;

    static void put(const Rows& rows, int row, int column, const float* values) {
        uint16_t* to = (uint16_t*)rows.values + (size_t)row * rows.inputs + column;
        for (int i = 0; i < kBlock; i += kLanes) store(to + i, to_bfloat16(load<Vec>(values + i)));
    }

    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const uint16_t* w = from.weights<uint16_t>();
        const uint16_t* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<uint16_t>(t);
        const int inputs = from.end - from.begin;
        Fetch fetch = from.fetch;
        for (int k = 0; k < inputs; k += 2, w += 2 * kBlock) {
            fetch.step<ROWS>(w);
            IntVec weight[VECTORS];
            UNROLL for (int v = 0; v < VECTORS; v++) weight[v] = load<IntVec>(w + 2 * v * kLanes);
            UNROLL for (int t = 0; t < ROWS; t++) {
                const IntVec pair = all(load<int32_t>(x[t] + k));
                UNROLL for (int v = 0; v < VECTORS; v++) sum[t][v] = dot2(sum[t][v], weight[v], pair);
            }
        }
        from.fetch = fetch;
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const uint16_t* w = (const uint16_t*)(matrix.block(output / kBlock));
        const uint32_t bits = w[(size_t)(input / 2) * 2 * kBlock + output % kBlock * 2 + input % 2];
        const uint32_t moved = bits << 16;
        return load<float>(&moved);
    }
};

// int8, w8a8 and int4: groups of inputs share a scale, in the weights and in the rows. `Packing` says how the weights lie:
//   kGroup         inputs that share a scale
//   kZero          what was added to a weight to make it unsigned
//   kPlanes        bytes to an activation: 1, or 2 for x = scale × (256 high + low)
//   kFours         sets of four inputs side by side in 32 bits
//   kSigned        whether `four` gives weights without their zero point
//   kInPairs       whether a group's products fit 16 bits, and are added up in those
//   four, number   the i-th set of a register, and one number of a byte
//
// Rounding activations to 127 steps does three times the harm that rounding weights to 255 does, so next to int8
// weights they have two bytes, but in w8a8, where speed with many rows counts more; next to int4 weights one is enough.
template <class Packing>
struct Integers {
    static constexpr int kGroup = Packing::kGroup, kZero = Packing::kZero, kPlanes = Packing::kPlanes;
    static constexpr bool kInPairs = Packing::kInPairs;
    static constexpr int kStep = 4 * Packing::kFours;  // inputs side by side
    // A group ends with adding its sums to the others. With a row less some registers are left for that, which pays
    // where groups are short and multiplying takes one instruction.
    static constexpr int kRows = kPlanes == 2 ? kTileRows / 2 : kTileRows - (kLanes == 16 && kGroup < 64);

    // A group's high bytes come first, then its low bytes.
    static void put(const Rows& rows, int row, int column, const float* values) {
        constexpr int kMost = kPlanes == 2 ? 127 * 256 : 127;
        for (int begin = 0; begin < kBlock; begin += kGroup, values += kGroup) {
            Vec most = {};
            for (int i = 0; i < kGroup; i += kLanes) most = maximum(most, absolute(load<Vec>(values + i)));
            const float largest = maximum_of(most), inverse = largest > 0 ? kMost / largest : 0;
            const size_t group = ((size_t)row * rows.inputs + column + begin) / kGroup;
            int8_t* to = (int8_t*)rows.values + group * kGroup * kPlanes;
            IntVec sum = {};
            for (int i = 0; i < kGroup; i += kLanes) {
                const IntVec q = rounded(load<Vec>(values + i) * inverse);
                const IntVec high = kPlanes == 2 ? (q + 128) >> 8 : q;
                store(to + i, __builtin_convertvector(high, ByteVec));
                if (kPlanes == 2) store(to + kGroup + i, __builtin_convertvector(q - high * 256, ByteVec));
                sum += q;
            }
            rows.scales[group] = largest / kMost;
            rows.offsets[group] = Packing::kSigned ? 0 : -kZero * sum_of(sum);
        }
    }

    // Both bytes of an activation are multiplied while the weights are at hand: they count as two rows of the tile.
    template <int ROWS, int VECTORS>
    static void multiply(const Operands& from, Vec (&sum)[ROWS][VECTORS]) {
        const int groups = from.matrix.inputs / kGroup, first = from.begin / kGroup, last = from.end / kGroup;
        const uint8_t* w = from.weights<uint8_t>();
        const uint16_t* scales = from.matrix.scales + ((size_t)from.block * groups + first) * kBlock + from.column;
        const int8_t* x[ROWS];
        UNROLL for (int t = 0; t < ROWS; t++) x[t] = from.values<int8_t[kPlanes]>(t)[0];
        Fetch fetch = from.fetch;
        for (int g = first; g < last; g++, scales += kBlock) {
            IntVec dot[ROWS * kPlanes][VECTORS];
            begin_group<ROWS>(from, g, dot);
            for (int k = 0; k < kGroup; k += kStep, w += 4 * kBlock) {
                fetch.step<ROWS>(w);
                IntVec stored[VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) stored[v] = load<IntVec>(w + 4 * v * kLanes);
                UNROLL for (int i = 0; i < Packing::kFours; i++) {
                    UNROLL for (int t = 0; t < ROWS * kPlanes; t++) {
                        const int8_t* at = x[t / kPlanes] + t % kPlanes * kGroup + k + 4 * i;
                        const IntVec four = all(load<int32_t>(at));
                        UNROLL for (int v = 0; v < VECTORS; v++) {
                            const IntVec weights = Packing::four(stored[v], i);
                            dot[t][v] = kInPairs ? dot_pairs(dot[t][v], weights, four) : dot4(dot[t][v], weights, four);
                        }
                    }
                }
            }
            add_group<ROWS>(from, g, scales, dot, sum);
            UNROLL for (int t = 0; t < ROWS; t++) x[t] += kPlanes * kGroup;
        }
        from.fetch = fetch;
    }

    static float weight(const Matrix& matrix, int output, int input) {
        const int block = output / kBlock, lane = output % kBlock, groups = matrix.inputs / kGroup;
        const uint8_t* w = (const uint8_t*)(matrix.block(block));
        const int byte = w[(size_t)(input / kStep) * 4 * kBlock + lane * 4 + input % 4];
        const size_t group = ((size_t)block * groups + input / kGroup) * kBlock;
        float scales[kLanes];
        store(scales, load_float16(matrix.scales + group + lane / kLanes * kLanes));
        return scales[lane % kLanes] * (Packing::number(byte, input) - kZero);
    }

private:
    // Dot products begin at what undoes the weights' zero point, those of high bytes at nothing.
    template <int ROWS, int VECTORS>
    static inline void begin_group(const Operands& from, int group, IntVec (&dot)[ROWS * kPlanes][VECTORS]) {
        const size_t groups = from.matrix.inputs / kGroup, of_row = from.row * groups + group;
        UNROLL for (int t = 0; t < ROWS * kPlanes; t++) {
            const bool is_low = t % kPlanes == kPlanes - 1;
            const IntVec begin = all(is_low && !kInPairs ? from.rows.offsets[of_row + t / kPlanes * groups] : 0);
            UNROLL for (int v = 0; v < VECTORS; v++) dot[t][v] = begin;
        }
    }

    // sum += scale of the weights × scale of the row × (256 dot of high bytes + dot of low ones)
    template <int ROWS, int VECTORS>
    static inline void add_group(const Operands& from, int group, const uint16_t* scales,
                                 const IntVec (&dot)[ROWS * kPlanes][VECTORS], Vec (&sum)[ROWS][VECTORS]) {
        const size_t of_row = (size_t)from.row * (from.matrix.inputs / kGroup) + group;
        UNROLL for (int t = 0; t < ROWS; t++) {
            const size_t at = of_row + (size_t)t * (from.matrix.inputs / kGroup);
            const float scale = from.rows.scales[at];
            UNROLL for (int v = 0; v < VECTORS; v++) {
                IntVec whole = dot[t * kPlanes][v];
                if constexpr (kPlanes == 2) whole = whole * 256 + dot[t * kPlanes + 1][v];
                if constexpr (kInPairs) whole = join_pairs(whole) + from.rows.offsets[at];
                const Vec of_weights = load_float16(scales + v * kLanes);
                sum[t][v] += (__builtin_convertvector(whole, Vec) * scale) * of_weights;
            }
        }
    }
};

template <int PLANES>
struct Bytes {
    static constexpr int kGroup = 64, kZero = 128, kPlanes = PLANES, kFours = 1;
    static constexpr bool kSigned = kSignedOnly, kInPairs = false;
    static IntVec four(IntVec stored, int) { return kSigned ? stored ^ (int32_t)0x80808080 : stored; }
    static int number(int byte, int) { return byte; }
};

struct Nibbles {
    static constexpr int kGroup = 32, kZero = 8, kPlanes = 1, kFours = 2;
    static constexpr bool kSigned = false, kInPairs = kPairs;
    static IntVec four(IntVec stored, int i) { return (stored >> (4 * i)) & 0x0f0f0f0f; }
    static int number(int byte, int input) { return input % 8 < 4 ? byte & 15 : byte >> 4; }
};

using Int8 = Integers<Bytes<2>>;
using W8A8 = Integers<Bytes<1>>;
using Int4 = Integers<Nibbles>;

}  // namespace CUTAWAY_ISA
}  // namespace cutaway
