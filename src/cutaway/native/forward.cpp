// One pass of tokens through the network, as each member of the team lives it.
//
// All members run the same program and take their share of every step: a range of rows, of heads, or of blocks of 64
// outputs. They wait for each other only where one needs what another computed, four times a layer when one token is
// read. No sum is ever split between members, so the result does not depend on how many there are.
#include <algorithm>
#include <numeric>

#include "model.h"

namespace cutaway {

// Long inputs go through in pieces of so many tokens: enough to use each weight often, few enough to stay in the cache.
constexpr int kTokensAtOnce = 512;

struct Pass {
    Model& model;
    Cache& cache;
    const Place* places;
    const int count;
    const int answers;
    float* logits;  // of this pass's first answer

    const Shape& shape = model.shape;
    const Kernels& kernels = model.kernels_;
    const size_t width = shape.width();

    void run(int member) {
        const Share rows = share(count, member);
        for (int i = rows.begin; i < rows.end; i++) embed(i);
        model.team_.wait();
        for (int layer = 0; layer < shape.n_layer; layer++) {
            const Layer& of = model.layers_[layer];
            attend(member, layer, normalize(member, of.ln_1));
            model.team_.wait();
            add(member, of.attn_proj, model.mixed_);
            model.team_.wait();
            widen(member, of.c_fc, normalize(member, of.ln_2));
            model.team_.wait();
            add(member, of.mlp_proj, model.hidden_);
            model.team_.wait();
        }
        if (answers > 0) answer(member);
    }

    Share share(int n, int member) const { return Share(n, member, model.team_.size()); }

    float* x(int row) const { return model.x_ + row * width; }

    void embed(int row) {
        const Place& place = places[row];
        const float* position = model.wpe_ + (size_t)place.position * shape.n_embd;
        kernels.embed(model.wte_, place.token, position, shape.n_embd, x(row));
    }

    // A single row is normalized by every member for itself: quicker than waiting for another to do it.
    const Rows& normalize(int member, const Norm& norm) {
        if (count == 1) {
            kernels.normalize(norm, x(0), model.own_[member], 0);
            return model.own_[member];
        }
        const Share rows = share(count, member);
        for (int i = rows.begin; i < rows.end; i++) kernels.normalize(norm, x(i), model.normed_, i);
        model.team_.wait();
        return model.normed_;
    }

    // A member's heads, from projecting queries, keys and values to the mixed values, without waiting for anybody. So
    // that neither a block of outputs nor a group of activations is split between members, they share the heads out in
    // bunches that fill whole blocks: one head of 64 channels, two of 32, four of 80.
    void attend(int member, int layer, const Rows& in) {
        const int blocks = shape.width() / kBlock, size = shape.head_size();
        const int bunch_blocks = std::lcm(size, kBlock) / kBlock;
        const Share bunches = share((blocks + bunch_blocks - 1) / bunch_blocks, member);
        const int first = bunches.begin * bunch_blocks, last = std::min(bunches.end * bunch_blocks, blocks);
        if (first >= last) return;
        for (int part = 0; part < 3; part++) {
            for (int b = part * blocks + first; b < part * blocks + last; b++) {
                kernels.store(model.layers_[layer].c_attn, b, in, count, model.qkv_, 3 * width, kBlock);
            }
        }
        const int last_head = std::min(last * kBlock / size, shape.n_head);
        for (int head = first * kBlock / size; head < last_head; head++) attend_head(member, layer, head);
        for (int row = 0; row < count; row++) {
            for (int b = first; b < last; b++) {
                kernels.convert(model.z_ + row * width + b * kBlock, model.mixed_, row, b);
            }
        }
    }

    void attend_head(int member, int layer, int head) {
        const size_t column = (size_t)head * shape.head_size(), stride = padded(shape.block_size, kKeyBlock);
        float* scores = model.scores_ + member * kQueries * stride;
        for (int row = 0, together; row < count; row += together) {
            const Place& place = places[row];
            const CacheHead cached = cache.head(place.slot, layer, head);
            together = 0;
            while (row + together < count && places[row + together].slot == place.slot &&
                   places[row + together].position == place.position + together) {
                const float* q = model.qkv_ + (row + together) * 3 * width + column;
                kernels.remember(cached, place.position + together, q + width, q + 2 * width);
                together++;
            }
            kernels.attend(cached, place.position, together, model.qkv_ + row * 3 * width + column, 3 * width,
                           model.z_ + row * width + column, width, scores, stride);
        }
    }

    void add(int member, const Matrix& matrix, const Rows& in) {
        const Share blocks = share(matrix.outputs / kBlock, member);
        for (int b = blocks.begin; b < blocks.end; b++) kernels.add(matrix, b, in, count, model.x_, width);
    }

    void widen(int member, const Matrix& matrix, const Rows& in) {
        const Share blocks = share(matrix.outputs / kBlock, member);
        for (int b = blocks.begin; b < blocks.end; b++) kernels.gelu(matrix, b, in, count, model.hidden_);
    }

    // The final LayerNorm and the head, for the rows that were asked for.
    void answer(int member) {
        const Matrix& head = shape.tied ? model.wte_ : model.lm_head_;
        const bool alone = answers == 1;
        const Rows& out = alone ? model.own_[member] : model.normed_;
        const Share mine = alone ? Share(1, 0, 1) : share(answers, member);
        for (int row = 0, next = 0; row < count; row++) {
            if (places[row].answer < 0) continue;
            if (next >= mine.begin && next < mine.end) kernels.normalize(model.ln_f_, x(row), out, next);
            next++;
        }
        if (!alone) model.team_.wait();
        const Share blocks = share(head.outputs / kBlock, member);
        for (int b = blocks.begin; b < blocks.end; b++) {
            const int columns = std::min(kBlock, shape.vocab_size - b * kBlock);
            kernels.store(head, b, out, answers, logits, shape.vocab_size, columns);
        }
    }
};

void Model::forward(Cache& cache, const std::vector<Place>& places, float* logits) {
    for (size_t done = 0; done < places.size(); done += kTokensAtOnce) {
        const int count = (int)std::min<size_t>(kTokensAtOnce, places.size() - done);
        read(cache, places.data() + done, count, logits);
    }
}

void Model::read(Cache& cache, const Place* places, int count, float* logits) {
    reserve(count);
    const auto asked = [](const Place& place) { return place.answer >= 0; };
    const auto first = std::find_if(places, places + count, asked);
    const int answers = (int)std::count_if(places, places + count, asked);
    if (answers > 0) logits += (size_t)first->answer * shape.vocab_size;
    Pass pass{*this, cache, places, count, answers, logits};
    team_.run([&](int member) { pass.run(member); });
}

}  // namespace cutaway
