// Drawing a token. Kernels do what takes in the whole vocabulary, choice.cpp the rest.
#pragma once
#include <cstdint>

namespace cutaway {

// What one instruction set does with a row of logits; arrays have room for a multiple of 16 numbers, and 16 more.
struct Weighing {
    // y = logits / temperature and w = e^(y - the largest y); returns the sum of w. The largest is NaN if any is.
    double (*weigh)(const float* logits, int n, float temperature, float* y, float* w, float* largest);
    // The places of all numbers of at least `least`, in order; returns how many there are.
    int (*at_least)(const float* numbers, int n, float least, int32_t* places);
};

// As SamplingParams has them; top_k is 0 where all are kept.
struct Cut {
    float temperature;
    int32_t top_k;
    double top_p, min_p;
};

constexpr int kInDoubt = -1;

// The token that `uniform` from (0, 1] draws from logits that are cut so, or kInDoubt where rounding might decide, or
// nothing can be drawn: the largest is not finite.
int choose(const Weighing& by, const float* logits, int n, const Cut& cut, double uniform);

// The natural logarithm of a token's probability; NaN where the largest is not finite.
double logprob(const Weighing& by, const float* logits, int n, int token);

}  // namespace cutaway
