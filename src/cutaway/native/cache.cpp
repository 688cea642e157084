#include <algorithm>
#include <cstring>

#include "model.h"

namespace cutaway {

static size_t blocks_of(int tokens) { return (size_t)padded(tokens, kKeyBlock) / kKeyBlock; }

// Bytes of a block of tokens whose keys or values have so many numbers.
static int block_bytes(Kept kept, int numbers) {
    switch (kept) {
        case kAsFloats: return 4 * kKeyBlock * numbers;
        case kAsBfloat16: return 2 * kKeyBlock * padded(numbers, 2);
        default: return kKeyBlock * padded(numbers, 4) + kScaleBytes;
    }
}

Cache::Cache(const Shape& shape, Format format, int slots, int max_tokens)
    : slots(slots), max_tokens(max_tokens), shape_(shape) {
    width_ = padded(shape.head_size(), 16);
    key_bytes_ = block_bytes(kept_keys(format), shape.head_size());
    value_bytes_ = block_bytes(kept_values(format), width_);
    const size_t blocks = blocks_of(max_tokens);
    value_offset_ = blocks * key_bytes_;
    head_bytes_ = value_offset_ + blocks * value_bytes_;
    memory_ = allocate((size_t)slots * shape.n_layer * shape.n_head * head_bytes_);
}

CacheHead Cache::head(int slot, int layer, int head) const {
    char* keys = memory_.get() + (((size_t)slot * shape_.n_layer + layer) * shape_.n_head + head) * head_bytes_;
    return {keys, keys + value_offset_, shape_.head_size(), width_, key_bytes_, value_bytes_};
}

// Up to a page; what lies further the kernels fetch by themselves.
constexpr size_t kPage = 4096;

void Cache::expect(int slot, int layer, int head, int tokens) const {
    const CacheHead at = this->head(slot, layer, head);
    bring(at.keys, std::min(blocks_of(tokens) * key_bytes_, kPage));
    bring(at.values, std::min((size_t)tokens * value_bytes_ / kKeyBlock, kPage));
}

void Cache::expect_place(int slot, int layer, int head, int position) const {
    const CacheHead at = this->head(slot, layer, head);
    bring(at.key_block(position), key_bytes_);
    bring(at.value_block(position), value_bytes_);
}

void Cache::take(int slot, const Cache& from, int from_slot, int tokens) {
    // Whole blocks: what lies behind the tokens does not matter.
    const size_t blocks = blocks_of(tokens);
    for (int layer = 0; layer < shape_.n_layer; layer++) {
        for (int h = 0; h < shape_.n_head; h++) {
            const CacheHead source = from.head(from_slot, layer, h), target = head(slot, layer, h);
            std::memcpy(target.keys, source.keys, blocks * key_bytes_);
            std::memcpy(target.values, source.values, blocks * value_bytes_);
        }
    }
}

}  // namespace cutaway
