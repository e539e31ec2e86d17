"""Lets nbgrader take the solutions out, and stores the labs in the committed form."""

from __future__ import annotations

import ast
import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

from nbformat import NotebookNode

from tools.labs import source
from tools.notebooks import form
from tools.notebooks.execute import ROOT, shown

OUT = ROOT / "out" / "labs"
STUB = "# Your code here\npass"
"""What stands in for a solution: parses anywhere, shows nothing."""


def generate(solutions: Path = source.SOLUTIONS, labs: Path = source.LABS, out: Path = OUT) -> list[Path]:
    """Writes the labs, all or none, and returns what was written. A lab that somebody has worked in is kept under `out`.

    Raises:
        SourceError: a solution is not as it should be. Nothing is written.
    """
    files = made(solutions)
    for path, content in files.items():
        target = labs / path
        if target.exists() and target.read_bytes() != content and target.suffix == ".ipynb":
            _keep(target, out)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for path in existing(labs):
        if path not in files:
            _keep(labs / path, out)
            (labs / path).unlink()
    return [labs / path for path in files]


def made(solutions: Path = source.SOLUTIONS) -> dict[Path, bytes]:
    """The labs as they have to be: relative path and content of each file.

    Raises:
        SourceError: a solution is not as it should be, or what nbgrader made of it is not.
    """
    labs = source.names(solutions)
    found = [what for lab in labs for what in source.problems(source.notebook(lab, solutions))]
    if found:
        raise source.SourceError("\n".join(found))
    files: dict[Path, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:  # one for all: nbgrader takes half a second for each new gradebook
        for lab in labs:
            released = release(lab, solutions, Path(folder))
            for path in sorted(path for path in released.rglob("*") if path.is_file()):
                content = path.read_bytes()
                if path.suffix == ".ipynb":
                    node = form.normalise(form.read(path))
                    found += _wrong(lab, node)
                    content = form.dumps(node).encode()
                files[Path(lab) / path.relative_to(released)] = content
    if found:
        raise source.SourceError("\n".join(found))
    return files


def release(lab: str, solutions: Path, folder: Path) -> Path:
    """Runs nbgrader's `generate_assignment`.

    Args:
        lab: name of the lab.
        solutions: where its source lies.
        folder: where the gradebook (`gradebook.db`) and the lab go.

    Returns:
        The lab's folder.
    """
    from nbgrader.converters import GenerateAssignment

    from tools.labs.course import course_directory, log

    records = logging.StreamHandler(text := _Text())
    log.addHandler(records)
    try:
        directory, config = course_directory(lab, solutions, folder)
        config.ClearSolutions.code_stub = {"python": STUB}
        config.IncludeHeaderFooter.header = config.IncludeHeaderFooter.footer = ""
        GenerateAssignment(coursedir=directory, config=config, log=log).start()
    except Exception as error:
        raise source.SourceError(f"{lab}: nbgrader did not take it: {error}\n{text.lines}") from error
    finally:
        log.removeHandler(records)
    return folder / "release" / lab


def existing(labs: Path = source.LABS) -> list[Path]:
    """The files of the labs that are there, relative."""
    hidden = (".ipynb_checkpoints", "__pycache__")
    return sorted(
        path.relative_to(labs)
        for path in labs.rglob("*")
        if path.is_file() and not set(hidden) & set(path.parts) and path.name != ".gitkeep"
    )


def _wrong(lab: str, node: NotebookNode) -> list[str]:
    """What must never be in a lab. nbgrader sees to it; this is the second look."""
    found = []
    for number, cell in enumerate(node.cells, start=1):
        where = f"labs/{lab}/{lab}.ipynb, cell {number}"
        if cell.cell_type != "code":
            continue
        if cell.outputs or cell.execution_count is not None:
            found.append(f"{where}: it holds an output")
        if "SOLUTION" in cell.source:
            found.append(f"{where}: a marker is left in it")
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            found.append(f"{where}: without its solution it is not valid Python ({error})")
    return found


def _keep(path: Path, out: Path) -> None:
    """Puts a copy of a lab that somebody has worked in aside."""
    try:
        worked = any(cell.get("execution_count") or cell.get("outputs") for cell in form.read(path).cells)
    except (ValueError, OSError):
        worked = True
    if worked:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        kept = out / "kept" / f"{path.stem}-{digest}{path.suffix}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
        print(f"{shown(path)} had been worked in: a copy is {shown(kept)}")


class _Text:
    """A stream that keeps the last lines."""

    lines = ""

    def write(self, text: str) -> None:
        self.lines = (self.lines + text)[-2000:]

    def flush(self) -> None:
        """Nothing is held back."""
