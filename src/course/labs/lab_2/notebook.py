"""Two helpers for the notebook of lab 2: the code of cells as a module, and flights as tf.Examples."""

from __future__ import annotations

import importlib
import linecache
import math
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from course.labs import cells

CALL = "as_module("


_PARTS: dict[Path, dict[str, str]] = {}
"""For each module's file, the cells that it is made of (see `cells.join`)."""


def as_module(name: str) -> str:
    """Stores the cell that calls it in a module that TFX's components can import; returns the module's name.

    The file is `code/NAME.py` in the workspace. Several cells may be parts of one module, in the order in which they were first run; a cell that
    is run again takes the place of what it was (see `cells.join`). The line of this call is left out.

    Raises:
        ValueError: the name cannot be that of a module, or is taken; or code of another cell would be lost.
        RuntimeError: it is not called in a cell of a notebook.
    """
    from course.checks.session import current

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} cannot name a module: small letters, digits and _")
    path = current().workspace / "code" / f"{name}.py"
    there = sys.modules.get(name)
    if name in sys.stdlib_module_names or (there and getattr(there, "__file__", None) != str(path)):
        raise ValueError(f"there is a module {name!r} already: choose another name")
    lines = linecache.getlines(sys._getframe(1).f_code.co_filename)
    if not any(CALL in line for line in lines):
        raise RuntimeError("lab.as_module(...) stores the cell that it stands in: call it there, not in a function")
    if not path.exists():
        _PARTS.pop(path, None)
    source = "".join(line for line in lines if CALL not in line)
    text = cells.join(_PARTS.setdefault(path, {}), source, cells.current())
    path.parent.mkdir(exist_ok=True)
    # Python takes a compiled file for fresh if size and second are the same.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    path.write_text(text, encoding="utf-8")
    sys.modules.pop(name, None)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    importlib.invalidate_caches()
    return name


def to_examples(flights: pd.DataFrame) -> list[bytes]:
    """Flights as serialised tf.Examples, in their order, as a client of the model would send them; an empty cell is no feature."""
    import tensorflow as tf

    kinds = {name: _kind(flights[name]) for name in flights.columns}
    examples = []
    for row in flights.itertuples(index=False):
        example = tf.train.Example()
        for (name, kind), value in zip(kinds.items(), row, strict=True):
            if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
                continue
            values = getattr(example.features.feature[name], kind).value
            values.append(value.encode() if isinstance(value, str) else value)
        examples.append(example.SerializeToString())
    return examples


def _kind(column: Any) -> str:
    if pd.api.types.is_integer_dtype(column):
        return "int64_list"
    return "float_list" if pd.api.types.is_float_dtype(column) else "bytes_list"
