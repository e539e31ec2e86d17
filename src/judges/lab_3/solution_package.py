"""The finished package of lab 3, for the labs that start from it. `make labs` writes it from the solution."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).with_name("checkpoint")
"""Holds `my_flights`."""


def write(root: Path) -> Path:
    """Copies the package `my_flights` into a folder, which is to be on the path of Python.

    Raises:
        FileExistsError: there is one already.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(FOLDER / "my_flights", Path(root) / "my_flights", ignore=ignored))
