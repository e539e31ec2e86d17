"""What is said of a figure to who cannot see it."""

from __future__ import annotations

from matplotlib.figure import Figure

from course.display import bundle


def alt(figure: Figure) -> str:
    """The alt text with which a figure is shown."""
    return bundle(figure)[0]["text/plain"]
