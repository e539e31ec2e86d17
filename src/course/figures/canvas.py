"""The visual language of the concept figures: boxes, arrows, chips and bands on a sheet measured in pixels.

One unit is one displayed pixel; (0, 0) is the upper left corner, y grows downwards. Colour says the phase of the
lifecycle; a filled box is the subject, a tinted box a part, an outlined box what is outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.text import Text

from course import style

TITLE, NORMAL, SMALL = 16.0, 12.0, 10.5
"""Sizes of text in points: 22, 17 and 15 pixels as displayed."""

PIXELS = style.DPI / 72
"""Pixels to a point."""


@dataclass
class Box:
    """A rectangle on the sheet, in pixels, with the points where arrows meet it."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        """Middle of the left edge."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """Middle of the right edge."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> tuple[float, float]:
        """Middle of the upper edge."""
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> tuple[float, float]:
        """Middle of the lower edge."""
        return self.x + self.width / 2, self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2


class Sheet:
    """A figure to draw on, with the house's shapes."""

    def __init__(self, title: str, height: float, alt: str, width: float = style.WIDTH * style.DPI) -> None:
        """Makes an empty sheet of `width` x `height` pixels with its title at the top left.

        Args:
            title: the message of the figure; takes the upper 40 pixels.
            height: in pixels, title included.
            alt: what the figure shows, for who cannot see it; kept as `figure.course_alt`.
            width: in pixels.
        """
        style.add_fonts()
        self.width, self.height = width, height
        with mpl.rc_context(style.settings()):
            self.figure = Figure(figsize=(width / style.DPI, height / style.DPI), layout="none")
            self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.figure.course_alt = " ".join(alt.split())
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.axis("off")
        self.text(16, 24, title, size=TITLE, weight="bold", across="left")
        self.figure.course_title = title

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = NORMAL,
        colour: str = style.INK,
        weight: str = "normal",
        across: str = "center",
        down: str = "center",
        slant: str = "normal",
    ) -> Text:
        """Writes words at a point; `across` and `down` say how the point lies to the text. Returns its last line."""
        lines = words.split("\n")
        if down == "center":
            # Centred on the letters' bodies: words with and without descenders then share a line.
            y, down = y + size * 0.345 * PIXELS - (len(lines) - 1) / 2 * size * 1.25 * PIXELS, "baseline"
        with mpl.rc_context(style.settings()):
            for number, line in enumerate(lines):
                below = y + number * size * 1.25 * PIXELS
                text = self.axes.text(
                    x, below, line, size=size, color=colour, weight=weight, ha=across, va=down, style=slant
                )
        return text

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        words: str = "",
        colour: str = style.MUTED,
        kind: str = "tinted",
        size: float = NORMAL,
        weight: str = "normal",
        radius: float = 6,
    ) -> Box:
        """Draws a box with words in its middle.

        Args:
            x: left edge; y: upper edge; width; height: in pixels.
            words: may have line breaks.
            colour: of the border, and of the fill by `kind`.
            kind: `filled` (white words), `tinted`, `outlined`, `dashed` or `bare` (a tint without border).
            size: of the words, in points.
            weight: of the words.
            radius: of the corners, in pixels.
        """
        face = {"filled": colour, "outlined": style.PAPER, "dashed": style.PAPER}.get(kind, style.tint(colour))
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle=f"round,pad=0,rounding_size={radius}",
                facecolor=face,
                edgecolor="none" if kind == "bare" else colour,
                linewidth=1.3,
                linestyle=(0, (4, 3)) if kind == "dashed" else "-",
                mutation_aspect=1,
            )
        )
        if words:
            ink = style.PAPER if kind == "filled" else style.INK
            self.text(x + width / 2, y + height / 2, words, size=size, colour=ink, weight=weight)
        return Box(x, y, width, height)

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: str = style.MUTED,
        bend: str = "arc3,rad=0",
        width: float = 1.6,
        dashed: bool = False,
        gap: float = 3,
        head: bool = True,
    ) -> None:
        """Draws an arrow from point to point; `bend` is a connection style of matplotlib."""
        if dashed:
            # The head is drawn by itself, whole: a dashed head looks broken.
            start, tail = self._shortened(start, end, gap, 9 + gap)
            self.axes.plot(*zip(start, tail, strict=True), color=colour, linewidth=width, linestyle=(0, (3, 2)))
            start, width = tail, 0.8
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>,head_length=5,head_width=2.6" if head else "-",
                connectionstyle=bend,
                color=colour,
                linewidth=width,
                shrinkA=0 if dashed else gap / PIXELS,
                shrinkB=gap / PIXELS,
                joinstyle="round",
                capstyle="round",
                zorder=3,
            )
        )

    @staticmethod
    def _shortened(
        start: tuple[float, float], end: tuple[float, float], first: float, last: float
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """The line from start to end, shorter by so many pixels at its ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = (dx * dx + dy * dy) ** 0.5
        ux, uy = dx / length, dy / length
        return (start[0] + first * ux, start[1] + first * uy), (end[0] - last * ux, end[1] - last * uy)

    def bridge(self, x: float, y: float) -> None:
        """Breaks a vertical line where a horizontal one is about to cross it without touching."""
        self.axes.plot([x, x], [y - 5, y + 5], color=style.PAPER, linewidth=5, solid_capstyle="butt")

    def path(self, points: list[tuple[float, float]], colour: str = style.MUTED, dashed: bool = False) -> None:
        """Draws an arrow along corners; the last stretch carries the head."""
        xs, ys = zip(*points[:-1], strict=True)
        self.axes.plot(
            xs, ys, color=colour, linewidth=1.6, linestyle=(0, (4, 3)) if dashed else "-", solid_joinstyle="round"
        )
        self.arrow(points[-2], points[-1], colour=colour, gap=0, dashed=dashed)

    @staticmethod
    def measure(words: Text) -> float:
        """Width of written words in pixels."""
        return text_width(words.get_text(), words.get_size())

    def chip(self, x: float, y: float, words: str, colour: str = style.MUTED, size: float = SMALL) -> Box:
        """A small rounded label, centred on a point; its width follows the words."""
        width = 14 + text_width(words, size)
        return self.box(x - width / 2, y - 11, width, 22, words, colour=colour, kind="bare", size=size, radius=10)


def text_width(words: str, size: float, bold: bool = False) -> float:
    """Width in displayed pixels of words of a size in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    style.add_fonts()
    font = FontProperties(family=style.settings()["font.family"], weight="bold" if bold else "normal")
    return TextPath((0, 0), words, size=size, prop=font).get_extents().width * PIXELS
