"""How good a model is: perplexity, the paper's test sets, multiple choice, and the door to lm-evaluation-harness.

Read in this order: `passage`, `prefix_tree`, `lanes`, `native_scorer`; then `windows` and `perplexity`, `choices` and
`tasks`, `paper`; then `compare`.
"""
