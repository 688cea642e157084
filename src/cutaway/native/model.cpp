#include "model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

namespace cutaway {

static const char* const kLayerTensors[] = {
    "ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight", "attn.c_proj.bias",
    "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight",    "mlp.c_fc.bias",    "mlp.c_proj.weight",  "mlp.c_proj.bias",
};

static std::string key_of(const std::string& name, int layer) {
    return layer < 0 ? name : "h." + std::to_string(layer) + "." + name;
}

Model::Model(const Shape& shape, Format format, const InstructionSet& isa, int threads)
    : shape(shape), format(format), kernels_(isa.kernels[format]), team_(threads), layers_(shape.n_layer) {
    missing_ = {"wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias"};
    if (!shape.tied) missing_.push_back("lm_head.weight");
    const int C = shape.n_embd;
    for (int n = 0; n < shape.n_layer; n++) {
        for (const char* name : kLayerTensors) missing_.push_back(key_of(name, n));
        Layer& layer = layers_[n];
        layer.c_attn = empty_matrix(format, C, 3 * shape.width());
        layer.attn_proj = empty_matrix(format, C, C);
        layer.c_fc = empty_matrix(format, C, shape.mlp_size);
        layer.mlp_proj = empty_matrix(format, shape.mlp_size, C);
    }
    wte_ = empty_matrix(format, C, shape.vocab_size);
    if (!shape.tied) lm_head_ = empty_matrix(format, C, shape.vocab_size);
    place(vectors_, [&](Places& places) {
        const auto norm = [&]() -> Norm {
            float* const weight = places.floats(shape.width());
            return {weight, places.floats(shape.width()), C, shape.epsilon};
        };
        for (Layer& layer : layers_) layer.ln_1 = norm(), layer.ln_2 = norm();
        ln_f_ = norm();
        wpe_ = places.floats((size_t)shape.block_size * C);
        each_matrix([&](PackedMatrix& matrix) { matrix.bias = places.floats(matrix.outputs); });
    });
}

template <class Do>
void Model::each_matrix(Do work) {
    for (Layer& layer : layers_) {
        for (PackedMatrix* of : {&layer.c_attn, &layer.attn_proj, &layer.c_fc, &layer.mlp_proj}) work(*of);
    }
    work(wte_);
    if (!shape.tied) work(lm_head_);
}

// All matrices lie side by side, taken when the first is needed: so small ones are on large pages as well.
char* Model::room_for(const PackedMatrix& wanted) {
    size_t bytes = 0, offset = 0;
    each_matrix([&](const PackedMatrix& matrix) {
        if (&matrix == &wanted) offset = bytes;
        bytes += matrix.bytes();
    });
    if (!matrices_) matrices_ = allocate(bytes);
    return matrices_.get() + offset;
}

// A matrix, now in memory of its own.
PackedMatrix& Model::settled(PackedMatrix& matrix) {
    matrix.lie_in(room_for(matrix));
    return matrix;
}

// A mapped file lies on small pages, of which the processor knows too few addresses by heart: reading it takes a tenth
// longer. So a model that has been used for a while moves into memory of its own, a piece after each pass.
void Model::move_in() {
    constexpr int kPassesBefore = 64;
    constexpr size_t kPiece = size_t(4) << 20;
    if (passes_ < kPassesBefore) passes_++;
    if (passes_ < kPassesBefore || !may_move_) return;
    PackedMatrix* next = nullptr;
    each_matrix([&](PackedMatrix& matrix) {
        if (matrix.is_mapped && !next) next = &matrix;
    });
    if (!next) return;
    char* room;
    try {
        room = room_for(*next);
    } catch (const std::bad_alloc&) {  // it works as it is
        may_move_ = false;
        return;
    }
    const size_t piece = std::min(next->weight_bytes - moved_, kPiece);
    team_.run([&](int member) {
        const size_t begin = moved_ + piece * member / team_.size(), end = moved_ + piece * (member + 1) / team_.size();
        std::memcpy(room + begin, next->weights + begin, end - begin);
    });
    moved_ += piece;
    if (moved_ < next->weight_bytes) return;
    std::memcpy(room + next->weight_bytes, next->scales, next->scale_bytes);
    next->lie_in(room);
    moved_ = 0;
}

float* Model::vector_named(const std::string& name, int layer, int64_t& count) {
    count = shape.n_embd;
    if (layer < 0) {
        if (name == "ln_f.weight") return ln_f_.weight;
        if (name == "ln_f.bias") return ln_f_.bias;
        count *= shape.block_size;
        return name == "wpe.weight" ? wpe_ : nullptr;
    }
    Layer& of = layers_[layer];
    if (name == "ln_1.weight") return of.ln_1.weight;
    if (name == "ln_1.bias") return of.ln_1.bias;
    if (name == "ln_2.weight") return of.ln_2.weight;
    if (name == "ln_2.bias") return of.ln_2.bias;
    if (name == "attn.c_proj.bias") return of.attn_proj.bias;
    if (name == "mlp.c_proj.bias") return of.mlp_proj.bias;
    if (name == "mlp.c_fc.bias") {
        count = shape.mlp_size;
        return of.c_fc.bias;
    }
    return nullptr;
}

// GPT-2 checkpoints store a layer's matrices as (inputs, outputs), embedding and head as (outputs, inputs).
PackedMatrix* Model::matrix_named(const std::string& name, int layer, Source& source) {
    const int C = shape.n_embd, inner = shape.mlp_size;
    if (layer < 0) {
        source = {nullptr, C, shape.vocab_size, 1, (size_t)C};
        return name == "wte.weight" ? &wte_ : name == "lm_head.weight" && !shape.tied ? &lm_head_ : nullptr;
    }
    Layer& of = layers_[layer];
    if (name == "attn.c_proj.weight") {
        source = {nullptr, C, C, (size_t)C, 1};
        return &of.attn_proj;
    }
    if (name == "mlp.c_fc.weight") {
        source = {nullptr, C, inner, (size_t)inner, 1};
        return &of.c_fc;
    }
    if (name == "mlp.c_proj.weight") {
        source = {nullptr, inner, C, (size_t)C, 1};
        return &of.mlp_proj;
    }
    return nullptr;
}

static bool all_finite(const float* data, int64_t count) {
    return std::all_of(data, data + count, [](float x) { return std::isfinite(x); });
}

static const char* const unknown = "is not a tensor of this model";
static const char* const other_size = "has another size than this model's";

const char* Model::set(const std::string& name, int layer, const float* data, int64_t count) {
    static const char* const infinite =
        "holds NaN or infinity as float32; the checkpoint is damaged, or needs a dtype with a wider range";
    if (layer < -1 || layer >= shape.n_layer) return unknown;
    const int C = shape.n_embd;
    bool finite = true;
    int64_t expected;
    Source source;
    if (layer >= 0 && name == "attn.c_attn.weight") {
        if (count != (int64_t)3 * C * C) return other_size;
        for (int part = 0; part < 3; part++) {
            const Source third{data + part * C, C, C, (size_t)3 * C, 1};
            finite &= pack(team_, format, third, settled(layers_[layer].c_attn), part * shape.width());
        }
    } else if (layer >= 0 && name == "attn.c_attn.bias") {
        if (count != 3 * C) return other_size;
        finite = all_finite(data, count);
        for (int part = 0; part < 3; part++) {
            std::copy(data + part * C, data + (part + 1) * C, layers_[layer].c_attn.bias + part * shape.width());
        }
    } else if (float* vector = vector_named(name, layer, expected)) {
        if (count != expected) return other_size;
        finite = all_finite(data, count);
        std::copy(data, data + count, vector);
    } else if (PackedMatrix* matrix = matrix_named(name, layer, source)) {
        if (count != (int64_t)source.inputs * source.outputs) return other_size;
        source.data = data;
        finite = pack(team_, format, source, settled(*matrix), 0);
    } else {
        return unknown;
    }
    found(name, layer);
    return finite ? nullptr : infinite;
}

const char* Model::map(const std::string& name, int layer, const Packed& packed) {
    if (!is_quantised(format)) return "is made of whole numbers, which this format is not";
    if (layer < -1 || layer >= shape.n_layer) return unknown;
    Source source;
    PackedMatrix* matrix = layer >= 0 && name == "attn.c_attn.weight" ? &layers_[layer].c_attn
                                                                      : matrix_named(name, layer, source);
    if (!matrix) return unknown;
    if (packed.weight_bytes != (int64_t)matrix->weight_bytes || packed.scale_bytes != (int64_t)matrix->scale_bytes) {
        return other_size;
    }
    const auto is_aligned = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % kAlignment == 0; };
    if (!is_aligned(packed.weights) || !is_aligned(packed.scales)) return "does not begin at a multiple of 64 bytes";
    matrix->weights = packed.weights;
    matrix->scales = packed.scales;
    matrix->is_mapped = true;
    found(name, layer);
    return nullptr;
}

