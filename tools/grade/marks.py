"""nbgrader's part: its gradebook and its feedback page, made for one submission at a time in a process that can be ended.

The marks do not wait for it and do not depend on it: what a student wrote can hold up what makes a page of it, or crash it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import html
import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from course import checks
from course.checks.outcomes import Progress
from tools.grade.apart import Apart
from tools.grade.collect import Submission
from tools.grade.feedback import SAID
from tools.grade.table import write
from tools.labs import generate, source
from tools.notebooks import form

SECONDS, MEMORY = 40.0, 3 * 2**30
"""For the page of one submission."""
CONVERTERS = "tools.grade.converters"
"""The module that makes a page. It imports nbgrader, which not each process needs."""
_one_at_a_time = threading.Lock()  # nbgrader's gradebook is one file


@dataclasses.dataclass
class Graded:
    """A submission after its run: the notebook, what its cells showed (by place), the outcomes, and remarks on the run."""

    submission: Submission
    node: NotebookNode | None = None
    outputs: dict[int, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    outcomes: dict[str, checks.Outcome] = dataclasses.field(default_factory=dict)
    ended: str = "finished"
    remarks: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    done: bool = True
    page: str = ""
    """The feedback page, from the folder of results."""
    own: str = ""
    """The student's own lines, for the comparison with others."""

    @property
    def checked(self) -> dict[str, float]:
        """The points that the checks gave, by task."""
        return {name: outcome.points for name, outcome in self.outcomes.items()}

    @property
    def points(self) -> float:
        """All of them."""
        return sum(self.checked.values())


def release(lab: str, solutions: Path, folder: Path) -> NotebookNode:
    """The lab as students get it, made from the source; enters it in the gradebook."""
    shutil.rmtree(folder / "release", ignore_errors=True)
    return form.normalise(form.read(generate.release(lab, solutions, folder) / f"{lab}.ipynb"))


def feedback(apart: Apart, lab: str, solutions: Path, folder: Path, one: Graded, released: NotebookNode) -> list[str]:
    """Enters a submission in nbgrader's gradebook and writes its page to `folder/feedback`; fills in `page`. Returns what went wrong.

    Where the page of the notebook cannot be made, it is one of the lab's own cells with what the checks said.
    """
    from tools.grade import converters

    key, target = one.submission.key, folder / "feedback" / f"{one.submission.key}.html"
    target.parent.mkdir(exist_ok=True)
    titles = {cell.grade_id: checks.tasks(lab)[cell.task].title for cell in source.check_cells(released)}
    wrong = []
    for what, node, outputs in (("its cells", one.node, one.outputs), ("the lab", released, {})):
        given = (form.dumps(node), _outputs_of(node, outputs, one.outcomes, lab), titles)
        places = (str(solutions), str(folder / "nbgrader"), key, str(target))
        with _one_at_a_time:
            done, reason = apart.results(converters.page, lab, *places, *given, seconds=SECONDS, memory=MEMORY)
        if done and not done[0]["wrong"]:
            one.page = str(target.relative_to(folder))
            if abs(done[0]["score"] - one.points) > 1e-6:
                wrong.append(
                    f"tell who maintains the course: nbgrader counts {done[0]['score']:g} points, not {one.points:g}"
                )
            return wrong
        wrong.append(f"the feedback page of {what} could not be made: {done[0]['wrong'] if done else f'it {reason}'}")
    return wrong


def say(folder: Path, one: Graded, points: str, told: list[str]) -> None:
    """Writes into a page what is said of the run, and of what was entered by hand: anew each time, as that changes without a run."""
    path = folder / one.page
    if not one.page or not path.exists():
        return
    before, _, rest = path.read_text(encoding="utf-8").partition(SAID[0])
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in (*told, *one.remarks))
    points = f"<p><b>{html.escape(one.submission.student)}: {points} points</b></p>"
    write(
        path,
        f"{before}{SAID[0]}{points}<ul>{lines}</ul>{SAID[1]}{rest.partition(SAID[1])[2]}",
    )


def _outputs_of(
    node: NotebookNode, outputs: dict[int, list[dict[str, Any]]], outcomes: dict[str, checks.Outcome], lab: str
) -> str:
    """The outputs of each cell, as JSON: of check cells, those of our evaluation; of others, those of the confined run."""
    tasks = {cell.index: cell.task for cell in source.check_cells(node)}
    progress = Progress([(task, outcomes.get(name)) for name, task in checks.tasks(lab).items()])
    found = []
    for place, cell in enumerate(node.cells):
        if place in tasks:
            outcome = outcomes.get(tasks[place])
            found.append([_shown(outcome._repr_mimebundle_() if outcome else {"text/plain": "0"})])
        elif cell.cell_type == "code" and cell.source.strip() == source.PROGRESS:
            found.append([_shown(progress._repr_mimebundle_())])
        else:
            found.append(_outputs(outputs.get(place, [])) if cell.cell_type == "code" else [])
    return json.dumps(found)


def _shown(data: dict[str, str]) -> NotebookNode:
    """What a check cell shows: the points as text, which nbgrader reads, and the panel that the student reads."""
    return nbformat.v4.new_output("execute_result", data, execution_count=None)


def _outputs(outputs: list[dict[str, Any]]) -> list[NotebookNode]:
    """What student's code showed, as far as it is what outputs are. HTML keeps its structure, and loses all that acts or decorates."""
    found = []
    for output in outputs:
        with contextlib.suppress(Exception):
            node = _output(output)
            nbformat.v4.nbbase.validate(node, node.output_type)
            found.append(node)
    return found


def _output(output: dict[str, Any]) -> NotebookNode:
    kind = output["output_type"]
    if kind in ("stream", "error"):
        names = ("name", "text") if kind == "stream" else ("ename", "evalue", "traceback")
        return nbformat.v4.new_output(kind, **{name: output[name] for name in names})
    data = {}
    for mime, value in output["data"].items():
        if mime in ("text/plain", "text/html"):  # `converters` makes HTML harmless, where that may take its time
            data[mime] = str(value)
        elif mime in ("image/png", "image/jpeg") and re.fullmatch(r"[A-Za-z0-9+/=\s]+", value):
            data[mime] = value
    if not data:
        raise ValueError("nothing in it can be shown")
    return nbformat.v4.new_output("display_data", data)
