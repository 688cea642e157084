"""Formulas as MathML, made when the page is built.

Browsers draw MathML themselves, so a page needs no script, no font and no network for it, and a screen reader reads
it. latex2mathml is pure Python and kept up; KaTeX would need Node at build and its fonts, imgmath a LaTeX.
"""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def draw_inline(writer: Any, node: nodes.math) -> None:
    """A formula in a line of text."""
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def draw_block(writer: Any, node: nodes.math_block) -> None:
    """A formula on a line of its own."""
    writer.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Offer the renderer `mathml`."""
    app.add_html_math_renderer("mathml", inline_renderers=(draw_inline, None), block_renderers=(draw_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
