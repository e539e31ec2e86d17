"""Compiled pipelines, read as data: the one that an answer names, what sets two apart, and what no pipeline may have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_5 import pipeline_spec
from course.labs.lab_5.pipeline_spec import Compiled
from judges.shared import workspace_files

ON_CLUSTER = ("/mnt/flights",)
"""Where the volume of a cluster is mounted: the one place that a specification may name."""
_PLACE = re.compile(r"(?<![\w.:/+-])(?:file://)?(/(?:[\w.@+ -]+/)+[\w.@+-]+)|(?<!\w)~/[\w.]|\b[A-Za-z]:\\\w")


Parts = Mapping[str, Mapping[str, Any]]
"""For each kind of step: its settings by name, and its `executor`, `image`, `limits`, `cache` and `inputs`; as JSON carries them."""


@dataclass(frozen=True)
class Difference:
    """What is one thing in a specification, and another in a second one."""

    kind: str
    part: str
    given: Any
    wanted: Any

    def __str__(self) -> str:
        """As a part of a sentence."""
        is_json = isinstance(self.given, str)
        place, given, wanted = _apart(self.given, self.wanted) if is_json else ("", self.given, self.wanted)
        there = f", at `{place[-120:]}`," if place else ""
        return f"{self.kind}'s `{self.part}`{there} is {shown(given)}, and was {shown(wanted)}"


def shown(value: Any) -> str:
    """A value in a message."""
    text = str(value).replace("`", "'")
    return "not there" if value is None else text if len(text) < 120 else f"{text[:80]} ..."


def _apart(given: Any, wanted: Any, place: str = "") -> tuple[str, Any, Any]:
    """The first place in two values that is another: its path, as `options.bounds[0]`, and what each has there (None: nothing).

    Text that holds an object or a list in JSON is read as that.
    """
    both = [pipeline_spec.json_of(value) if isinstance(value, str) else value for value in (given, wanted)]
    for type_, mark in ((dict, ".{}"), (list, "[{}]")):
        if all(isinstance(value, type_) for value in both):
            first, second = (value if type_ is dict else dict(enumerate(value)) for value in both)
            for name in first | second:
                if first.get(name) != second.get(name):
                    at = f"{place}{mark.format(name)}".removeprefix(".")
                    return _apart(first.get(name), second.get(name), at)
    return place, given, wanted


def differences(found: Parts, wanted: Parts) -> Iterator[Difference]:
    """Whatever is another, for each kind of step that both have."""
    for kind in wanted:
        for part in sorted(found[kind].keys() | wanted[kind].keys()) if kind in found else ():
            given, expected = found[kind].get(part), wanted[kind].get(part)
            if given != expected:
                yield Difference(kind, part, given, expected)


def parts(found: Compiled) -> Parts:
    """Of a specification."""
    steps = pipeline_spec.steps(found)
    kinds = {task: kind for kind, task in steps.items()}
    told = {}
    for kind, task in steps.items():
        container, inputs = found.container(task), found.tasks[task].get("inputs", {})
        limits = container.get("resources") or {}
        sources = [(name, *(found.source(task, name) or ("", ""))) for name in inputs.get("artifacts", {})]
        given = {name: one.get("componentInputParameter") for name, one in inputs.get("parameters", {}).items()}
        told[kind] = found.settings(task) | {
            "executor": found.executor(task),
            "image": container.get("image"),
            "limits": [limits.get("cpuLimit"), limits.get("memoryLimit")],
            "cache": "on" if found.cached(task) else "off",
            "inputs": sorted([name, kinds.get(task, task), output] for name, task, output in sources)
            + sorted([name, parameter] for name, parameter in given.items() if parameter),
        }
    return told


def of_student(lab: checks.Lab, given: Any, name: str) -> Compiled:
    """The specification that an answer names.

    Raises:
        checks.Wrong: it names none, or the file is no compiled pipeline.
    """
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise checks.Wrong(f"`{name}` has to be text: the path of the YAML file that `compile_pipeline` wrote.")
    text = workspace_files.text(lab, given, "`compile_pipeline(config, path, ...)` writes it.")
    return pipeline_spec.parsed(text, Path(given).name)


def missing(found: Compiled) -> str:
    """The steps that are not there."""
    return ", ".join(kind for kind in pipeline_spec.KINDS if kind not in pipeline_spec.steps(found))


def passed_gate(found: Compiled) -> str:
    """What is wrong if a month that the gate refuses would be learned from all the same; empty where it would not."""
    tasks = pipeline_spec.steps(found)
    if tasks["DataGate"] in found.waits_for_all(tasks["Transform"]):
        return ""
    return (
        f"In `{found.shown}` Transform does not wait for DataGate: on a cluster the two run side by side, and a month that the gate refuses is "
        "learned from. Nothing that the gate writes is an input of Transform: who tells it to wait?"
    )


def places(found: Compiled, lab: checks.Lab, besides: Collection[str] = ()) -> str:
    """A sentence about the first place of one machine that a specification names, in other settings than some; empty: it names none."""
    told = []
    for task in found.tasks:
        told += [
            (f"{task}, `{name}`", place)
            for name, value in found.settings(task).items()
            for place in _in(value)
            if name not in besides
        ]
        told += [(f"{task}, its container", place) for place in _in(found.container(task))]
    rest = {key: value for key, value in found.body.items() if key not in ("deploymentSpec", "components", "root")}
    told += [("the pipeline", place) for place in _in(rest)]
    if not told and not besides and (lab.name in found.text or str(Path.home()) + "/" in found.text):
        told.append(("the file", "the folder of this lab"))
    return f"`{found.shown}` names a place of one machine, in {told[0][0]}: `{told[0][1][:80]}`." if told else ""


def _in(value: Any) -> list[str]:
    """Every place that a value names, in the order in which it stands there."""
    if isinstance(value, dict | list):
        return [place for one in (value.values() if isinstance(value, dict) else value) for place in _in(one)]
    text = value if isinstance(value, str) else ""
    found = [match[0].removeprefix("file://") for match in _PLACE.finditer(text)]
    return [place for place in found if not place.startswith(ON_CLUSTER)]
