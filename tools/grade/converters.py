"""What runs in the process that makes a feedback page: nbgrader's converters, on a notebook that was run and judged elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bleach
import nbformat
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.preprocessors import CheckCellMetadata, LimitOutput, NbGraderPreprocessor, SaveAutoGrades

from course.checks.outcomes import number
from tools.grade.feedback import SAID
from tools.labs.course import course_directory, log
from tools.notebooks import form

TEMPLATES = Path(__file__).parent / "templates"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
"""What a feedback page may do, where student's text and outputs stand: show itself, and nothing else. No scripts."""

_TAGS = (
    "b i em strong code pre p br hr div span ul ol li sub sup small del table thead tbody tfoot tr th td caption details summary dl dt dd "
    "blockquote h1 h2 h3 h4 h5 h6 a"
)
_ATTRIBUTES: dict[str, Any] = {
    "td": ["colspan", "rowspan", "align"],
    "th": ["colspan", "rowspan", "align"],
    "a": lambda tag, name, value: name == "href" and bool(re.match(r"(#|https?:|mailto:)", value)),
}


class TrustedOutputs(NbGraderPreprocessor):
    """Takes the place of nbgrader's `Execute`: outputs are those that are given, with the HTML of students made harmless."""

    cells: list[str] = []  # noqa: RUF012
    outputs: list[list[dict[str, Any]]] = []  # noqa: RUF012

    def preprocess(self, node: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fills in the outputs of the notebook."""
        if [cell.source for cell in node.cells] != self.cells:
            raise RuntimeError("nbgrader changed the cells of a notebook that was in order")
        for cell, outputs in zip(node.cells, self.outputs, strict=True):
            if cell.cell_type == "code":
                cell.outputs = [nbformat.from_dict(output) for output in outputs]
                for output in cell.outputs:
                    if output.output_type == "display_data" and "text/html" in output.data:
                        output.data["text/html"] = harmless(output.data["text/html"])
        return node, resources


def page(*given: Any) -> Iterator[dict[str, Any]]:
    """Lets nbgrader make the page of a submission; yields its points, or what went wrong."""
    warnings.simplefilter("ignore")  # nbgrader's own
    try:
        yield {"score": convert(*given[:-1]), "wrong": ""}
    except BaseException as error:
        yield {"score": 0, "wrong": f"{type(error).__name__}: {error}"[:300]}


def convert(
    lab: str, solutions: str, within: str, key: str, target: str, cells: str, outputs: str, titles: dict[str, str]
) -> float:
    """Enters one submission in the gradebook of `within`, and writes its page to `target`. Returns nbgrader's points.

    Args:
        lab: name of the lab.
        solutions: where its source lies.
        within: the folder where nbgrader works.
        key: the student, for nbgrader.
        target: the page.
        cells: the notebook as it was run, as text.
        outputs: those of each of its cells, as JSON.
        titles: of the tasks, by the ids of their check cells.
    """
    folder, node = Path(within), nbformat.reads(cells, as_version=4)
    TrustedOutputs.cells, TrustedOutputs.outputs = [cell.source for cell in node.cells], json.loads(outputs)
    for name in ("submitted", "autograded", "feedback"):
        shutil.rmtree(folder / name / key, ignore_errors=True)
    place = folder / "submitted" / key / lab
    place.mkdir(parents=True)
    form.write(node, place / f"{lab}.ipynb")
    directory, config = course_directory(lab, Path(solutions), folder, key)
    own = [TrustedOutputs, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, CheckCellMetadata]
    config.Autograde.autograde_preprocessors = own
    config.ClearMetadataPreprocessor.clear_notebook_metadata = False
    config.ClearMetadataPreprocessor.preserve_cell_metadata_mask = {("nbgrader",), ("tags",)}
    config.HTMLExporter.template_name, config.HTMLExporter.extra_template_basedirs = "feedback-page", [str(TEMPLATES)]
    config.HTMLExporter.filters = {
        "markdown2html": lambda text: harmless(
            MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)
        ),
        "policy": lambda _: f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        "said": lambda _: "".join(SAID),
        "points": number,
        "task": lambda name: titles.get(name, name),
    }
    for kind in (Autograde, GenerateFeedback):
        kind(coursedir=directory, config=config, log=log).start()
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        score = gradebook.find_submission(lab, key).score
    shutil.move(folder / "feedback" / key / lab / f"{lab}.html", target)
    return float(score)


def harmless(text: str) -> str:
    """HTML with its structure, and without all that acts or decorates."""
    text = re.sub(r"<(style|script)\b.*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)
    return bleach.clean(text, tags=_TAGS.split(), attributes=_ATTRIBUTES, strip=True)
