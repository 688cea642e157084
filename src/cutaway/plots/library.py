"""The door to matplotlib and Pillow, opened when something is drawn."""

from typing import Any

from cutaway.errors import MissingExtraError


def matplotlib() -> Any:
    """matplotlib, with the modules that are used here. Never pyplot: it keeps figures and looks for a window system.

    Raises: MissingExtraError when it is not installed.
    """
    try:
        import matplotlib
        import matplotlib.backends.backend_agg
        import matplotlib.cm
        import matplotlib.collections
        import matplotlib.colors
        import matplotlib.figure
        import matplotlib.ft2font
        import matplotlib.patheffects
        import matplotlib.style
        import matplotlib.ticker
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise MissingExtraError("matplotlib", "plot", "drawing") from None
    return matplotlib


def pillow() -> Any:
    """Pillow, with the modules that are used here.

    Raises: MissingExtraError when it is not installed.
    """
    try:
        import PIL
        import PIL.GifImagePlugin
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
    except ModuleNotFoundError as error:
        if error.name != "PIL":
            raise
        raise MissingExtraError("pillow", "plot", "drawing an animation") from None
    return PIL
