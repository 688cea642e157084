"""Pages that show numbers and answer to pointer and keyboard: one HTML file, no server, no network.

Arrays and labels go in, HTML text comes out. `write_page("see.html", heatmap_view(...), text_view(...))` makes a page
of two tabs; `heatmap_page(...)` is the text of a page of one.
"""

from collections.abc import Callable, Iterator
from typing import ParamSpec

from cutaway.pages.attention import Pattern, attention_view
from cutaway.pages.bars import bars_view
from cutaway.pages.document import page, write_page
from cutaway.pages.heatmap import heatmap_view
from cutaway.pages.lens import Alternatives, lens_view
from cutaway.pages.scatter import scatter_view
from cutaway.pages.text import text_view
from cutaway.pages.view import View

P = ParamSpec("P")


def alone(view: Callable[P, View]) -> Callable[P, Iterator[str]]:
    """The function that makes a page of nothing but this view."""

    def page_of_it(*args: P.args, **kwargs: P.kwargs) -> Iterator[str]:
        return page(view(*args, **kwargs))

    page_of_it.__name__ = page_of_it.__qualname__ = view.__name__.replace("_view", "_page")
    page_of_it.__doc__ = view.__doc__
    return page_of_it


attention_page = alone(attention_view)
bars_page = alone(bars_view)
heatmap_page = alone(heatmap_view)
lens_page = alone(lens_view)
scatter_page = alone(scatter_view)
text_page = alone(text_view)

__all__ = [
    "Alternatives",
    "Pattern",
    "View",
    "attention_page",
    "attention_view",
    "bars_page",
    "bars_view",
    "heatmap_page",
    "heatmap_view",
    "lens_page",
    "lens_view",
    "page",
    "scatter_page",
    "scatter_view",
    "text_page",
    "text_view",
    "write_page",
]
