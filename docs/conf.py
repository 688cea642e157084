"""How the site is built: offline, every code cell run, every warning an error."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from cutaway import __version__

project = "Cutaway"
author = "Cutaway contributors"
project_copyright = author
version = release = __version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml", "source", "exercises", "reading_time"]
exclude_patterns = ["_extensions"]

# Docstrings are Markdown as far as they go: a name in backticks is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Quotes and ellipses are set well; two dashes are an option and stay two.
smartquotes_action = "qe"

# A page that was not run is not shown. While writing, CUTAWAY_DOCS_CACHE=1 runs again only cells that changed.
nb_execution_mode = "cache" if os.environ.get("CUTAWAY_DOCS_CACHE") else "force"
nb_execution_cache_path = str(Path(__file__).parents[1] / "build" / "docs-cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "warn"
nb_merge_streams = True
# A picture tells its size in pixels at 150 a inch; the page wants points.
nb_render_image_options = {"class": "figure"}

html_theme = "furo"
html_title = "Cutaway"
html_static_path = ["_static"]
html_css_files = ["cutaway.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#8a3b12", "color-brand-content": "#8a3b12"},
    "dark_css_variables": {"color-brand-primary": "#f0a878", "color-brand-content": "#f0a878"},
}
pygments_style = "friendly"
pygments_dark_style = "monokai"
