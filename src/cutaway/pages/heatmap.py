"""Any labelled array of two dimensions as colours: patching grids, comparisons, weights, statistics."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cutaway.pages.view import View, float_block, floats, labels


def heatmap_view(
    values: ArrayLike,
    *,
    rows: Sequence[str | int] | None = None,
    columns: Sequence[str | int] | None = None,
    row_axis: str = "row",
    column_axis: str = "column",
    quantity: str = "value",
    unit: str = "",
    diverging: bool | None = None,
    title: str = "Heat map",
) -> View:
    """An array as a heat map to zoom into, with labels, the value under the pointer, and export as CSV, PNG and SVG.

    A diverging map has zero in the middle; it is the default where some values are negative. NaN stays blank.
    Without labels rows and columns are counted from 0.

    Shapes: values (R, C)

    Raises: ConfigError when the numbers do not fit together.
    """
    array = floats(values, "the heat map", ndim=2)
    R, C = array.shape
    facts = {
        "rows": labels(range(R) if rows is None else rows, "rows", R),
        "columns": labels(range(C) if columns is None else columns, "columns", C),
        "rowAxis": row_axis,
        "columnAxis": column_axis,
        "quantity": quantity,
        "unit": unit,
        "diverging": bool(np.nanmin(array, initial=0) < 0) if diverging is None else diverging,
    }
    return View(kind="heatmap", title=title, facts=facts, blocks=[float_block("values", array)])
