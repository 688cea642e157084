"""Pictures of plain numbers and their labels, by matplotlib: no model, no window, the same bytes each time."""

from cutaway.plots.animation import animate
from cutaway.plots.attention import draw_attention, draw_attention_layers, draw_model_view
from cutaway.plots.bars import draw_bars
from cutaway.plots.coloured_text import draw_text
from cutaway.plots.curves import Panel, draw_along, draw_curves
from cutaway.plots.drawing import draw
from cutaway.plots.heat_map import draw_heat_map
from cutaway.plots.histogram import draw_histogram
from cutaway.plots.number_table import draw_table
from cutaway.plots.painter import Frame, growing
from cutaway.plots.picture_file import save
from cutaway.plots.scatter import draw_scatter

__all__ = [
    "Frame",
    "Panel",
    "animate",
    "draw",
    "draw_along",
    "draw_attention",
    "draw_attention_layers",
    "draw_bars",
    "draw_curves",
    "draw_heat_map",
    "draw_histogram",
    "draw_model_view",
    "draw_scatter",
    "draw_table",
    "draw_text",
    "growing",
    "save",
]
