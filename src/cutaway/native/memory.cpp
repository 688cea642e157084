#include "memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(_WIN32)
#include <malloc.h>
#else
#include <sys/mman.h>
#endif

namespace cutaway {

constexpr size_t kLargePage = size_t(2) << 20;

#if defined(_WIN32)

Memory allocate(size_t bytes) {
    char* memory = static_cast<char*>(_aligned_malloc(bytes ? bytes : 1, 64));
    if (!memory) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    return Memory(memory, FreeMemory{bytes});
}

void FreeMemory::operator()(char* memory) const { _aligned_free(memory); }

#else

Memory allocate(size_t bytes) {
    void* memory = mmap(nullptr, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    // One entry of the address cache then covers 2 MiB; with 4 KiB pages, reading weights would miss it at every page.
    if (bytes >= kLargePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return Memory(static_cast<char*>(memory), FreeMemory{bytes ? bytes : 1});
}

void FreeMemory::operator()(char* memory) const { munmap(memory, bytes); }

#endif

}  // namespace cutaway
