"""What runs in the process that makes a feedback page: nbgrader's converters, on a notebook that was run and judged elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.preprocessors import CheckCellMetadata, LimitOutput, NbGraderPreprocessor, SaveAutoGrades

from course.checks.outcomes import number
from tools.grade.marks import POLICY, SAID, harmless
from tools.labs.course import course_directory, log
from tools.notebooks import form

TEMPLATES = Path(__file__).parent / "templates"


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


def convert(
    lab: str, solutions: Path, folder: Path, key: str, target: Path, cells: str, outputs: str, titles: dict[str, str]
) -> float:
    """Enters one submission in the gradebook of `folder`, and writes its page to `target`. Returns nbgrader's points.

    Args:
        lab: name of the lab.
        solutions: where its source lies.
        folder: where nbgrader works.
        key: the student, for nbgrader.
        target: the page.
        cells: the notebook as it was run, as text.
        outputs: those of each of its cells, as JSON.
        titles: of the tasks, by the ids of their check cells.
    """
    node = nbformat.reads(cells, as_version=4)
    TrustedOutputs.cells, TrustedOutputs.outputs = [cell.source for cell in node.cells], json.loads(outputs)
    for name in ("submitted", "autograded", "feedback"):
        shutil.rmtree(folder / name / key, ignore_errors=True)
    place = folder / "submitted" / key / lab
    place.mkdir(parents=True)
    form.write(node, place / f"{lab}.ipynb")
    directory, config = course_directory(lab, solutions, folder, key)
    own = [TrustedOutputs, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, CheckCellMetadata]
    config.Autograde.autograde_preprocessors = own
    config.ClearMetadataPreprocessor.clear_notebook_metadata = False
    config.ClearMetadataPreprocessor.preserve_cell_metadata_mask = {("nbgrader",), ("tags",)}
    config.HTMLExporter.template_name, config.HTMLExporter.extra_template_basedirs = "feedback-page", [str(TEMPLATES)]
    config.HTMLExporter.filters = {
        "markdown2html": lambda text: harmless(
            MarkdownWithMath(renderer=IPythonRenderer(escape=False, anchor_link_text="")).render(text)
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
