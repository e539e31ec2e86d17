"""The exercises of a lesson: how they stand in the notebook, and the proof that their checks tell right from wrong.

An exercise is three cells: its task (Markdown, `### Exercise: ...`), the reader's cell (tagged `exercise`: `...` where the reader writes,
and `course.exercise(...)` as its last line), and the answer that opens (Markdown, one `<details>` with a block of Python).
"""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course.checks.outcomes import OPEN, RIGHT, WRONG
from tools.notebooks import form

TAG = "exercise"
TASK = re.compile(r"### Exercise: \S")
_ANSWER = re.compile(
    r"\s*<details>\s*<summary>Answer</summary>\s*\n\n```python\n(.*?)^```$.*</details>\s*", re.DOTALL | re.MULTILINE
)
_CALL = 'course.exercise("name", answer=answer)'


@dataclass(frozen=True)
class Exercise:
    """An exercise cell: its index from 0, its code without the call, the call, the names it gives, and the opened answer."""

    index: int
    name: str
    before: str
    call: str
    names: list[str]
    answer: str


def find(node: NotebookNode) -> list[Exercise]:
    """Returns the exercises of a notebook.

    Raises:
        ValueError: one is not as it has to be.
    """
    return [read(node, index) for index, cell in enumerate(node.cells) if is_exercise(cell)]


def is_exercise(cell: NotebookNode) -> bool:
    """Returns whether a cell is one for the reader."""
    return cell.cell_type == "code" and TAG in form.tags(cell)


def read(node: NotebookNode, index: int) -> Exercise:
    """Returns the exercise whose cell has this index.

    Raises:
        ValueError: it is not as it has to be; the message says how it has to be.
    """
    source = node.cells[index].source
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"an exercise is valid Python before it is solved: {error}") from error
    call = tree.body[-1].value if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "course.exercise":
        raise ValueError(f"an exercise ends with its check, such as {_CALL}")
    name = call.args[0].value if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) else None
    names = [keyword.arg for keyword in call.keywords if keyword.arg]
    if not isinstance(name, str) or not names or len(names) < len(call.keywords):
        raise ValueError(f"the check of an exercise names it and each answer, such as {_CALL}")
    if not any(isinstance(part, ast.Constant) and part.value is ... for part in ast.walk(tree)):
        raise ValueError("an exercise holds `...` where the reader writes")
    following = node.cells[index + 1] if index + 1 < len(node.cells) else None
    opened = _ANSWER.fullmatch(following.source) if following and following.cell_type == "markdown" else None
    if not opened:
        raise ValueError(
            "the cell after an exercise is its answer: <details><summary>Answer</summary>, an empty line, a block ```python, </details>"
        )
    lines = source.splitlines()
    start = tree.body[-1].lineno - 1
    return Exercise(index, name, "\n".join(lines[:start]), "\n".join(lines[start:]), names, opened[1])


def lesson(node: NotebookNode) -> str:
    """Returns the name that a notebook tells `course.begin`, "" when it does not."""
    code = "\n".join(cell.source for cell in node.cells if cell.cell_type == "code")
    found = re.search(r"""course\.begin\(\s*["']([^"']+)["']\s*\)""", code)
    return found[1] if found else ""


def with_proofs(node: NotebookNode, wrong: Mapping[str, Sequence[str]]) -> NotebookNode:
    """Returns a copy of a notebook in which, after each exercise, its answers are tried in the same kernel.

    The cell that does so raises when the opened answer is not accepted, or a wrong one not refused with a message of its own. Last it
    runs the unsolved cell: what an answer has changed outside of the notebook's names is then as before. An execution leaves the cell
    out, as it does with papermill's.

    Args:
        node: the notebook.
        wrong: for each exercise wrong answers, each the code that a reader might write.

    Raises:
        ValueError: an exercise is not as it has to be.
    """
    result = copy.deepcopy(node)
    for exercise in reversed(find(node)):
        tries = [("the opened answer", RIGHT, exercise.answer)]
        tries += [(f"the wrong answer {text.strip()!r}", WRONG, text) for text in wrong.get(exercise.name, ())]
        tries += [("the unsolved exercise", OPEN, exercise.before)]
        calls = [(what, state, f"{source}\n_result = {exercise.call}") for what, state, source in tries]
        source = f'# Proof of the exercise "{exercise.name}"\n{inspect.getsource(_prove)}\n\n_prove({calls!r}, globals())\ndel _prove'
        result.cells.insert(exercise.index + 1, new_code_cell(source, metadata={"tags": [form.PROOF]}))
    return result


def _prove(tries: list[tuple[str, str, str]], around: dict[str, object]) -> None:
    """Runs code, each with names of its own, and compares what the check says. Its source is executed in the lesson's kernel.

    Args:
        tries: for each what it is, the state that the check has to find, and the code, which leaves the check's result in `_result`.
        around: the names of the notebook, which stay as they are.

    Raises:
        AssertionError: with a sentence for each that is not as it has to be.
    """
    faults, said = [], {}
    for what, wanted, source in tries:
        names = dict(around)
        try:
            exec(compile(source, what, "exec"), names)
        except Exception as error:
            faults.append(f"{what} ends with {type(error).__name__}: {error}")
            continue
        result = names["_result"]
        if result.state != wanted:
            faults.append(f"{what} has to be {wanted!r}, and the check says: {result!r}")
        elif not result.message or result.message in said:
            faults.append(f"{what} gets the same message as {said.get(result.message, 'no answer: none')}")
        said[result.message] = what
    if faults:
        raise AssertionError("; ".join(faults))
