// Zeroed memory, aligned for every kernel and in large pages where the system has them.
#pragma once
#include <cstddef>
#include <memory>

namespace cutaway {

struct FreeMemory {
    size_t bytes = 0;
    void operator()(char* memory) const;
};

using Memory = std::unique_ptr<char, FreeMemory>;

// Physical memory is taken as it is first written to. Throws std::bad_alloc.
Memory allocate(size_t bytes);

// Hands out places that begin at lines of the cache, one after the other, in memory that need not be there yet.
class Places {
public:
    explicit Places(char* memory) : memory_(memory) {}

    char* bytes(size_t count) {
        char* const place = memory_ ? memory_ + used_ : nullptr;
        used_ += (count + 63) / 64 * 64;
        return place;
    }
    float* floats(size_t count) { return reinterpret_cast<float*>(bytes(count * sizeof(float))); }
    size_t used() const { return used_; }

private:
    char* const memory_;
    size_t used_ = 0;
};

// Memory for all that `take(places)` takes. It is called twice: to see how much that is, then to take it.
template <class Take>
void place(Memory& memory, Take take) {
    Places sizes(nullptr);
    take(sizes);
    memory.reset();
    memory = allocate(sizes.used());
    Places places(memory.get());
    take(places);
}

// Has bytes brought near that will be needed soon, where no processor would expect them.
inline void bring(const void* from, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char*)from + i, 0, 2);
}

}  // namespace cutaway
