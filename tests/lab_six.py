"""Lab 6 for its tests: right answers of each task, for each of the eight incidents, and what a check says of an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import student_lab
import yaml

from course import checks
from course.labs.lab_6 import alerts
from judges.lab_6 import incidents
from tools.labs import source
from tools.notebooks import form

LAB = "lab-6-operate"
ANSWERS: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("lab_6_answers.yaml").read_text(encoding="utf-8"))


def rows(some: Sequence[Any], everyday: int = 2) -> list[Any]:
    """Rows for `pytest.mark.parametrize`: the first ones, and as long proofs the others."""
    return [
        pytest.param(one, marks=[] if number < everyday else pytest.mark.long, id=str(one))
        for number, one in enumerate(some)
    ]


def of_kind(kind: str, folder: Path) -> checks.Lab:
    """The lab of the first of some students to whom that happens."""
    for number in range(1, 200):
        lab = checks.Lab(LAB, f"student-{number}", folder / kind / LAB)
        if incidents.kind(lab.seed) == kind:
            lab.workspace.mkdir(parents=True, exist_ok=True)
            return lab
    raise AssertionError(kind)


def rules(expression: str, **more: Any) -> str:
    """A file with the rule."""
    told = {"summary": "{{ $value }} is wrong", "action": "look"}
    rule = {"alert": alerts.NAME, "expr": expression, "labels": {"severity": "ticket"}, "annotations": told} | more
    return yaml.safe_dump({"groups": [{"name": "lab", "rules": [rule]}]})


def module(lab: checks.Lab, name: str, text: str) -> None:
    """Puts a module into the workspace."""
    folder = lab.workspace / "code"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


def solution(name: str) -> str:
    """A cell of the lab's solution."""
    [cell] = [one for one in form.read(source.notebook(LAB)).cells if source.marks(one).get("grade_id") == name]
    return "\n".join(line for line in cell.source.splitlines() if "as_module" not in line)


def edited(text: str, edits: Mapping[str, str]) -> str:
    """A text with other text in some places, each of which is there."""
    for old, new in edits.items():
        assert old in text, f"there is no {old!r} any more: change the test"
        text = text.replace(old, new)
    return text


evaluate: Callable[..., tuple[float, str]] = student_lab.evaluate
