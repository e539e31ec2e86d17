"""The committed form of a notebook: what it shows, and nothing of the run that made it.

A notebook's file holds its cells, their outputs and what the course needs to know of a cell (tags, slide type, nbgrader's
marks). Times, versions, the state of widgets and random cell ids go, so that executing a notebook again changes its file
only where it shows something else.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines

KERNEL = "mlops-course"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "MLOps course (Python 3.11)", "language": "python", "name": KERNEL},
    "language_info": {  # what JupyterLab writes when a notebook is opened: all that course.kernel says
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": "3.11",
    },
}
KEPT_CELL_METADATA = ("tags", "slideshow", "nbgrader", "deletable", "editable")
PROOF = "proof-of-exercise"
INJECTED_TAGS = {"injected-parameters", "papermill-error-cell-tag", PROOF}
"""Cells that papermill adds, or a test in order to try an exercise; they are no part of the notebook."""

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_CARRIAGE_RETURN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def tags(cell: NotebookNode) -> list[str]:
    """Returns the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def read(path: Path) -> NotebookNode:
    """Reads a notebook of format 4.

    Raises:
        ValueError: the file is no notebook; the message names it.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no notebook: {error}") from error


def parse(text: str, path: Path) -> NotebookNode:
    """Makes a notebook of the text of its file; `path` is for messages.

    Raises:
        ValueError: the text is no notebook.
    """
    try:
        return rejoin_lines(nbformat.from_dict(json.loads(text)))
    except (json.JSONDecodeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} is no notebook: {error}") from error


def dumps(notebook: NotebookNode) -> str:
    """Returns the text of a notebook's file, with a newline at its end."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def write(notebook: NotebookNode, path: Path) -> None:
    """Writes a notebook in one step: the file is either the old one or the new one, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(dumps(notebook))
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Returns a copy of a notebook in the committed form. Doing it twice changes nothing."""
    result = nbformat.v4.new_notebook(metadata=copy.deepcopy(NOTEBOOK_METADATA))
    result.nbformat_minor = 5
    used: set[str] = set()
    count = 0
    for cell in notebook.cells:
        if INJECTED_TAGS & set(tags(cell)):
            continue
        cell = _cell(cell, used)
        if cell.cell_type == "code" and cell.source.strip():
            ran = cell.execution_count is not None or bool(cell.outputs)
            count += ran
            _number(cell, count if ran else None)
        result.cells.append(cell)
    return result


def differences(path: Path) -> list[str]:
    """Returns what keeps a notebook's file from being in the committed form, a sentence each; empty when nothing does."""
    text = path.read_text(encoding="utf-8")
    notebook = read(path)
    found = []
    expected = normalise(notebook)
    if (notebook.get("nbformat"), notebook.get("nbformat_minor")) != (4, 5):
        found.append(f"its format is {notebook.get('nbformat')}.{notebook.get('nbformat_minor')}, not 4.5")
    if dict(notebook.metadata) != dict(expected.metadata):
        found.append(f"its metadata are not exactly the kernel {KERNEL} and the language")
    if len(notebook.cells) != len(expected.cells):
        found.append("it holds cells that papermill added")
    else:
        stale = [
            number
            for number, (cell, wanted) in enumerate(zip(notebook.cells, expected.cells, strict=True), 1)
            if cell.get("id") != wanted.id
        ]
        if stale:
            shown = ", ".join(map(str, stale[:8])) + (" and more" if len(stale) > 8 else "")
            found.append(
                f"cell {shown}: the id does not follow from the source, so the cell was edited or moved since the notebook was saved"
            )
        for number, (cell, wanted) in enumerate(zip(notebook.cells, expected.cells, strict=True), start=1):
            found += [f"cell {number}: {what}" for what in _cell_differences(cell, wanted)]
    if not found and text != dumps(expected):
        found.append("its JSON is not written as nbformat writes it")
    return found


def _cell(cell: NotebookNode, used: set[str]) -> NotebookNode:
    source = "".join(cell.source)
    metadata = {
        key: copy.deepcopy(cell.metadata[key])
        for key in KEPT_CELL_METADATA
        if cell.metadata.get(key) not in (None, [], {})
    }
    if not metadata.get("slideshow", {}).get("slide_type"):
        metadata.pop("slideshow", None)
    node = NotebookNode(
        cell_type=cell.cell_type, id=_cell_id(cell.cell_type, source, used), metadata=metadata, source=source
    )
    if cell.get("attachments"):
        node.attachments = copy.deepcopy(cell.attachments)
    if cell.cell_type == "code":
        node.execution_count = cell.get("execution_count")
        node.outputs = _outputs(cell.get("outputs", []))
    return nbformat.from_dict(node)


def _cell_id(kind: str, source: str, used: set[str]) -> str:
    """Returns an id made from what the cell says, so that it does not change from run to run."""
    digest = hashlib.sha256(f"{kind}\n{source}".encode()).hexdigest()[:12]
    candidate, again = digest, 1
    while candidate in used:
        again += 1
        candidate = f"{digest}-{again}"
    used.add(candidate)
    return candidate


def _number(cell: NotebookNode, count: int | None) -> None:
    cell.execution_count = count
    for output in cell.outputs:
        if output.output_type == "execute_result":
            output.execution_count = count


def _outputs(outputs: list[Any]) -> list[NotebookNode]:
    kept: list[NotebookNode] = []
    for output in outputs:
        output = nbformat.from_dict(copy.deepcopy(output))  # text is in one piece: `read` has joined its lines
        output.pop("transient", None)
        if output.output_type == "stream":
            if kept and kept[-1].output_type == "stream" and kept[-1].name == output.name:
                kept[-1].text += output.text
                continue
        elif output.output_type == "error":
            output = _error(output)
        elif "data" in output:
            # A widget lives in a kernel: without one its view is an error message. The figure beside it is what stays.
            output.data.pop(WIDGET_VIEW, None)
            for kind, content in output.data.items():
                if isinstance(content, list):
                    output.data[kind] = "".join(content)
            if isinstance(output.data.get("image/png"), str):
                output.data["image/png"] = output.data["image/png"].strip()
            output.metadata = nbformat.from_dict(dict(output.get("metadata") or {}))
            output.metadata.pop(WIDGET_VIEW, None)
            if not output.data:
                continue
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = _CARRIAGE_RETURN.sub("", output.text)
    return kept


def _error(output: NotebookNode) -> NotebookNode:
    """Returns an error with its last line only: the frames name files of one machine and teach nothing."""
    name = output.get("ename", "Error")
    value = _ANSI.sub("", output.get("evalue", ""))
    return NotebookNode(output_type="error", ename=name, evalue=value, traceback=[f"\x1b[31m{name}\x1b[39m: {value}"])


def _cell_differences(cell: NotebookNode, wanted: NotebookNode) -> list[str]:
    found = []
    extra = sorted(set(cell.metadata) - set(wanted.metadata))
    if extra:
        found.append(f"metadata {', '.join(extra)} do not belong in a committed notebook")
    elif dict(cell.metadata) != dict(wanted.metadata):
        found.append("its metadata are not in the committed form")
    if cell.cell_type == "code":
        if cell.get("execution_count") != wanted.execution_count:
            found.append(f"its execution count is {cell.get('execution_count')}, not {wanted.execution_count}")
        if _plain(cell.get("outputs", [])) != _plain(wanted.outputs):
            found.append("its outputs are not in the committed form (widget views, split streams, long traces)")
    return found


def _plain(outputs: list[Any]) -> Any:
    return json.loads(json.dumps(outputs))
