// The C interface that library.py calls. Nothing passed in can crash the process: sizes and ids are checked here, and
// no exception leaves. Functions that can fail return null for success, or a sentence.
#include <limits>
#include <new>

#include "model.h"

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

using namespace cutaway;

// Raised with every change of a signature or structure; library.py refuses any but its own.
constexpr int kInterface = 5;
constexpr int kMaxThreads = 1024;

template <class Work>
static const char* guarded(Work work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return "there is not enough memory";
    } catch (...) {
        return "the system refused to start threads";
    }
}

static bool sensible(const Shape& shape) {
    const auto within = [](int n, int most) { return 1 <= n && n <= most; };
    return within(shape.block_size, 1 << 20) && within(shape.vocab_size, 1 << 24) && within(shape.n_layer, 1 << 10) &&
           within(shape.n_embd, 1 << 16) && within(shape.mlp_size, 1 << 18) && within(shape.n_head, shape.n_embd) &&
           shape.n_embd % shape.n_head == 0;
}

EXPORT int cutaway_interface() { return kInterface; }

// The name of the i-th instruction set that this processor supports, the best first; null behind the last.
EXPORT const char* cutaway_instruction_set(int index) {
    for (const InstructionSet* set = instruction_sets; set->name; set++) {
        if (set->supported() && index-- == 0) return set->name;
    }
    return nullptr;
}

EXPORT const char* cutaway_model_new(const Shape* shape, int format, const char* isa, int threads, Model** made) {
    return guarded([&]() -> const char* {
        const InstructionSet* set = find_instruction_set(isa);
        if (!set) return "this processor has no such instruction set";
        if (!sensible(*shape)) return "no model has such a shape";
        if (shape->head_size() > kMaxHeadSize) return "heads of more than 1,024 channels are not supported";
        if (format < 0 || format >= kFormatCount) return "there is no such format of weights";
        if (threads < 1 || threads > kMaxThreads) return "it takes 1 to 1,024 threads";
        *made = new Model(*shape, static_cast<Format>(format), *set, threads);
        return nullptr;
    });
}

EXPORT void cutaway_model_free(Model* model) { delete model; }

EXPORT const char* cutaway_model_set(Model* model, const char* name, int layer, const float* data, int64_t count) {
    return guarded([&] { return model->set(name, layer, data, count); });
}

// A matrix that is packed already, used where it lies: it must outlive the model.
EXPORT const char* cutaway_model_map(Model* model, const char* name, int layer, const char* weights,
                                     int64_t weight_bytes, const uint16_t* scales, int64_t scale_bytes) {
    return guarded([&] { return model->map(name, layer, {weights, weight_bytes, scales, scale_bytes}); });
}

// The name of a tensor that has not been set yet; null when all have. Valid until the next call of `set`.
EXPORT const char* cutaway_model_missing(const Model* model) { return model->missing(); }

EXPORT const char* cutaway_cache_new(const Model* model, int slots, int max_tokens, Cache** made) {
    return guarded([&]() -> const char* {
        if (slots < 1 || slots > 1 << 20) return "a cache has 1 to 1,048,576 slots";
        if (max_tokens < 1 || max_tokens > model->shape.block_size) return "a slot holds 1 token up to the context";
        *made = new Cache(model->shape, model->format, slots, max_tokens);
        return nullptr;
    });
}

EXPORT void cutaway_cache_free(Cache* cache) { delete cache; }

// Makes the first tokens of slot `to` those of slot `from` of a cache, perhaps another one, of the same model.
EXPORT const char* cutaway_cache_copy(const Cache* from_cache, int from, Cache* to_cache, int to, int tokens) {
    if (from < 0 || from >= from_cache->slots || to < 0 || to >= to_cache->slots) return "there is no such slot";
    if (tokens < 0 || tokens > from_cache->max_tokens || tokens > to_cache->max_tokens) {
        return "a slot does not hold so many tokens";
    }
    if (from_cache != to_cache || from != to) to_cache->take(to, *from_cache, from, tokens);
    return nullptr;
}

// Reads `counts[i]` tokens into slot `slots[i]`, the first at position `starts[i]`, for each of `sequences`, and
// writes the logits after the last `answers[i]` of them, sequence after sequence.
EXPORT const char* cutaway_forward(Model* model, Cache* cache, int sequences, const int32_t* slots,
                                   const int32_t* starts, const int32_t* counts, const int32_t* answers,
                                   const int32_t* tokens, float* logits) {
    return guarded([&]() -> const char* {
        if (model->missing()) return "the model lacks tensors";
        std::vector<Place> places;
        int32_t answered = 0;
        for (int i = 0; i < sequences; i++) {
            if (slots[i] < 0 || slots[i] >= cache->slots) return "there is no such slot";
            if (starts[i] < 0 || counts[i] < 1 || counts[i] > cache->max_tokens - starts[i]) {
                return "the tokens do not fit into the slot";
            }
            if (answers[i] < 0 || answers[i] > counts[i]) return "logits are asked for more tokens than are read";
            for (int t = 0; t < counts[i]; t++, tokens++) {
                if (*tokens < 0 || *tokens >= model->shape.vocab_size) return "a token is not in the vocabulary";
                const bool asked = t >= counts[i] - answers[i];
                places.push_back({*tokens, slots[i], starts[i] + t, asked ? answered++ : -1});
            }
        }
        model->forward(*cache, places, logits);
        return nullptr;
    });
}

// The token that `uniform` draws from n logits; negative where the plain way is to decide, or there is none.
EXPORT int cutaway_choose(const char* isa, const float* logits, int n, const Cut* cut, double uniform) {
    int token = kInDoubt;
    guarded([&]() -> const char* {
        const InstructionSet* set = find_instruction_set(isa);
        if (set && n > 0) token = choose(*set->weighing, logits, n, *cut, uniform);
        return nullptr;
    });
    return token;
}

// The natural logarithm of a token's probability among n logits; NaN where there is none.
EXPORT double cutaway_logprob(const char* isa, const float* logits, int n, int token) {
    double found = std::numeric_limits<double>::quiet_NaN();
    guarded([&]() -> const char* {
        const InstructionSet* set = find_instruction_set(isa);
        if (set && 0 <= token && token < n) found = logprob(*set->weighing, logits, n, token);
        return nullptr;
    });
    return found;
}
