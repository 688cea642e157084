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

// Has bytes brought near that will be needed soon, where no processor would expect them.
inline void bring(const void* from, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char*)from + i, 0, 2);
}

}  // namespace cutaway
