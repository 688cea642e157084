"""Small inputs for pages, alike in every run."""

import numpy as np

from cutaway.pages import attention_view, bars_view, heatmap_view, lens_view, scatter_view, text_view

TOKENS = ["The", "ĠCS", "123", "Ġclass", "Ġwas", "Ġvery", "Ġint", "rest", "ing", ".", "ĠI", "Ċ"]
HOSTILE = [
    "</script>",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "&lt;",
    '"',
    "'",
    "\\",
    "\u2028",
    "\ud800",
    "\x00",
    "${1}",
]


def patterns_of(tokens, layers, heads, seed=0):
    """Causal attention of random sharpness."""
    rng = np.random.default_rng(seed)
    below = np.tri(tokens, dtype=bool)
    patterns = []
    for layer in range(layers):
        for head in range(heads):
            weights = np.where(below, np.exp(rng.normal(0, 1 + layer, (tokens, tokens))), 0)
            patterns.append((layer, head, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)))
    return patterns


def views_of(tokens, layers=2, heads=3, seed=0):
    """One view of every kind."""
    rng = np.random.default_rng(seed)
    T = len(tokens)
    alternatives = [[(tokens[(t + 1) % T], 0.5), (tokens[t], 0.25)] for t in range(T)]
    bits = np.array([np.nan, *np.arange(1, T) % 13 / 2])
    return [
        attention_view(tokens, patterns_of(T, layers, heads)),
        lens_view(tokens, ["embed", "0"], [alternatives, alternatives], entropy_bits=rng.random((2, T))),
        text_view(tokens, bits, ranks=[None, *range(1, T)], expected=[[], *alternatives[:-1]]),
        bars_view([f"L0 H{i}" for i in range(4)], [0.5, -2, 0.25, 1], groups=["head", "head", "MLP", "MLP"]),
        scatter_view(rng.normal(0, 1, (T, 2)), tokens, values=np.arange(T), quantity="norm"),
        heatmap_view(np.arange(-T, T).reshape(2, T) / 8, columns=tokens, row_axis="layer", column_axis="token"),
    ]
