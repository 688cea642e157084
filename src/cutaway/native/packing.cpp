#include "packing.h"

#include <algorithm>
#include <array>
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
    return matrix;
}

void PackedMatrix::lie_in(char* memory) {
    weights = memory;
    scales = reinterpret_cast<const uint16_t*>(memory + weight_bytes);
    is_mapped = false;
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

// Whole numbers from `low` to `high`. They are stored with `zero` added. The search for a scale begins at these ratios to
// the one with which no number is cut off.
struct Whole {
    int bits, zero;
    float low, high;
    std::array<float, 4> ratios;

    // To the nearest of them, ties to even: above 1.5 × 2²³ a float has no room for a fraction.
    float nearest(float x) const { return std::min(std::max(x, low), high) + 12582912.0f - 12582912.0f; }
};

// A finer scale cuts off what is largest, which pays in 4 bits. In 8 bits nothing is worth being cut off, but a slightly
// coarser scale happens to suit 64 numbers about as often as not, so the best of four loses a tenth less.
static const Whole kBytes{8, 128, -127, 127, {1, 1.0075f, 1.015f, 1.0225f}};
static const Whole kHalfBytes{4, 8, -8, 7, {1, 0.96f, 0.92f, 0.88f}};

// 1 / scale, or 0 for a scale that is 0 in float16.
static float inverse_of(float scale) { return std::fabs(scale) > 0x1p-25f ? 1 / scale : 0; }

// The scales with which no number of a group is cut off: the largest becomes ±127 or, since there is one negative step
// more than positive, -8.
static void find_widest(const Whole& whole, const float* group, int size, float* scales) {
    float extreme[kBlock] = {};
    for (int i = 0; i < size; i++) {
        for (int j = 0; j < kBlock; j++) {
            const float x = group[i * kBlock + j];
            extreme[j] = std::fabs(x) > std::fabs(extreme[j]) ? x : extreme[j];
        }
    }
    const bool is_even = whole.low == -whole.high;
    for (int j = 0; j < kBlock; j++) scales[j] = is_even ? std::fabs(extreme[j]) / whole.high : extreme[j] / whole.low;
}

// The scales of a group for 64 outputs. From each beginning: round to q, and take the scale that fits these q best. With
// e = x - scale × q that is scale + Σeq / Σq², and it loses Σe² - (Σeq)² / Σq². The one that loses least is kept.
static void find_scales(const Whole& whole, const float* group, int size, float* best) {
    float widest[kBlock], least[kBlock];
    find_widest(whole, group, size, widest);
    std::fill(least, least + kBlock, HUGE_VALF);
    std::copy(widest, widest + kBlock, best);
    for (const float ratio : whole.ratios) {
        float scale[kBlock], inverse[kBlock], ee[kBlock] = {}, eq[kBlock] = {}, qq[kBlock] = {};
        for (int j = 0; j < kBlock; j++) {
            scale[j] = widest[j] * ratio;
            inverse[j] = inverse_of(scale[j]);
        }
        for (int i = 0; i < size; i++) {
            for (int j = 0; j < kBlock; j++) {
                const float x = group[i * kBlock + j], q = whole.nearest(x * inverse[j]), e = x - q * scale[j];
                ee[j] += e * e;
                eq[j] += e * q;
                qq[j] += q * q;
            }
        }
        for (int j = 0; j < kBlock; j++) {
            const float change = qq[j] > 0 ? eq[j] / qq[j] : 0, lost = ee[j] - change * eq[j];
            best[j] = lost < least[j] ? scale[j] + change : best[j];
            least[j] = std::min(lost, least[j]);
        }
    }
}

// One group of inputs for 64 outputs: their scales, and the whole numbers where the layout wants them, in words of four
// bytes, the lowest first.
static void write_group(const Whole& whole, const float* group, int size, uint16_t* scales, char* weights) {
    float scale[kBlock], inverse[kBlock];
    find_scales(whole, group, size, scale);
    for (int j = 0; j < kBlock; j++) {
        scales[j] = to_float16(std::clamp(scale[j], -65504.0f, 65504.0f));
        inverse[j] = inverse_of(from_float16(scales[j]));
    }
    const int set = 32 / whole.bits;
    for (int i = 0; i < size; i += set, weights += 4 * kBlock) {
        uint32_t words[kBlock] = {};
        for (int n = 0; n < set; n++) {
            const float* x = group + (i + n) * kBlock;
            const int shift = n % 4 * 8 + n / 4 * 4;
            for (int j = 0; j < kBlock; j++) {
                const int q = static_cast<int>(whole.nearest(x[j] * inverse[j]));
                words[j] |= static_cast<uint32_t>(q + whole.zero) << shift;
            }
        }
        std::memcpy(weights, words, sizeof words);
    }
}

bool pack(Team& team, Format format, const Source& source, PackedMatrix& to, int first_output) {
    uint16_t* const all_scales = const_cast<uint16_t*>(to.scales);
    const int blocks = padded(source.outputs) / kBlock, size = group_size(format), groups = to.inputs / size;
    const Whole& whole = format == kInt4 ? kHalfBytes : kBytes;
    std::atomic<bool> finite{true};
    const size_t tile_size = format == kFloat32 ? 0 : (size_t)to.inputs * kBlock;
    std::vector<float> tiles(tile_size * team.size());  // here, where running out of memory can still be told
    team.run([&](int member) {
        const Share share(blocks, member, team.size());
        for (int b = share.begin; b < share.end; b++) {
            const size_t block = first_output / kBlock + b;
            char* weights = const_cast<char*>(to.block(block));
            float* tile = format == kFloat32 ? reinterpret_cast<float*>(weights) : tiles.data() + member * tile_size;
            if (!gather(source, b * kBlock, to.inputs, tile)) {
                finite = false;
                continue;
            }
            if (format == kBfloat16) write_bfloat16(tile, to.inputs, weights);
            for (int g = 0; is_quantised(format) && g < groups; g++) {
                const size_t first = (size_t)g * size * kBlock;
                write_group(whole, tile + first, size, all_scales + (block * groups + g) * kBlock,
                            weights + first * whole.bits / 8);
            }
        }
    });
    return finite;
}

}  // namespace cutaway
