"""Rows of logits in which selecting and drawing might go wrong."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def rows(draw, most, dtypes=(np.float32,)):
    """Up to so many logits from flat to steep, with few distinct ones or many, and some of them impossible."""
    size = draw(st.integers(1, most))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    row = generator.standard_normal(size) * draw(st.sampled_from([0, 0.01, 0.3, 3, 30]))
    if draw(st.booleans()):
        row = np.round(row * draw(st.sampled_from([1, 4])))
    row[generator.random(size) < draw(st.sampled_from([0.0, 0.5, 0.99]))] = -np.inf
    row[generator.integers(size)] = draw(st.sampled_from([-2.0, 0.0, 50.0]))
    return row.astype(draw(st.sampled_from(dtypes)))
