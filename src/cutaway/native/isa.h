// The instruction sets this library was compiled for, the best first.
#pragma once
#include "choice.h"
#include "layout.h"

namespace cutaway {

struct InstructionSet {
    const char* name;
    bool (*supported)();  // by this processor and system
    const Kernels* kernels;  // [kFormatCount]
    const Weighing* weighing;
};

// Ends with an entry without a name. `portable`, which every processor supports, comes last before it.
extern const InstructionSet instruction_sets[];

// The one of that name that is supported here, or the best for an empty name; null if there is none.
const InstructionSet* find_instruction_set(const char* name);

}  // namespace cutaway
