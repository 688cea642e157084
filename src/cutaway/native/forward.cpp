// One pass of tokens through the network, as each member of the team lives it.
//
// All members run the same program and take their share of every step: a range of rows, of heads, or of blocks of 64
// outputs. They wait for each other only where one needs what another computed, four times a layer when one token is
// read. No sum is ever split between members, so the result does not depend on how many there are.
//
// Logits are asked for after few of the tokens of a prompt. In the last layer the others only leave their keys and
// values; what else they would compute nobody reads.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "model.h"

namespace cutaway {

struct Pass {
    Model& model;
    Cache& cache;
    const Place* places;
    const int count;
    float* logits;  // of this pass's first answer

    const Shape& shape = model.shape;
    const Kernels& kernels = model.kernels_;
    const size_t width = shape.width();

    void embed(int member) {
        const Share rows = share(count, member);
        for (int i = rows.begin; i < rows.end; i++) embed_row(i);
        model.team_.wait();
    }

    void layer(int member, int layer) {
        const Layer& of = model.layers_[layer];
        attend(member, layer, normalize(member, of.ln_1));
        model.team_.wait();
        add(member, of.attn_proj, model.mixed_, first(of.c_fc, member));
        model.team_.wait();
        widen(member, of.c_fc, normalize(member, of.ln_2), first(of.mlp_proj, member));
        model.team_.wait();
        add(member, of.mlp_proj, model.hidden_, after(layer, member));
        model.team_.wait();
    }

    // Of a layer only what later tokens look at, and then the rows of x that are asked about, moved to the front.
    void leave(int member, int layer) {
        const Rows& in = normalize(member, model.layers_[layer].ln_1);
        project(member, layer, in, 1, model.layers_[layer].c_attn.block(channels(member).begin));
        each_head(member, [&](int head) { remember(layer, head); });
        if (member == 0) {
            for (int row = 0, to = 0; row < count; row++) {
                if (places[row].answer >= 0) std::memmove(x(to++), x(row), width * sizeof(float));
            }
        }
        model.team_.wait();
    }

    const Matrix& head() const { return shape.tied ? model.wte_ : model.lm_head_; }

    // Calls multiply(block) for a member's blocks of a matrix; `next` is what it reads after them.
    template <class Multiply>
    void each_block(int member, const Matrix& matrix, const char* next, Multiply multiply) const {
        const Share mine = share(matrix.outputs / kBlock, member);
        for (int b = mine.begin; b < mine.end; b++) {
            multiply(Block{matrix, b, b + 1 < mine.end ? matrix.block(b + 1) : next});
        }
    }

    // Where a member's share of a matrix begins.
    const char* first(const Matrix& matrix, int member) const {
        return matrix.block(share(matrix.outputs / kBlock, member).begin);
    }

    // What a member reads after a layer: the queries of its heads in the next one, or its share of the head.
    const char* after(int layer, int member) const {
        if (layer + 1 == shape.n_layer) return first(head(), member);
        return model.layers_[layer + 1].c_attn.block(channels(member).begin);
    }

    Share share(int n, int member) const { return Share(n, member, model.team_.size()); }

    float* x(int row) const { return model.x_ + row * width; }