void Model::found(const std::string& name, int layer) {
    missing_.erase(std::remove(missing_.begin(), missing_.end(), key_of(name, layer)), missing_.end());
}

void Model::reserve(int count) {
    const auto rows = [&](Places& places, int count, int inputs) {
        const size_t groups = (size_t)count * inputs / group_size(format);
        Rows made{places.bytes(count * row_bytes(format, inputs)), nullptr, nullptr, inputs};
        made.scales = places.floats(groups);
        made.offsets = reinterpret_cast<int32_t*>(places.floats(groups));
        return made;
    };
    if (!members_) {
        place(members_, [&](Places& places) {
            scores_ = places.floats((size_t)team_.size() * kQueries * padded(shape.block_size, kKeyBlock));
            own_.assign(team_.size(), Rows());
            for (Rows& own : own_) own = rows(places, 1, shape.width());
        });
    }
    if (count <= capacity_) return;
    capacity_ = 0;
    place(activations_, [&](Places& places) {
        x_ = places.floats((size_t)count * shape.width());
        heads_ = places.floats((size_t)count * 4 * shape.bunches() * shape.bunch());
        normed_ = rows(places, count, shape.width());
        mixed_ = rows(places, count, shape.width());
        hidden_ = rows(places, count, shape.mlp_width());
    });
    capacity_ = count;
}

}  // namespace cutaway
