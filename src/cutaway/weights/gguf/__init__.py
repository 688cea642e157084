"""GGUF, the one-file format of llama.cpp: shape, vocabulary and weights together, plain or in blocks of integers.

Read in this order: `formats` (numbers), `values` (what a file says of itself), `names`, `vocabulary`; then `save`
and `file`, which put them together.

Source: github.com/ggml-org/ggml, docs/gguf.md.
"""
