"""nbgrader's part: check cells from the source, points into the gradebook, feedback pages."""

from __future__ import annotations

import contextlib
import dataclasses
import html
import re
import warnings
from pathlib import Path
from typing import Any

import bleach
import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import CheckCellMetadata, LimitOutput, NbGraderPreprocessor, SaveAutoGrades
from sqlalchemy.exc import SAWarning

from course import checks
from course.checks.outcomes import Progress
from tools.grade.collect import Submission
from tools.labs import generate, source
from tools.labs.course import course_directory, log
from tools.notebooks import form

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
"""What a feedback page may do, where student's text and outputs stand: show itself, and nothing else. No scripts."""

_TAGS = {
    *("b", "i", "em", "strong", "code", "pre", "p", "br", "hr", "div", "span", "ul", "ol", "li", "sub", "sup", "small"),
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "details", "summary", "dl", "dt", "dd"),
}
_ATTRIBUTES = {"td": ["colspan", "rowspan", "align"], "th": ["colspan", "rowspan", "align"]}


@dataclasses.dataclass
class Graded:
    """A submission after its run: the notebook, what its cells showed (by place), the outcomes, and remarks on the run."""

    submission: Submission
    node: NotebookNode
    outputs: dict[int, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    outcomes: dict[str, checks.Outcome] = dataclasses.field(default_factory=dict)
    ended: str = "finished"
    remarks: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    points: float = 0.0
    feedback: Path | None = None


class TrustedOutputs(NbGraderPreprocessor):
    """Takes the place of nbgrader's `Execute`: outputs of check cells are those of our evaluation, others those of the confined run."""

    graded: dict[str, Graded] = {}  # noqa: RUF012
    own: set[str] = set()  # noqa: RUF012
    """The text of the lab's own cells."""

    def preprocess(self, node: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fills in the outputs of one notebook."""
        graded = self.graded[resources["nbgrader"]["student"]]
        if [cell.source for cell in node.cells] != [cell.source for cell in graded.node.cells]:
            raise RuntimeError("nbgrader changed the cells of a notebook that was in order")
        tasks = {cell.index: cell.task for cell in source.check_cells(node)}
        for place, cell in enumerate(node.cells):
            if cell.cell_type != "code":
                if cell.source not in self.own:
                    cell.source = cell.source.replace(
                        "<", "&lt;"
                    )  # Markdown may hold HTML, and a student's is not wanted here
                continue
            cell.outputs = _outputs(graded.outputs.get(place, []))
            if place in tasks:
                cell.outputs = [_shown(graded.outcomes.get(tasks[place]))]
            elif cell.source.strip() == source.PROGRESS:
                cell.outputs = [_progress(resources["nbgrader"]["assignment"], graded.outcomes)]
        return node, resources


def release(lab: str, solutions: Path, folder: Path) -> NotebookNode:
    """The lab as students get it, made from the source; enters it in a new gradebook."""
    path = generate.release(lab, solutions, folder) / f"{lab}.ipynb"
    return form.normalise(form.read(path))


def enter(lab: str, solutions: Path, folder: Path, released: NotebookNode, graded: list[Graded]) -> list[str]:
    """Lets nbgrader grade what was run: fills in `points` and `feedback` of each. Returns what went wrong."""
    TrustedOutputs.own = {cell.source for cell in released.cells}
    TrustedOutputs.graded = {one.submission.key: one for one in graded}
    for one in graded:
        place = folder / "submitted" / one.submission.key / lab
        place.mkdir(parents=True)
        form.write(one.node, place / f"{lab}.ipynb")
    wrong = _convert(Autograde, lab, solutions, folder)
    wrong += _convert(GenerateFeedback, lab, solutions, folder)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        for one in graded:
            try:
                one.points = gradebook.find_submission(lab, one.submission.key).score
            except Exception as error:
                wrong.append(f"{one.submission.name}: nbgrader has no marks ({type(error).__name__})")
            page = folder / "feedback" / one.submission.key / lab / f"{lab}.html"
            if page.exists():
                one.feedback = page
                page.write_text(_safe(page.read_text(encoding="utf-8"), one), encoding="utf-8")
            expected = sum(outcome.points for outcome in one.outcomes.values())
            if abs(one.points - expected) > 1e-6:
                wrong.append(
                    f"{one.submission.name}: nbgrader counts {one.points:g} points, the checks gave {expected:g}"
                )
    return wrong


def _convert(kind: type, lab: str, solutions: Path, folder: Path) -> list[str]:
    directory, config = course_directory(lab, solutions, folder)
    config.Autograde.autograde_preprocessors = [
        TrustedOutputs,
        ClearMetadataPreprocessor,
        LimitOutput,
        SaveAutoGrades,
        CheckCellMetadata,
    ]
    config.ClearMetadataPreprocessor.clear_notebook_metadata = False
    config.ClearMetadataPreprocessor.preserve_cell_metadata_mask = {("nbgrader",), ("tags",)}
    config.HTMLExporter.mathjax_url = config.HTMLExporter.require_js_url = config.HTMLExporter.jquery_url = ""
    try:
        warnings.simplefilter("ignore", SAWarning)  # nbgrader's own
        kind(coursedir=directory, config=config, log=log).start()
    except NbGraderException as error:
        return [f"nbgrader: {error}"]
    return []


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
    if kind == "stream":
        return nbformat.v4.new_output("stream", name=output["name"], text=output["text"])
    if kind == "error":
        return nbformat.v4.new_output(
            "error", ename=output["ename"], evalue=output["evalue"], traceback=output["traceback"]
        )
    data = {}
    for mime, value in output["data"].items():
        if mime == "text/plain":
            data[mime] = str(value)
        elif mime == "text/html":
            text = re.sub(r"<(style|script)\b.*?</\1\s*>", "", str(value), flags=re.DOTALL | re.IGNORECASE)
            data[mime] = bleach.clean(text, tags=_TAGS, attributes=_ATTRIBUTES, strip=True)
        elif mime in ("image/png", "image/jpeg") and re.fullmatch(r"[A-Za-z0-9+/=\s]+", value):
            data[mime] = value
    if not data:
        raise ValueError("nothing in it can be shown")
    return nbformat.v4.new_output("display_data", data)


def _shown(outcome: checks.Outcome | None) -> NotebookNode:
    """The output of a check cell: what nbgrader reads (the points), and what the student reads."""
    data = outcome._repr_mimebundle_() if outcome else {"text/plain": "0"}
    return nbformat.v4.new_output("execute_result", data, execution_count=None)


def _progress(lab: str, outcomes: dict[str, checks.Outcome]) -> NotebookNode:
    """The points of all tasks."""
    data = Progress([(task, outcomes.get(name)) for name, task in checks.tasks(lab).items()])._repr_mimebundle_()
    return nbformat.v4.new_output("execute_result", data, execution_count=None)


def _safe(page: str, graded: Graded) -> str:
    """The page with its policy as the first thing in it, without scripts of its own, and with what is to be said about the run."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL | re.IGNORECASE)
    page = re.sub(r'href="(?!#|https?:|mailto:)[^"]*"', 'href="#top"', page, flags=re.IGNORECASE)
    style = "<style>img { max-width: 100%; } summary { display: list-item; }</style>"
    page = page.replace("<head>", f"<head>\n{policy}", 1).replace("</head>", f"{style}</head>", 1)
    page = page.replace("<h4>", f"<h4>{html.escape(graded.submission.student)}: ", 1)
    said = "".join(f"<li>{html.escape(line)}</li>" for line in graded.remarks)
    if said:
        page = page.replace('<div class="panel-body">', f'<div class="panel-body"><ul>{said}</ul>', 1)
    if policy not in page:
        raise RuntimeError("a feedback page without <head>")
    return page
