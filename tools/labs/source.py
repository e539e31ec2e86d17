"""A lab's solution notebook: what is in it, and what must be true of it so that it can be handed out and graded."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tools.notebooks import form
from tools.notebooks.execute import ROOT, shown

SOLUTIONS, LABS = ROOT / "solutions", ROOT / "labs"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PROGRESS = "checks.progress()"
_MARKER = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")
_ID = re.compile(r"[A-Za-z0-9_-]+")


class SourceError(Exception):
    """Solutions are not as they should be. The message names files and cells, a line each."""


@dataclass(frozen=True)
class CheckCell:
    """A check cell: its place, nbgrader's id and points, its task, and the expression for each answer."""

    index: int
    grade_id: str
    points: float
    task: str
    answers: dict[str, str]


def names(solutions: Path = SOLUTIONS) -> list[str]:
    """The labs there are."""
    return sorted(path.parent.name for path in solutions.glob("*/*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def notebook(lab: str, solutions: Path = SOLUTIONS) -> Path:
    """Where a lab's solution lies."""
    return solutions / lab / f"{lab}.ipynb"


def marks(cell: NotebookNode) -> dict[str, Any]:
    """nbgrader's marks of a cell; empty when it has none."""
    found = cell.metadata.get("nbgrader")
    return found if isinstance(found, dict) else {}


def check_cells(node: NotebookNode) -> list[CheckCell]:
    """The check cells of a valid solution or lab, in order."""
    found = []
    for index, cell in enumerate(node.cells):
        if marks(cell).get("grade"):
            task, answers = call(cell.source)
            found.append(CheckCell(index, marks(cell)["grade_id"], float(marks(cell)["points"]), task, answers))
    return found


def call(source: str) -> tuple[str, dict[str, str]]:
    """What a check cell asks: the task, and for each answer the expression as it is written.

    Raises:
        ValueError: it is not one call such as `checks.check("label", column=LABEL)`.
    """
    wanted = 'a check cell is one call and nothing else, such as checks.check("label", column=LABEL)'
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"{wanted}: {error}") from error
    node = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not _is_check(node) or len(node.args) != 1 or not isinstance(node.args[0], ast.Constant):
        raise ValueError(wanted)
    if not isinstance(node.args[0].value, str) or any(keyword.arg is None for keyword in node.keywords):
        raise ValueError(f"{wanted}; each answer is given by name")
    return node.args[0].value, {word.arg: ast.get_source_segment(source, word.value) or "" for word in node.keywords}


def solution_lines(node: NotebookNode) -> list[str]:
    """The lines that students must not see: those between the markers, and solution cells without markers."""
    found = []
    for cell in node.cells:
        inside = marks(cell).get("solution") and BEGIN not in cell.source
        for line in cell.source.splitlines():
            if BEGIN in line or END in line:
                inside = BEGIN in line
            elif inside:
                found.append(line.strip())
    return found


def problems(path: Path) -> list[str]:
    """What is wrong with a solution, a sentence each, with file and cell."""
    try:
        node = form.read(path)
    except (ValueError, OSError) as error:
        return [str(error)]
    where = shown(path)
    found = [f"{where}: {what}" for what in _whole(path, node)]
    seen: dict[str, int] = {}
    for number, cell in enumerate(node.cells, start=1):
        found += [f"{where}, cell {number}: {what}" for what in _cell(cell)]
        name = marks(cell).get("grade_id")
        if isinstance(name, str) and name in seen:
            found.append(f"{where}, cell {number}: the grade id {name!r} is that of cell {seen[name]} already")
        elif isinstance(name, str):
            seen[name] = number
    # Tasks and leaks can only be looked at where the cells themselves are in order.
    return found or [f"{where}{what}" for what in (*_tasks(path.stem, node), *_leaks(node))]


def _whole(path: Path, node: NotebookNode) -> Iterator[str]:
    if path.stem != path.parent.name:
        yield f"a lab lies in a folder of its own name: {path.stem}/{path.name}"
    begins = [cell for cell in node.cells if cell.cell_type == "code" and "checks.begin(" in cell.source]
    if len(begins) != 1 or f'checks.begin("{path.stem}", STUDENT)' not in begins[0].source:
        yield f'one cell has to begin the lab: checks.begin("{path.stem}", STUDENT)'
    parameters = [cell for cell in node.cells if "parameters" in form.tags(cell)]
    if len(parameters) != 1 or not re.search(r"^STUDENT = ", parameters[0].source, re.MULTILINE):
        yield 'the cell tagged `parameters` has to set STUDENT = "student-1"'
    last = next((cell for cell in reversed(node.cells) if cell.cell_type == "code" and cell.source.strip()), None)
    if last is None or last.source.strip() != PROGRESS:
        yield f"its last code cell has to be {PROGRESS}"


def _cell(cell: NotebookNode) -> Iterator[str]:
    own = marks(cell)
    wanted = {"grade", "solution", "locked", "schema_version"}
    if own and (not wanted <= set(own) or own["schema_version"] != 3):
        yield "its nbgrader metadata need grade, solution, locked, and schema_version 3 (copy a cell that has them)"
        return
    if any(own.get(kind) for kind in ("grade", "solution", "locked")) and not _ID.fullmatch(
        str(own.get("grade_id", ""))
    ):
        yield f"its grade id {own.get('grade_id')!r} has to be of letters, digits, - and _"
    yield from _markers(cell)
    if cell.cell_type != "code":
        if own.get("grade") or own.get("solution"):
            yield "only code cells are answered and graded: nobody marks text by hand"
        return
    if own.get("grade"):
        if own.get("solution") or not own.get("locked"):
            yield "a check cell is locked, and no solution"
        if not isinstance(own.get("points"), int | float):
            yield "a check cell needs points"
        try:
            call(cell.source)
        except ValueError as error:
            yield str(error)
    else:
        tree = _parsed(cell.source)
        if tree is None:
            yield "it is not valid Python"
        elif any(_is_check(part) for part in ast.walk(tree)):
            yield "it calls checks.check, but is not marked as a check cell (grade, locked, points): nobody would count it"


def _markers(cell: NotebookNode) -> Iterator[str]:
    inside = False
    for line in cell.source.splitlines():
        found = _MARKER.search(line)
        if not found:
            continue
        if found[2] != "SOLUTION" or line.strip() not in (BEGIN, END):
            yield f"{line.strip()!r} is no marker that is used here; they are {BEGIN} and {END}, each on a line of its own"
            return
        if not marks(cell).get("solution"):
            yield "it holds a solution, but is not marked as a solution cell"
            return
        if (found[1] == "BEGIN") == inside:
            yield f"{line.strip()} without its partner"
            return
        inside = not inside
    if inside:
        yield f"{BEGIN} without its partner"


def _tasks(lab: str, node: NotebookNode) -> Iterator[str]:
    """Check cells and tasks belong together, one to one."""
    from course import checks

    try:
        known = checks.tasks(lab)
    except ValueError as error:
        yield f": {error}"
        return
    cells = check_cells(node)
    for cell in cells:
        here = f", cell {cell.index + 1}: "
        task = known.get(cell.task)
        if task is None:
            yield f"{here}the lab's module has no task {cell.task!r}; it has: {', '.join(known)}"
            continue
        if cell.points != task.points:
            yield f"{here}it gives {cell.points:g} points, the task {cell.task!r} is worth {task.points:g}"
        if sorted(cell.answers) != sorted(task.answers):
            yield f"{here}task {cell.task!r} takes {', '.join(task.answers)}; it is given {', '.join(cell.answers) or 'nothing'}"
    asked = [cell.task for cell in cells]
    for name in known:
        if asked.count(name) != 1:
            yield f": task {name!r} has {asked.count(name)} check cells; it needs one"


def _leaks(node: NotebookNode) -> Iterator[str]:
    """No line of a solution stands elsewhere in the notebook, where it would be handed out."""
    secret = {line for line in solution_lines(node) if tells(line)}
    for number, cell in enumerate(node.cells, start=1):
        for line in without_solution(cell).splitlines():
            for told in (told for told in secret if told in line):
                yield f", cell {number}: it holds a line of a solution, which would be handed out: {told[:70]!r}"


def without_solution(cell: NotebookNode) -> str:
    """A cell's source as students get it."""
    if marks(cell).get("solution") and BEGIN not in cell.source:
        return ""
    return re.sub(rf"^[ \t]*{BEGIN}.*?{END}[ \t]*$", "", cell.source, flags=re.MULTILINE | re.DOTALL)


def tells(line: str) -> bool:
    """Whether a line of a solution gives something away: not an import, a bracket, a comment, an empty line."""
    return len(re.findall(r"\w", line)) >= 10 and not re.match(r"(import|from|#|return\b\s*$)", line)


def score(node: NotebookNode) -> tuple[float, float]:
    """Points in an executed notebook, and how many there are, as nbgrader reads them."""
    got = of = 0.0
    for cell in node.cells:
        if marks(cell).get("grade"):
            of += float(marks(cell)["points"])
            results = [out for out in cell.get("outputs", []) if out.output_type == "execute_result"]
            got += float("".join(results[-1].data["text/plain"])) if results else 0.0
    return got, of


def _is_check(node: Any) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "check"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "checks"
    )


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except SyntaxError:
        return None
