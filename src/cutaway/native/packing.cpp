#include "packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cutaway {

bool is_quantised(Format format) { return format == kInt8 || format == kInt4 || format == kW8A8; }

int group_size(Format format) { return format == kInt4 ? 32 : 64; }


static size_t weight_bits(Format format) {
    switch (format) {
        case kFloat32: return 32;
        case kBfloat16: return 16;
        case kInt4: return 4;
        default: return 8;
    }
}

size_t row_bytes(Format format, int inputs) {
    const bool is_byte = format == kInt4 || format == kW8A8;
    return (size_t)(format == kFloat32 ? 4 : is_byte ? 1 : 2) * inputs;
}

PackedMatrix empty_matrix(Format format, int inputs, int outputs) {
    PackedMatrix matrix;
    matrix.inputs = padded(inputs);
    matrix.outputs = padded(outputs);
    matrix.block_bytes = (size_t)matrix.inputs * kBlock * weight_bits(format) / 8;
    const size_t blocks = matrix.outputs / kBlock, groups = matrix.inputs / group_size(format);
    matrix.weight_bytes = blocks * matrix.block_bytes;
    matrix.scale_bytes = is_quantised(format) ? blocks * groups * kBlock * sizeof(uint16_t) : 0;
    matrix.bias_memory = allocate(matrix.outputs * sizeof(float));
    matrix.bias = reinterpret_cast<float*>(matrix.bias_memory.get());
    return matrix;
}

// Memory for the weights, zeroed, taken when the first of them come: a matrix that is mapped needs none.
static void take_memory(PackedMatrix& matrix) {
    if (matrix.memory) return;
    matrix.memory = allocate(matrix.weight_bytes + matrix.scale_bytes);
    matrix.weights = matrix.memory.get();
    matrix.scales = reinterpret_cast<const uint16_t*>(matrix.weights + matrix.weight_bytes);
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
static uint16_t scale_of(Format format, float extreme) {
    const float scale = format == kInt4 ? extreme / -8 : std::fabs(extreme) / 127;
    return to_float16(std::clamp(scale, -65504.0f, 65504.0f));
}

// To the nearest integer, ties to even, for |x| < 2²²: above 1.5 × 2²³ a float has no room for a fraction.
static int nearest(float x) { return static_cast<int>(x + 12582912.0f - 12582912.0f); }

// One group of inputs for 64 outputs: their scales, and their bytes where the layout wants them.
static void write_group(Format format, const float* group, int first_input, uint16_t* scales, uint8_t* weights) {
    const int size = group_size(format);
    float extreme[kBlock] = {}, inverse[kBlock];
    for (int i = 0; i < size; i++) {
        for (int j = 0; j < kBlock; j++) {
            const float x = group[i * kBlock + j];
            extreme[j] = std::fabs(x) > std::fabs(extreme[j]) ? x : extreme[j];
        }
    }
    for (int j = 0; j < kBlock; j++) {
        scales[j] = scale_of(format, extreme[j]);
        inverse[j] = scales[j] & 0x7fff ? 1 / from_float16(scales[j]) : 0;
    }
    const auto rounded = [&](int i, int j, float least, float most) {
        return nearest(std::min(std::max(group[i * kBlock + j] * inverse[j], least), most));
    };
    if (format != kInt4) {
        for (int i = 0; i < size; i++) {
            uint8_t* to = weights + (size_t)((first_input + i) / 4) * 4 * kBlock + (first_input + i) % 4;
            for (int j = 0; j < kBlock; j++) to[4 * j] = static_cast<uint8_t>(rounded(i, j, -127, 127) + 128);
        }
    } else {
        for (int i = 0; i < size; i += i % 4 == 3 ? 5 : 1) {
            uint8_t* to = weights + (size_t)((first_input + i) / 8) * 4 * kBlock + (first_input + i) % 4;
            for (int j = 0; j < kBlock; j++) {
                const int low = rounded(i, j, -8, 7) + 8, high = rounded(i + 4, j, -8, 7) + 8;
                to[4 * j] = static_cast<uint8_t>(low | high << 4);
            }
        }
    }
}

bool pack(Team& team, Format format, const Source& source, PackedMatrix& to, int first_output) {
    take_memory(to);
    uint16_t* const all_scales = reinterpret_cast<uint16_t*>(to.memory.get() + to.weight_bytes);
    const int blocks = padded(source.outputs) / kBlock, groups = to.inputs / group_size(format);
    std::atomic<bool> finite{true};
    const size_t tile_size = format == kFloat32 ? 0 : (size_t)to.inputs * kBlock;
    std::vector<float> tiles(tile_size * team.size());  // here, where running out of memory can still be told
    team.run([&](int member) {
        const Share share(blocks, member, team.size());
        for (int b = share.begin; b < share.end; b++) {
            const size_t block = first_output / kBlock + b;
            char* weights = to.memory.get() + block * to.block_bytes;
            float* tile = format == kFloat32 ? reinterpret_cast<float*>(weights) : tiles.data() + member * tile_size;
            if (!gather(source, b * kBlock, to.inputs, tile)) {
                finite = false;
                continue;
            }
            if (format == kBfloat16) write_bfloat16(tile, to.inputs, weights);
            for (int g = 0; is_quantised(format) && g < groups; g++) {
                const int first_input = g * group_size(format);
                uint16_t* scales = all_scales + (block * groups + g) * kBlock;
                write_group(format, tile + (size_t)first_input * kBlock, first_input, scales,
                            reinterpret_cast<uint8_t*>(weights));
            }
        }
    });
    return finite;
}

}  // namespace cutaway
