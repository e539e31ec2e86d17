"""The student's package: cells of the notebook become its files."""

from __future__ import annotations

import importlib
import linecache
import re
import shutil
import sys
from pathlib import Path

from course.labs import cells

NAME, FOLDER = "my_flights", "package"
CALL, MARKER = "lab.save(", re.compile(r"\s*### (BEGIN|END) ")
DOC = '"""Late flights: features, model and pipeline, to be run by any engine."""\n'

_PARTS: dict[Path, dict[str, str]] = {}
"""For each file, the cells that it is made of (see `cells.join`)."""


def folder(workspace: Path) -> Path:
    """Where the package lies: the folder that holds `my_flights`."""
    return workspace / FOLDER


def begin(workspace: Path) -> None:
    """Makes the package, empty, and lets this process and those that it starts import it."""
    package = folder(workspace) / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(DOC, encoding="utf-8")
    sys.path[:] = [str(folder(workspace)), *(path for path in sys.path if path != str(folder(workspace)))]
    _PARTS.clear()
    forget()


def forget() -> None:
    """Lets the next import read the files anew."""
    for name in [name for name in sys.modules if name == NAME or name.startswith(f"{NAME}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def save(name: str) -> str:
    """Stores the cell that calls it in the file `my_flights/NAME.py` of the workspace's package; returns the module's full name.

    Several cells may make up one file, in the order in which they were first run. A cell that is run again takes the place of what it
    was, and one that has all definitions of an earlier one takes that one's place. The line of this call is left out.

    Raises:
        ValueError: the name cannot be that of a module, or code of another cell would be lost.
        RuntimeError: it is not called in a cell of a notebook.
    """
    from course.checks.session import current

    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} cannot name a module: small letters, digits and _")
    lines = linecache.getlines(sys._getframe(1).f_code.co_filename)
    if not any(CALL in line for line in lines):
        raise RuntimeError("lab.save(...) stores the cell that it stands in: call it there, not in a function")
    path = folder(current().workspace) / NAME / f"{name}.py"
    source = "".join(line for line in lines if CALL not in line and not MARKER.match(line))
    if not path.exists():
        _PARTS.pop(path, None)
    path.write_text(cells.join(_PARTS.setdefault(path, {}), source, cells.current()), encoding="utf-8")
    # Python takes a compiled file for fresh if size and second are the same.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    forget()
    return f"{NAME}.{name}"
