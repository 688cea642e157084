#include "packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cutaway {

int group_size(Format format) { return format == kInt4 ? 32 : 64; }

static bool is_quantised(Format format) { return format == kInt8 || format == kInt4; }

static size_t weight_bits(Format format) {
    switch (format) {
        case kFloat32: return 32;
        case kBfloat16: return 16;
        case kInt8: return 8;
        default: return 4;
    }
}

size_t row_bytes(Format format, int inputs) {
    const size_t each = format == kFloat32 ? 4 : format == kBfloat16 ? 2 : 1;
    return each * inputs;
}

PackedMatrix empty_matrix(Format format, int inputs, int outputs) {
    PackedMatrix matrix;
    matrix.inputs = padded(inputs);
    matrix.outputs = padded(outputs);
    matrix.block_bytes = (size_t)matrix.inputs * kBlock * weight_bits(format) / 8;
    const size_t blocks = matrix.outputs / kBlock, groups = matrix.inputs / group_size(format);
    const size_t scales = is_quantised(format) ? blocks * groups * kBlock : 0;
    const size_t weight_bytes = blocks * matrix.block_bytes;
    matrix.memory = allocate(weight_bytes + scales * sizeof(uint16_t) + matrix.outputs * sizeof(float));
    matrix.weights = matrix.memory.get();
    matrix.scales = reinterpret_cast<uint16_t*>(matrix.weights + weight_bytes);
    matrix.bias = reinterpret_cast<float*>(matrix.weights + weight_bytes + scales * sizeof(uint16_t));
    return matrix;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

static uint16_t to_bfloat16(float x) {
    const uint32_t bits = bits_of(x);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The nearest float16, for |x| < 65504. Dividing by 2¹¹² moves the exponent to where float16 has it; ties go to even.
static uint16_t to_float16(float x) {
    const uint32_t sign = bits_of(x) >> 16 & 0x8000;
    const float small = std::fabs(x);
    if (small < 0x1p-14f) return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::lrint(small * 0x1p24f)));
    const uint32_t bits = bits_of(small * 0x1p-112f);
    return static_cast<uint16_t>(sign | (bits + 0xfff + (bits >> 13 & 1)) >> 13);
}

static float from_float16(uint16_t half) {
    return float_of(static_cast<uint32_t>(half & 0x7fff) << 13 | static_cast<uint32_t>(half & 0x8000) << 16) * 0x1p112f;
}

// One block of the source as floats, [inputs][64], zeros where the source has none. Returns whether all are finite.
static bool gather(const Source& source, int first, int inputs, float* tile) {
    const int columns = std::clamp(source.outputs - first, 0, kBlock);
    std::fill(tile, tile + (size_t)inputs * kBlock, 0.0f);
    if (source.input_stride == 1) {
        for (int j = 0; j < columns; j++) {
            const float* from = source.data + (first + j) * source.output_stride;
            for (int k = 0; k < source.inputs; k++) tile[(size_t)k * kBlock + j] = from[k];
        }
    } else {
        for (int k = 0; k < source.inputs; k++) {
            const float* from = source.data + k * source.input_stride + first * source.output_stride;
            for (int j = 0; j < columns; j++) tile[(size_t)k * kBlock + j] = from[j * source.output_stride];
        }
    }
    uint32_t unbounded = 0;
    for (size_t i = 0; i < (size_t)inputs * kBlock; i++) unbounded |= (bits_of(tile[i]) & 0x7f800000) == 0x7f800000;
    return !unbounded;
}

static void write_bfloat16(const float* tile, int inputs, char* weights) {
    uint16_t* to = reinterpret_cast<uint16_t*>(weights);
    for (int k = 0; k < inputs; k++) {
        uint16_t* pair = to + (size_t)(k / 2) * 2 * kBlock + k % 2;
        for (int j = 0; j < kBlock; j++) pair[2 * j] = to_bfloat16(tile[(size_t)k * kBlock + j]);
    }
}

// The scale that makes the largest number of a group ±127, or, having one negative step more than positive, -8.
static uint16_t scale_of(Format format, const float* column, int group) {
    float extreme = 0;
    for (int i = 0; i < group; i++) {
        if (std::fabs(column[i * kBlock]) > std::fabs(extreme)) extreme = column[i * kBlock];
    }
    const float scale = format == kInt8 ? std::fabs(extreme) / 127 : extreme / -8;
    return to_float16(std::clamp(scale, -65504.0f, 65504.0f));
}

static void write_group(Format format, const float* tile, int first_input, uint16_t* scales, uint8_t* to) {
    const int group = group_size(format);
    for (int j = 0; j < kBlock; j++) {
        const float* column = tile + (size_t)first_input * kBlock + j;
        scales[j] = scale_of(format, column, group);
        const float scale = from_float16(scales[j]), inverse = scale != 0 ? 1 / scale : 0;
        for (int i = 0; i < group; i++) {
            const float ideal = column[i * kBlock] * inverse;
            const int k = first_input + i;
            if (format == kInt8) {
                const int q = (int)std::lrint(std::clamp(ideal, -127.0f, 127.0f)) + 128;
                to[(size_t)(k / 4) * 4 * kBlock + j * 4 + k % 4] = static_cast<uint8_t>(q);
            } else {
                const int q = (int)std::lrint(std::clamp(ideal, -8.0f, 7.0f)) + 8;
                uint8_t& both = to[(size_t)(k / 8) * 4 * kBlock + j * 4 + k % 4];
                both = static_cast<uint8_t>(k % 8 < 4 ? (both & 0xf0) | q : (both & 0x0f) | q << 4);
            }
        }
    }
}

bool pack(Team& team, Format format, const Source& source, Matrix& to, int first_output) {
    const int blocks = padded(source.outputs) / kBlock, groups = to.inputs / group_size(format);
    std::atomic<bool> finite{true};
    team.run([&](int member) {
        const Share share(blocks, member, team.size());
        std::vector<float> own(format == kFloat32 ? 0 : (size_t)to.inputs * kBlock);
        for (int b = share.begin; b < share.end; b++) {
            const size_t block = first_output / kBlock + b;
            char* weights = to.weights + block * to.block_bytes;
            float* tile = format == kFloat32 ? reinterpret_cast<float*>(weights) : own.data();
            if (!gather(source, b * kBlock, to.inputs, tile)) finite = false;
            if (format == kBfloat16) write_bfloat16(tile, to.inputs, weights);
            for (int g = 0; is_quantised(format) && g < groups; g++) {
                uint16_t* scales = to.scales + (block * groups + g) * kBlock;
                write_group(format, tile, g * group_size(format), scales, reinterpret_cast<uint8_t*>(weights));
            }
        }
    });
    return finite;
}

}  // namespace cutaway
