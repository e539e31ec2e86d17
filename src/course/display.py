"""Showing a figure so that it reads everywhere: sharp, with alt text, the same each time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(figure: Figure, alt: str | None = None) -> None:
    """Displays a matplotlib figure as PNG with alt text, and closes it.

    Args:
        figure: the figure; those of `course.figures` bring their alt text along.
        alt: what the figure shows, in a sentence or two, for who cannot see it. Required unless the figure has one.

    Raises:
        ValueError: there is no alt text.
    """
    from IPython.display import display

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
    """The figure as PNG, `style.SHARPNESS` stored pixels for each displayed one. Closes the figure."""
    from matplotlib import pyplot

    buffer = io.BytesIO()
    # "Software" would store matplotlib's version, and change the file with each of its releases.
    figure.savefig(
        buffer,
        format="png",
        dpi=style.DPI * style.SHARPNESS,
        metadata={"Software": None},
        pil_kwargs={"optimize": True},
    )
    pyplot.close(figure)
    return buffer.getvalue()
