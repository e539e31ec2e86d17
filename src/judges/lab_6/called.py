"""Has a function of a student's module called elsewhere, on what a check gives it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from course import checks
from judges.shared import workspace_files
from judges.trial import Content, Step, Trial

OUT, CALLS, MOST_BYTES = "returned.json", "calls.json", 2_000_000


def draw(lab: checks.Lab, module: str) -> int:
    """A number that belongs to a student's module as it is now: what is learned by heart from what a check said is of no use after the change.

    Raises:
        checks.Wrong: there is no such module.
    """
    return int.from_bytes(hashlib.sha256(text(lab, module).encode()).digest()[:4], "big")


def text(lab: checks.Lab, module: str) -> str:
    """The text of a student's module.

    Raises:
        checks.Unanswered: there is none, or its cell is as it was given: `pass`, or `...` in the place of a value.
        checks.Wrong: it cannot be read.
    """
    path = f"code/{module}.py"
    if not workspace_files.inside(lab, path).is_file():
        raise checks.Unanswered(
            f'There is no `{path}` yet. The cell that calls `lab.as_module("{module}")` becomes it.'
        )
    found = workspace_files.text(lab, path)
    try:
        body = ast.parse(found).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told when it is run
        return found
    if all(isinstance(one, ast.Pass) or isinstance(getattr(one, "value", one), ast.Constant) for one in body):
        raise checks.Unanswered()
    return found


def call(
    lab: checks.Lab,
    module: str,
    name: str,
    calls: Sequence[Mapping[str, Any]],
    files: Mapping[str, Content],
    title: str,
) -> list[dict[str, Any]]:
    """What came of each call: `{"value": ...}` or `{"error": ...}`.

    Raises:
        checks.Wrong: it has no such function, or cannot be imported.
    """
    ran = lab.run(
        Trial(
            title,
            files={"code": workspace_files.inside(lab, "code"), CALLS: json.dumps(list(calls)), **files},
            steps=[Step("course.trials.called", ["code", module, name, CALLS, OUT], seconds=60)],
            modules=("pandas", "operation.report"),
        )
    )
    [step] = ran.steps
    path = ran.folder / OUT
    try:
        if step.status != 0 or path.stat().st_size > MOST_BYTES:
            raise OSError
        found = json.loads(path.read_text(encoding="utf-8"))
        if len(found) == len(calls) and all(isinstance(one, dict) and len(one) == 1 for one in found):
            return found  # type: ignore[no-any-return]
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    raise checks.Wrong(f"`{name}` of `{module}.py` cannot be called in another process: {step.last}")
