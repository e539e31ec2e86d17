"""The package that lab 3 leaves behind, made from its solution: labs 4 and 5 start from it, whoever has or has not done lab 3."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from course.labs import cells
from course.labs.lab_3 import package
from judges.lab_3.solution_package import FOLDER
from tools.labs import source
from tools.notebooks import form

LAB = "lab-3-pipeline"
_SAVED = re.compile(r'^lab\.save\("(\w+)"\)$', re.MULTILINE)


def made(solutions: Path = source.SOLUTIONS) -> dict[Path, bytes]:
    """The files of the package as they have to be, by their path below `FOLDER`: what the solution has saved when it is through."""
    files: dict[str, dict[str, str]] = {}
    for cell in form.read(source.notebook(LAB, solutions)).cells:
        if cell.cell_type == "code" and (saved := _SAVED.search(cell.source)):
            lines = [line for line in cell.source.splitlines() if not package.MARKER.match(line)]
            text = "\n".join(line for line in lines if package.CALL not in line and not line.startswith("# "))
            cells.join(files.setdefault(saved[1], {}), text)
    found = {f"{package.NAME}/{name}.py": _tidy(name, parts) for name, parts in files.items()}
    found[f"{package.NAME}/__init__.py"] = package.DOC
    return {Path(path): text.encode() for path, text in sorted(found.items())}


def generate() -> list[Path]:
    """Writes the package and returns its files."""
    for path, content in made().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(content)
    return [FOLDER / path for path in made()]


def differences() -> list[str]:
    """What of the package is not what the solution makes of it."""
    wanted = made()
    there = {path.relative_to(FOLDER) for path in FOLDER.glob(f"{package.NAME}/*.py")}
    stale = [
        path for path in there | set(wanted) if path not in there or (FOLDER / path).read_bytes() != wanted.get(path)
    ]
    return [f"{(FOLDER / path).relative_to(source.ROOT)} is not what solutions/ make of it" for path in sorted(stale)]


def _tidy(name: str, parts: dict[str, str]) -> str:
    """One file of several cells, with the heading of its module: the imports come first."""
    imports, rest = [], []
    for part in parts.values():
        for statement in ast.parse(part).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                imports.append(ast.unparse(statement))
        lines = part.splitlines()
        for statement in ast.parse(part).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                lines[statement.lineno - 1 : statement.end_lineno] = [""] * (
                    statement.end_lineno - statement.lineno + 1
                )
        rest.append("\n".join(lines).strip("\n"))
    text = (
        f'"""The {name} of my_flights, as the solution of lab 3 leaves it."""\n\n'
        + "\n".join(imports)
        + "\n\n\n"
        + "\n\n\n".join(rest)
        + "\n"
    )
    return _ruff(
        _ruff(_ruff(text, "check", "--select", "I", "--fix", "--quiet"), "format"),
        "check",
        "--select",
        "I",
        "--fix",
        "--quiet",
    )


def _ruff(text: str, *command: str) -> str:
    name = str(FOLDER / package.NAME / "any.py")
    arguments = [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"]
    return subprocess.run(arguments, input=text, capture_output=True, text=True, check=True, cwd=source.ROOT).stdout
