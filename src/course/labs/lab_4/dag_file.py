"""The file `dags/my_flights.py`, which is written in cells of the notebook and read by Airflow, which the notebook's own Python does not have."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HOME, NAME = "airflow", "my_flights"
HEADING = re.compile(rf"# dags/{NAME}\.py, part (\d+)\b.*")
MARKER = re.compile(r"\s*### (BEGIN|END) ")

_PARTS: dict[int, str] = {}
"""The parts of the file, by their number."""


def folder(workspace: Path) -> Path:
    """The folder of DAGs, in which Airflow looks."""
    return workspace / HOME / "dags"


def path(workspace: Path) -> Path:
    """The file."""
    return folder(workspace) / f"{NAME}.py"


def begin() -> None:
    """Forgets earlier parts, and lets this notebook store the cells that have the heading."""
    from IPython import get_ipython

    _PARTS.clear()
    shell = get_ipython()
    if shell is not None:
        others = [one for one in shell.input_transformers_cleanup if getattr(one, "__name__", "") != stored.__name__]
        shell.input_transformers_cleanup[:] = [*others, stored]


def stored(lines: list[str]) -> list[str]:
    """A cell of the file is not run here: what runs in its place is a call that stores it. Other cells stay as they are."""
    first = next((line.strip() for line in lines if line.strip()), "")
    found = HEADING.fullmatch(first)
    if not found:
        return lines
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return [f"__import__({__name__!r}, fromlist=['keep']).keep({int(found[1])}, {text!r})\n"]


def keep(number: int, text: str) -> None:
    """Stores a cell as a part of the file, in the place of the part of that number, and says what the file is made of.

    A part in which nothing stands is left out.

    Raises:
        SyntaxError: it is no Python.
    """
    from course.checks.session import current

    body = "".join(line for line in text.splitlines(keepends=True) if not MARKER.match(line))
    if is_empty(body):
        print(f"Part {number} has nothing in it yet.")
        return
    _PARTS[number] = body.strip("\n")
    target = path(current().workspace)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n\n".join(_PARTS[one] for one in sorted(_PARTS)) + "\n", encoding="utf-8")
    parts = ", ".join(map(str, sorted(_PARTS)))
    print(f"dags/{target.name}: part{'s' if len(_PARTS) > 1 else ''} {parts}")


def is_empty(body: str) -> bool:
    """Whether nothing is done in it."""
    kept = [one for one in ast.parse(body, f"dags/{NAME}.py").body if not isinstance(one, ast.Pass)]
    return not [one for one in kept if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
