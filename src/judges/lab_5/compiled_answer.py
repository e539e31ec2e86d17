"""The specification that an answer of lab 5 names, and what of its order every task demands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_5 import pipeline_spec
from judges.shared import workspace_files


def of_student(lab: checks.Lab, given: Any, name: str) -> pipeline_spec.Compiled:
    """The specification that an answer names.

    Raises:
        checks.Wrong: it names none, or the file is no compiled pipeline.
    """
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise checks.Wrong(f"`{name}` has to be text: the path of the YAML file that `compile_pipeline` wrote.")
    text = workspace_files.text(lab, given, "`compile_pipeline(config, path, ...)` writes it.")
    return pipeline_spec.parsed(text, Path(given).name)


def passed_gate(found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    """What is wrong if a month that the gate refuses would be learned from all the same; empty where it would not."""
    if tasks["DataGate"] in found.waits_for_all(tasks["Transform"]):
        return ""
    return (
        f"In `{found.shown}` Transform does not wait for DataGate: on a cluster the two run side by side, and a month that the gate refuses is "
        "learned from. Nothing that the gate writes is an input of Transform: who tells it to wait?"
    )
