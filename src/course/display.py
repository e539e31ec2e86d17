"""Showing a figure so that it reads everywhere: sharp, with alt text, the same each time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from course import live, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_FEW_COLOURS = 8192
"""A flat drawing with its smoothed edges stays below; a picture with gradients does not."""


def show(figure: Figure | FigureView | Report, alt: str | None = None) -> None:
    """Displays a matplotlib figure as PNG with alt text, and closes it.

    Args:
        figure: the figure; those of `course.figures` bring their alt text along. A view of `course.views` may be given too.
        alt: what the figure shows, in a sentence or two, for who cannot see it. Required unless the figure has one.

    Raises:
        ValueError: there is no alt text.
    """
    from IPython.display import display

    if hasattr(figure, "_repr_mimebundle_") or hasattr(figure, "_ipython_display_"):
        display(figure)
        return
    data, metadata = bundle(figure, alt)
    display(data, metadata=metadata, raw=True)


def bundle(figure: Figure, alt: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figure as Jupyter's data and metadata, for `display(data, metadata=metadata, raw=True)`. Closes the figure.

    The alt text is in the metadata of the image, where Jupyter looks for it, and is also the text that stands in
    where no image can be shown (and that nbval compares).
    """
    text = " ".join((alt or getattr(figure, "course_alt", "") or "").split())
    if not text:
        raise ValueError("A figure needs alt text: show(figure, alt='what it shows, in a sentence').")
    image = png(figure)
    width, height = (round(inches * style.DPI) for inches in figure.get_size_inches())
    metadata = {"image/png": {"alt": text, "width": width, "height": height}}
    return {"image/png": image, "text/plain": text}, metadata


def png(figure: Figure) -> bytes:
    """The figure as PNG, `style.SHARPNESS` stored pixels for each displayed one. Closes the figure.

    In a notebook that is executed to be stored, a drawing of few colours gets a palette of 256: no difference to the eye,
    a third of the size, and outputs are kept in version control. Where a person is watching, speed matters more.
    """
    from matplotlib import pyplot
    from PIL import Image

    buffer, is_watched, dpi = io.BytesIO(), live.front_end(), style.DPI * style.SHARPNESS
    if is_watched:
        # Without the metadata it says matplotlib's version, and is another file with each of its releases.
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        pyplot.close(figure)
        return buffer.getvalue()
    figure.savefig(buffer, format="rgba", dpi=dpi)
    pyplot.close(figure)
    width, height = (int(inches * dpi) for inches in figure.get_size_inches())  # as matplotlib's Agg cuts it off
    image = Image.frombytes("RGBA", (width, height), buffer.getvalue()).convert("RGB")
    if image.getcolors(maxcolors=_FEW_COLOURS):
        image = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        image.putpalette([255 if part >= 253 else part for part in image.getpalette()])  # paper stays white
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


class FigureView:
    """A figure that displays itself with its alt text, as the last expression of a cell or with `display`."""

    def __init__(self, figure: Any, alt: str) -> None:
        """Takes a matplotlib figure; it is drawn and closed at once."""
        figure.course_alt = alt
        self.figure, self.alt = figure, alt
        self._data, self._metadata = bundle(figure, alt)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._data, self._metadata

    def __repr__(self) -> str:
        """The alt text."""
        return self.alt


class Report:
    """Several things to look at, under each other: figures with their alt text, and views."""

    def __init__(self, *parts: Any) -> None:
        """Takes what is displayed, in this order; each part displays itself."""
        self.parts = parts

    @property
    def alt(self) -> str:
        """The alt text of its first figure, empty without one."""
        return next((part.alt for part in self.parts if isinstance(part, FigureView)), "")

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for part in self.parts:
            display(part)

    def __repr__(self) -> str:
        """The text of all parts."""
        return "\n\n".join(repr(part) for part in self.parts)
