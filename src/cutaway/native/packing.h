// From a checkpoint's floats to packed matrices (layout.h describes them).
#pragma once
#include "layout.h"
#include "memory.h"
#include "threads.h"

namespace cutaway {

inline int padded(int n, int to = kBlock) { return (n + to - 1) / to * to; }

// A matrix, how much there is of it, and whether it lies in memory that is only read.
struct PackedMatrix : Matrix {
    size_t weight_bytes = 0, scale_bytes = 0;
    bool is_mapped = false;

    size_t bytes() const { return weight_bytes + scale_bytes; }
    // Its weights are in this memory from now on, and behind them its scales.
    void lie_in(char* memory);
};

// A matrix that lies nowhere yet.
PackedMatrix empty_matrix(Format format, int inputs, int outputs);

// A dense matrix as it lies in a file: element (input, output) is data[input × input_stride + output × output_stride].
struct Source {
    const float* data;
    int inputs, outputs;
    size_t input_stride, output_stride;
};

// Packs the source into a matrix that is not mapped, as the outputs from `first_output` (a multiple of 64) on, rounding to nearest; whole numbers with
// scales that lose little by squares.
// Returns whether all numbers are finite.
bool pack(Team& team, Format format, const Source& source, PackedMatrix& to, int first_output);

// Whether weights are whole numbers with scales.
bool is_quantised(Format format);

// Bytes of one row of activations, and how many inputs share a scale.
size_t row_bytes(Format format, int inputs);
int group_size(Format format);

}  // namespace cutaway