    void embed_row(int row) {
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

    // The blocks of channels whose heads are a member's. So that neither a block of outputs nor a group of activations
    // is split between members, heads are shared out in bunches that fill whole blocks: one head of 64 channels, two
    // of 32, four of 80.
    Share channels(int member) const {
        const int blocks = shape.width() / kBlock, bunch = shape.bunch() / kBlock;
        const Share bunches = share(shape.bunches(), member);
        return {std::min(bunches.begin * bunch, blocks), std::min(bunches.end * bunch, blocks)};
    }

    // A piece of every row, one row after the other.
    struct Vectors {
        float* first;
        size_t stride;
        float* row(int row) const { return first + row * stride; }
    };

    // Queries, keys, values and what was mixed lie by bunches of heads, and in each by rows: a head's vectors are then
    // near each other, however many heads there are.
    static constexpr int kMixed = 3;
    Vectors channels_from(int part, int channel) const {
        const size_t bunch = shape.bunch(), width = shape.bunches() * bunch;
        float* of_bunch = model.heads_ + (part * width + channel / bunch * bunch) * count;
        return {of_bunch + channel % bunch, bunch};
    }
    Vectors of_head(int part, int head) const { return channels_from(part, head * shape.head_size()); }
    Vectors of_block(int part, int block) const { return channels_from(part, block * kBlock); }

    // A member's channels of queries, keys and values (parts 0, 1, 2), from some part on.
    void project(int member, int layer, const Rows& in, int part, const char* next) {
        const Matrix& matrix = model.layers_[layer].c_attn;
        const Share mine = channels(member);
        const int wide = mine.end - mine.begin, blocks = shape.width() / kBlock;
        const auto index = [&](int i) { return i / wide * blocks + mine.begin + i % wide; };
        for (int i = part * wide; i < 3 * wide; i++) {
            const char* after = i + 1 < 3 * wide ? matrix.block(index(i + 1)) : next;
            const Vectors out = of_block(i / wide, mine.begin + i % wide);
            kernels.store(Block{matrix, index(i), after}, in, count, out.first, out.stride, kBlock);
        }
    }

    template <class Do>
    void each_head(int member, Do work) const {
        const Share mine = channels(member);
        const int size = shape.head_size(), last = std::min(mine.end * kBlock / size, shape.n_head);
        for (int head = mine.begin * kBlock / size; head < last; head++) work(head);
    }

    // A member's heads, from projecting queries, keys and values to the mixed values, without waiting for anybody.
    void attend(int member, int layer, const Rows& in) {
        project(member, layer, in, 0, first(model.layers_[layer].attn_proj, member));
        each_head(member, [&](int head) {
            remember(layer, head);
            attend_head(member, layer, head);
        });
        const Share mine = channels(member);
        // What pads the last block no head writes, but a group of integers would take its scale from it.
        const int padding = mine.end * kBlock - shape.n_embd;
        for (int row = 0; row < count && padding > 0; row++) {
            std::fill_n(channels_from(kMixed, shape.n_embd).row(row), padding, 0.0f);
        }
        for (int b = mine.begin; b < mine.end; b++) {
            const Vectors mixed = of_block(kMixed, b);
            for (int row = 0; row < count; row++) kernels.convert(mixed.row(row), model.mixed_, row, b);
        }
    }

    // Where sequences end is all over the cache, so the places of the next but one are fetched meanwhile.
    void remember(int layer, int head) {
        const Vectors keys = of_head(1, head), values = of_head(2, head);
        for (int row = 0; row < count; row++) {
            const Place& place = places[row];
            const Place& soon = places[std::min(row + 2, count - 1)];
            if (soon.slot != place.slot) cache.expect_place(soon.slot, layer, head, soon.position);
            kernels.remember(cache.head(place.slot, layer, head), place.position, keys.row(row), values.row(row));
        }
    }

    // Tokens of a sequence that follow each other are attended for together.
    void attend_head(int member, int layer, int head) {
        const Vectors queries = of_head(0, head), mixed = of_head(kMixed, head);
        const size_t stride = padded(shape.block_size, kKeyBlock);
        float* scores = model.scores_ + member * kQueries * stride;
        for (int row = 0, together; row < count; row += together) {
            const Place& place = places[row];
            const auto follows = [&](int n) {
                const Place& other = places[row + n];
                return other.slot == place.slot && other.position == place.position + n;
            };
            for (together = 1; row + together < count && follows(together);) together++;
            expect(layer, row + together < count ? head : head + 1, (row + together) % count);
            kernels.attend(cache.head(place.slot, layer, head), place.position, together, queries.row(row),
                           queries.stride, mixed.row(row), mixed.stride, scores, stride);
        }
    }

    // While a head of a row is attended to, the keys and values of the next one come.
    void expect(int layer, int head, int row) const {
        if (head < shape.n_head) cache.expect(places[row].slot, layer, head, places[row].position + 1);
    }

    void add(int member, const Matrix& matrix, const Rows& in, const char* next) {
        each_block(member, matrix, next,
                   [&](const Block& block) { kernels.add(block, in, count, model.x_, width); });
    }

    void widen(int member, const Matrix& matrix, const Rows& in, const char* next) {
        each_block(member, matrix, next,
                   [&](const Block& block) { kernels.gelu(block, in, count, model.hidden_); });
    }

    // The final LayerNorm and the head, for the rows that were asked for.
    void answer(int member, int answers) {
        const bool alone = answers == 1;
        const Rows& out = alone ? model.own_[member] : model.normed_;
        const Share mine = alone ? Share(1, 0, 1) : share(answers, member);
        for (int row = 0, next = 0; row < count; row++) {
            if (places[row].answer < 0) continue;
            if (next >= mine.begin && next < mine.end) kernels.normalize(model.ln_f_, x(row), out, next);
            next++;
        }
        if (!alone) model.team_.wait();
        each_block(member, head(), nullptr, [&](const Block& block) {
            const int columns = std::min(kBlock, shape.vocab_size - block.index * kBlock);
            kernels.store(block, out, answers, logits + block.index * kBlock, shape.vocab_size, columns);
        });
    }
};

// Long inputs go through in pieces: enough tokens to use each weight often, few enough to stay in the cache.
void Model::forward(Cache& cache, const std::vector<Place>& places, float* logits) {
    for (size_t done = 0; done < places.size(); done += kMaxRows) {
        const int count = (int)std::min<size_t>(kMaxRows, places.size() - done);
        read(cache, places.data() + done, count, logits);
        move_in();
    }
}

void Model::read(Cache& cache, const Place* places, int count, float* logits) {
    reserve(count);
    std::vector<Place> asked;
    const auto is_asked = [](const Place& place) { return place.answer >= 0; };
    std::copy_if(places, places + count, std::back_inserter(asked), is_asked);
    const int answers = (int)asked.size(), last = shape.n_layer - 1;
    if (answers > 0) logits += (size_t)asked.front().answer * shape.vocab_size;
    Pass all{*this, cache, places, count, logits}, few{*this, cache, asked.data(), answers, logits};
    // Those asked about are projected twice, so there must be enough others.
    const bool narrows = answers == 0 || count >= 2 * answers + 8;
    team_.run([&](int member) {
        all.embed(member);
        for (int layer = 0; layer < last; layer++) all.layer(member, layer);
        if (narrows) all.leave(member, last);
        if (answers == 0) return;
        Pass& rest = narrows ? few : all;
        rest.layer(member, last);
        rest.answer(member, answers);
    });
}

}  // namespace cutaway
