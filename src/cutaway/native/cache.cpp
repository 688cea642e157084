#include <algorithm>
#include <cstring>

#include "model.h"

namespace cutaway {

Cache::Cache(const Shape& shape, Format format, int slots, int max_tokens)
    : slots(slots), max_tokens(max_tokens), shape_(shape) {
    const bool is_float = has_float_cache(format);
    item_bytes_ = is_float ? 4 : 2;
    const int size = is_float ? shape.head_size() : padded(shape.head_size(), 2);
    width_ = padded(shape.head_size(), 16);
    const size_t tokens = padded(max_tokens, kKeyBlock);
    key_block_bytes_ = (size_t)size * kKeyBlock * item_bytes_;
    value_offset_ = tokens / kKeyBlock * key_block_bytes_;
    head_bytes_ = (value_offset_ + tokens * width_ * item_bytes_ + 63) / 64 * 64;
    memory_ = allocate((size_t)slots * shape.n_layer * shape.n_head * head_bytes_);
}

CacheHead Cache::head(int slot, int layer, int head) const {
    char* keys = memory_.get() + (((size_t)slot * shape_.n_layer + layer) * shape_.n_head + head) * head_bytes_;
    return {keys, keys + value_offset_, shape_.head_size(), width_};
}

// Up to a page; what lies further the kernels fetch by themselves.
constexpr size_t kPage = 4096;

void Cache::expect(int slot, int layer, int head, int tokens) const {
    const CacheHead at = this->head(slot, layer, head);
    const auto bring = [](const char* from, size_t bytes) {
        for (size_t i = 0; i < std::min(bytes, kPage); i += 64) __builtin_prefetch(from + i, 0, 2);
    };
    bring(at.keys, padded(tokens, kKeyBlock) / kKeyBlock * key_block_bytes_);
    bring(at.values, (size_t)tokens * width_ * item_bytes_);
}

void Cache::take(int slot, const Cache& from, int from_slot, int tokens) {
    // Whole blocks of keys and pairs of values: what lies behind the tokens does not matter.
    const size_t key_bytes = padded(tokens, kKeyBlock) / kKeyBlock * key_block_bytes_;
    const size_t value_bytes = (size_t)padded(tokens, 2) * width_ * item_bytes_;
    for (int layer = 0; layer < shape_.n_layer; layer++) {
        for (int h = 0; h < shape_.n_head; h++) {
            const CacheHead source = from.head(from_slot, layer, h), target = head(slot, layer, h);
            std::memcpy(target.keys, source.keys, key_bytes);
            std::memcpy(target.values, source.values, value_bytes);
        }
    }
}

}  // namespace cutaway
