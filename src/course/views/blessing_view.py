"""Whether a model may be pushed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course import style
from course.views.html import View, badge, heading, note, panel
from course.views.source import source
from flights.verdict import missed as missed_demands

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
    if reason := source(thing).properties.get("reason"):  # of InfraCheck
        return panel(style.STATES["done"] if yes else style.RED, heading("Blessing", verdict(yes)), note(str(reason)))
    missed = [] if yes else [note(f"{one}.") for one in _missed(source(thing).folder)]
    colour = style.STATES["done"] if yes else style.RED
    return panel(colour, heading("Blessing", verdict(yes)), note(f"{what} {words}"), *missed)


def _missed(folder: Path) -> list[str]:
    """The demands that were missed, from the evaluation that was made together with a blessing, where it still lies there."""
    beside = [folder.parent.parent / "evaluation" / folder.name, folder.parent / "evaluation"]  # TFX's; kfp.local's
    for one in beside:
        if any(one.glob("validations*")):
            return [str(missed) for missed in missed_demands(one)]
    return []


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
