// The network: packed weights, the caches of the sequences it reads, and room for what a forward computes.
#pragma once
#include <numeric>
#include <string>
#include <vector>

#include "isa.h"
#include "packing.h"

namespace cutaway {

// The first seven numbers are the fields of Python's GPTConfig; library.py passes this structure by address.
struct Shape {
    int32_t block_size, vocab_size, n_layer, n_head, n_embd, mlp_size;
    int32_t tied;  // whether the head is the embedding
    float epsilon;

    int head_size() const { return n_embd / n_head; }
    int width() const { return padded(n_embd); }
    int mlp_width() const { return padded(mlp_size); }
    // The channels of as many heads as fill whole blocks: one head of 64 channels, two of 32, four of 80.
    int bunch() const { return std::lcm(head_size(), kBlock); }
    int bunches() const { return (width() + bunch() - 1) / bunch(); }
};

struct Layer {
    Norm ln_1, ln_2;
    // c_attn holds queries, keys and values one after the other, each padded to the model's width.
    PackedMatrix c_attn, attn_proj, c_fc, mlp_proj;
};

// Keys and values of `slots` sequences: [slot][layer][head], each as CacheHead says.
class Cache {
public:
    Cache(const Shape& shape, Format format, int slots, int max_tokens);

    CacheHead head(int slot, int layer, int head) const;
    // Has the beginning of a head's keys and values fetched, which will be read soon.
    void expect(int slot, int layer, int head, int tokens) const;
    // The same for the place of a token, which will be written.
    void expect_place(int slot, int layer, int head, int position) const;
    // Makes the first tokens of a slot those of another, in this cache or in one of the same model.
    void take(int slot, const Cache& from, int from_slot, int tokens);

    const int slots, max_tokens;

private:
    const Shape shape_;
    int width_, key_bytes_, value_bytes_;
    size_t value_offset_, head_bytes_;
    Memory memory_;
};

// A token to read: of which sequence, where it stands, and in which row of the logits to answer (-1: in none).
struct Place {
    int32_t token, slot, position, answer;
};

// A matrix of whole numbers as layout.h has it, in memory that is only read.
struct Packed {
    const char* weights;
    int64_t weight_bytes;
    const uint16_t* scales;
    int64_t scale_bytes;
};

class Model {
public:
    Model(const Shape& shape, Format format, const InstructionSet& isa, int threads);

    // Packs the tensor of that name as checkpoints store it; layer is -1 for those outside of layers.
    // Returns null, or what is wrong.
    const char* set(const std::string& name, int layer, const float* data, int64_t count);
    // Uses a matrix that is packed already where it lies; it must stay there. A model that goes on being used moves it
    // to memory of its own. Returns null, or what is wrong.
    const char* map(const std::string& name, int layer, const Packed& packed);

    // Reads tokens into the cache; each answer is a row of vocab_size floats. Positions of a sequence must follow
    // each other, and its tokens stand side by side.
    void forward(Cache& cache, const std::vector<Place>& places, float* logits);

    // A tensor that has not been set yet; null when all have.
    const char* missing() const { return missing_.empty() ? nullptr : missing_.front().c_str(); }

    const Shape shape;
    const Format format;

private:
    friend struct Pass;

    void found(const std::string& name, int layer);
    float* vector_named(const std::string& name, int layer, int64_t& count);
    PackedMatrix* matrix_named(const std::string& name, int layer, Source& source);
    template <class Do>
    void each_matrix(Do work);
    char* room_for(const PackedMatrix& matrix);
    PackedMatrix& settled(PackedMatrix& matrix);
    void move_in();
    void reserve(int rows);
    void read(Cache& cache, const Place* places, int count, float* logits);

    const Kernels& kernels_;
    Team team_;
    std::vector<std::string> missing_;
    Memory vectors_;  // LayerNorms, biases and positions
    Memory matrices_;  // all but those that are mapped
    int passes_ = 0;
    size_t moved_ = 0;  // bytes of the matrix that is being moved
    bool may_move_ = true;
    PackedMatrix wte_, lm_head_;
    float* wpe_ = nullptr;
    Norm ln_f_;
    std::vector<Layer> layers_;

    // Activations of up to `capacity_` tokens; of a single one, and scores, for each member of the team.
    int capacity_ = 0;
    Memory activations_, members_;
    float *x_ = nullptr, *heads_ = nullptr, *scores_ = nullptr;
    Rows normed_, mixed_, hidden_;
    std::vector<Rows> own_;
};

}  // namespace cutaway
