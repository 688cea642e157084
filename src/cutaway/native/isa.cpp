#include "isa.h"

#include <cstring>

#if defined(HAS_AVXVNNI)
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace cutaway {

// The build defines HAS_… for each set that the compiler knew the flags of.
#if defined(HAS_AVX512BF16)
namespace avx512bf16 {
extern const Kernels kernels[kFormatCount];
extern const Weighing weighing;
static bool supported() {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
}  // namespace avx512bf16
#endif
#if defined(HAS_AVX512)
namespace avx512 {
extern const Kernels kernels[kFormatCount];
extern const Weighing weighing;
static bool supported() {
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
}  // namespace avx512
#endif
#if defined(HAS_AVXVNNI)
namespace avxvnni {
extern const Kernels kernels[kFormatCount];
extern const Weighing weighing;
static bool supported() {
    // Not every compiler can ask for it by name: it is bit 4 of EAX of leaf 7, subleaf 1.
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           (a & 16);
}
}  // namespace avxvnni
#endif
#if defined(HAS_AVX2)
namespace avx2 {
extern const Kernels kernels[kFormatCount];
extern const Weighing weighing;
static bool supported() {
    // Every processor with AVX2 and FMA has F16C, which compilers cannot be asked about.
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
}  // namespace avx2
#endif
#if defined(HAS_NEON)
namespace neon {
extern const Kernels kernels[kFormatCount];
extern const Weighing weighing;
static bool supported() {
#if defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
    return true;  // every Apple processor for Macs multiplies bytes
#endif
}
}  // namespace neon
#endif
namespace portable {
extern const Kernels kernels[kFormatCount];
extern const Weighing weighing;
static bool supported() { return true; }
}  // namespace portable

const InstructionSet instruction_sets[] = {
#if defined(HAS_AVX512BF16)
    {"avx512bf16", avx512bf16::supported, avx512bf16::kernels, &avx512bf16::weighing},
#endif
#if defined(HAS_AVX512)
    {"avx512", avx512::supported, avx512::kernels, &avx512::weighing},
#endif
#if defined(HAS_AVXVNNI)
    {"avxvnni", avxvnni::supported, avxvnni::kernels, &avxvnni::weighing},
#endif
#if defined(HAS_AVX2)
    {"avx2", avx2::supported, avx2::kernels, &avx2::weighing},
#endif
#if defined(HAS_NEON)
    {"neon", neon::supported, neon::kernels, &neon::weighing},
#endif
    {"portable", portable::supported, portable::kernels, &portable::weighing},
    {nullptr, nullptr, nullptr, nullptr},
};

const InstructionSet* find_instruction_set(const char* name) {
    for (const InstructionSet* set = instruction_sets; set->name; set++) {
        if ((!*name || !std::strcmp(name, set->name)) && set->supported()) return set;
    }
    return nullptr;
}

}  // namespace cutaway
