"""The house style of figures: one palette that colour-blind readers can tell apart, one set of matplotlib settings.

Colours are those of Okabe and Ito (2008), "Color Universal Design", with neutral greys; red, green and purple a little
darker, so that white words on them keep a contrast of 4.5 to 1. Never let colour alone carry a meaning: add a label, a marker or a
line style.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#008560"
RED = "#C24F00"
PURPLE = "#A3588A"
SKY = "#56B4E9"
YELLOW = "#F0E442"

INK = "#1F2933"
"""Text and strong lines."""
MUTED = "#5F6B7A"
"""Second-rank text, axes, arrows."""
LINE = "#C5CDD8"
"""Borders and grid."""
WASH = "#F3F5F8"
"""Quiet background of a box."""
PAPER = "#FFFFFF"

CYCLE = [BLUE, RED, GREEN, ORANGE, PURPLE, SKY]
"""Order in which series of a chart get their colours."""

PHASES = {"Plan": PURPLE, "Data": BLUE, "Model": RED, "Deployment": GREEN}
"""Colour of each phase of the lifecycle, the same in every figure."""

STATES = {
    "new": MUTED,
    "done": GREEN,
    "cached": BLUE,
    "failed": RED,
    "unfinished": PURPLE,
    "cancelled": PURPLE,
}
"""Colour of the state of a pipeline's component, the same in every view."""

WIDTH = 9.0
"""Width of a full-width figure in inches: 900 pixels as displayed."""
DPI = 100
SHARPNESS = 2
"""Pixels stored for each displayed pixel and direction, for high-resolution screens."""


def tint(colour: str, strength: float = 0.14) -> str:
    """The colour mixed with white: `strength` 1 is the colour itself, 0 is white. Returns `#RRGGBB`."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * strength):02X}" for part in parts)


FONT = "Source Sans Pro"


def add_fonts() -> None:
    """Makes the typeface of the house known to matplotlib. Without the package, matplotlib's own stands in."""
    package = importlib.util.find_spec("font_source_sans_pro")
    if package is None or not package.submodule_search_locations:
        return
    from matplotlib.font_manager import fontManager

    if any(entry.name == FONT for entry in fontManager.ttflist):
        return
    folder = Path(package.submodule_search_locations[0]) / "files"
    for cut in ("Regular", "It", "Bold"):
        fontManager.addfont(folder / f"SourceSansPro-{cut}.ttf")


def settings() -> dict[str, object]:
    """The matplotlib settings (rcParams) of the house."""
    from cycler import cycler

    return {
        "figure.figsize": (8.0, 4.0),
        "figure.dpi": DPI,
        "figure.facecolor": PAPER,
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "savefig.facecolor": PAPER,
        "font.family": [FONT, "DejaVu Sans"] if _has_font() else ["DejaVu Sans"],
        "font.size": 12,
        "text.color": INK,
        "axes.prop_cycle": cycler(color=CYCLE),
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.titlesize": 14,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "grid.color": tint(LINE, 0.6),
        "grid.linewidth": 0.8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
        "image.cmap": "cividis",
    }


def _has_font() -> bool:
    return importlib.util.find_spec("font_source_sans_pro") is not None


def use() -> None:
    """Applies the house style to this process; in a notebook, also to figures shown without `course.show`."""
    import matplotlib as mpl

    add_fonts()
    mpl.rcParams.update(settings())
    from course.live import ipython

    shell = ipython()
    if shell is not None and hasattr(shell, "kernel"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")
