"""Whether a model may be pushed."""

from __future__ import annotations

from typing import Any

from course import style
from course.views.html import View, badge, heading, note, panel
from course.views.source import source

_MARKS = {"BLESSED": True, "NOT_BLESSED": False, "INFRA_BLESSED": True, "INFRA_NOT_BLESSED": False}
"""TFX says it in a property of the record, and with an empty file of one of these names."""


def blessing(thing: Any) -> View:
    """The verdict on a model: blessed, or not.

    Args:
        thing: a ModelBlessing or InfraBlessing artifact, its channel, or its folder.
    """
    yes = blessed(thing)
    what = "The server with this model" if source(thing).type_name == "InfraBlessing" else "The model"
    words = "met every demand: it may be pushed." if yes else "missed a demand: it is not pushed."
    return panel(style.STATES["done"] if yes else style.RED, heading("Blessing", verdict(yes)), note(f"{what} {words}"))


def verdict(yes: bool) -> View:
    """The verdict as a badge."""
    return badge("blessed" if yes else "not blessed", style.STATES["done"] if yes else style.RED)


def blessed(thing: Any) -> bool:
    """True if the verdict is a blessing.

    Raises:
        ValueError: the artifact holds no verdict.
    """
    origin = source(thing)
    said = origin.properties.get("blessed")
    if isinstance(said, int | float):
        return bool(said)
    for name, yes in _MARKS.items():
        if (origin.folder / name).exists():
            return yes
    raise ValueError(
        f"No verdict in this {origin.type_name or 'folder'}: neither the property nor the file that says so."
    )
