// What the parts of the library hand each other, and how it lies in memory. Nothing here computes.
//
// Notation: C channels, H heads, D head size, V vocabulary, as in model.py. A width that is no multiple of 64 is
// padded with zeros up to one; zeros add nothing to any sum, so no kernel has to know where the padding begins.
#pragma once
#include <cstddef>
#include <cstdint>

namespace cutaway {

// Outputs are computed 64 at a time: four AVX-512 registers, eight of AVX2, sixteen of NEON.
constexpr int kBlock = 64;
// Keys are kept 16 tokens at a time, so that one register holds the scores of several tokens.
constexpr int kKeyBlock = 16;
// Packed weights begin at multiples of a line of the cache; a register that straddles two of them loads at half speed.
constexpr int kAlignment = 64;

// int8 has its activations in two bytes, w8a8 the same weights with activations in one.
enum Format : int { kFloat32, kBfloat16, kInt8, kInt4, kW8A8, kFormatCount };

// A weight matrix, packed: block b holds the outputs 64 b … 64 b + 63 for all inputs, one after the other.
//
//   float32   [inputs    ][64]     float
//   bfloat16  [inputs / 2][64][2]  the upper halves of floats, two neighbouring inputs side by side
//   int8      [inputs / 4][64][4]  q + 128, four neighbouring inputs side by side; w8a8 too
//   int4      [inputs / 8][64][4]  q + 8; low halves are inputs 8i … 8i + 3, high halves 8i + 4 … 8i + 7
//
// int8 and int4 have a float16 scale for each output and group of 64 or 32 inputs, [block][group][64]:
// weight = scale × q. The order is that in which a kernel reads, so decoding is one long sequential read.
struct Matrix {
    int inputs = 0, outputs = 0;  // both padded
    const char* weights = nullptr;
    const uint16_t* scales = nullptr;
    float* bias = nullptr;  // [outputs]
    size_t block_bytes = 0;

    const char* block(int index) const { return weights + index * block_bytes; }
};

// 64 outputs of a matrix to compute, and where the weights begin that are multiplied after theirs (null: nowhere).
struct Block {
    const Matrix& matrix;
    int index;
    const char* next;
};

// Rows of activations in the form that a matrix multiplies: floats, bfloat16, or integers with a scale for each group,
// in one signed byte for int4 and w8a8, in two (high bytes of a group, then its low bytes) for int8. `offsets` holds, for each
// group, -zero × Σq, which undoes the weights' zero point.
struct Rows {
    char* values = nullptr;  // [rows][inputs], or [rows][groups][2][64]
    float* scales = nullptr;  // [rows][groups]
    int32_t* offsets = nullptr;  // [rows][groups]
    int inputs = 0;  // padded
};

struct Norm {
    float* weight = nullptr;
    float* bias = nullptr;
    int channels = 0;  // not padded
    float epsilon = 0;
};

// How keys and values are kept. Next to float32 weights they are floats, and next to int8 ones, where rounding keys
// would do as much harm as rounding all weights does. Values bear bytes better than keys do: their errors cancel out
// where many are mixed.
enum Kept : int { kAsFloats, kAsBfloat16, kAsBytes };
constexpr Kept kept_keys(Format format) {
    return format == kFloat32 || format == kInt8 ? kAsFloats : format == kInt4 ? kAsBytes : kAsBfloat16;
}
constexpr Kept kept_values(Format format) {
    return format == kW8A8 || format == kInt4 ? kAsBytes : kept_keys(format);
}

// The cached keys and values of one head of one layer of one sequence, in blocks of 16 tokens.
//
//   keys    float     [D     ][16]              values  float     [16][width]
//           bfloat16  [D' / 2][16][2]                   bfloat16  [8 ][width][2]
//           bytes     [D' / 4][16][4]                   bytes     [4 ][width][4]
//
// D' is D rounded up to a multiple of 2 or 4, width is D rounded up to 16. Bytes are q + 128, or q where instructions
// multiply signed bytes only; before those of a block lie the scales of its 16 tokens, as floats.
struct CacheHead {
    char* keys = nullptr;
    char* values = nullptr;
    int size = 0;  // D
    int width = 0;
    int key_bytes = 0, value_bytes = 0;  // of a block

    char* key_block(int position) const { return keys + (size_t)(position / kKeyBlock) * key_bytes; }
    char* value_block(int position) const { return values + (size_t)(position / kKeyBlock) * value_bytes; }
};

constexpr int kScaleBytes = 4 * kKeyBlock;

// So many rows at most are multiplied at once.
constexpr int kMaxRows = 512;

// The kernels of one instruction set for one format of weights.
struct Kernels {
    // x = embedding of the token + position
    void (*embed)(const Matrix& embedding, int token, const float* position, int channels, float* x);
    // out[row] = LayerNorm(x)
    void (*normalize)(const Norm& norm, const float* x, const Rows& out, int row);
    // the block of 64 columns of out[row] = 64 floats
    void (*convert)(const float* values, const Rows& out, int row, int block);
    // out[row] = the block of in · matrix + bias, of which `columns` are kept; a row begins `stride` after the last
    void (*store)(const Block& block, const Rows& in, int rows, float* out, size_t stride, int columns);
    // out += in · matrix + bias
    void (*add)(const Block& block, const Rows& in, int rows, float* out, size_t stride);
    // out = GELU(in · matrix + bias)
    void (*gelu)(const Block& block, const Rows& in, int rows, const Rows& out);
    // Put a token's key and value into the cache.
    void (*remember)(const CacheHead& head, int position, const float* key, const float* value);
    // out = softmax(q kᵀ / √D) v for `queries` tokens in a row, the first at `position`; scores is scratch.
    void (*attend)(const CacheHead& head, int position, int queries, const float* q, size_t q_stride, float* out,
                   size_t out_stride, float* scores, size_t scores_stride);
};

constexpr int kQueries = 4;      // queries that share one pass over keys and values
constexpr int kMaxHeadSize = 1024;  // a kernel keeps a query in its stack frame

}  // namespace cutaway
