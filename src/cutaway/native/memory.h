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

}  // namespace cutaway
