"""Files of a student's workspace, read as data: nothing is followed out of it, unpickled, loaded as a model, or longer than it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from course import checks
from course.labs import csv_files

MOST_BYTES, MOST_TABLE_BYTES = 2_000_000, 20_000_000


def folder(lab: checks.Lab, given: Any, name: str, what: str) -> Path:
    """The folder that an answer names."""
    if not isinstance(given, str) or not given.strip() or "\0" in given or not Path(given).name:
        raise checks.Wrong(f"`{name}` has to be text: {what}.")
    found = inside(lab, given)
    if not found.is_dir():
        where = "" if Path(given).is_absolute() else " Give its absolute path."
        raise checks.Wrong(f"`{name}` names no folder in your workspace.{where} It has to be {what}.")
    return found


def text(lab: checks.Lab, path: str, missing: str = "") -> str:
    """The text of a file in the workspace."""
    found = inside(lab, path)
    shown = Path(path).name if Path(path).is_absolute() else path
    if not found.is_file():
        raise checks.Wrong(f"There is no file `{shown}` in your workspace. {missing}".strip())
    if found.stat().st_size > MOST_BYTES:
        raise checks.Wrong(f"`{shown}` is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        return found.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise checks.Wrong(f"`{shown}` is no file of text.") from error


def mapping(content: str, shown: str) -> dict[str, Any]:
    """A JSON object."""
    found = parsed(content, shown)
    if not isinstance(found, dict):
        raise checks.Wrong(f"`{shown}` has to hold a JSON object, `{{...}}`.")
    return found


def parsed(content: str, shown: str) -> Any:
    """What a JSON text says; NaN and infinity are no numbers."""

    def refuse(word: str) -> Any:
        raise checks.Wrong(f"`{shown}` holds {word}, which is no number.")

    try:
        return json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise checks.Wrong(f"`{shown}` is no JSON: {str(error)[:120]}") from error


def csv_file(path: Path, shown: str) -> pd.DataFrame:
    """A CSV file that the student has written, with the types that ExampleGen gives its columns."""
    if not path.is_file():
        raise checks.Wrong(f"There is no file `{shown}` in your workspace.")
    if path.stat().st_size > MOST_TABLE_BYTES:
        raise checks.Wrong(
            f"`{shown}` is larger than {MOST_TABLE_BYTES // 1_000_000} MB: a month is a tenth of a megabyte."
        )
    try:
        return csv_files.read(path)
    except (pa.ArrowException, UnicodeDecodeError, OSError, ValueError) as error:
        raise checks.Wrong(f"`{shown}` is no CSV file: {str(error)[:150]}") from error


def table(lab: checks.Lab, path: str) -> pd.DataFrame:
    """A CSV file with columns of numbers."""
    frame = csv_file(inside(lab, path), path)
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            raise checks.Wrong(f"`{path}`: the column `{str(column)[:40]}` holds something that is no number.")
    return frame


def keys(frame: pd.DataFrame, path: str, wanted: pd.Series, key: str) -> None:
    """The rows of a table are the wanted ones, in their order."""
    if key not in frame:
        raise checks.Wrong(f"`{path}` has no column `{key}`.")
    if len(frame) != len(wanted):
        raise checks.Wrong(f"`{path}` has {len(frame):,} rows, and {len(wanted):,} flights were given: one row each.")
    given = frame[key].to_numpy(dtype=float, na_value=np.nan)
    if not np.array_equal(given, wanted.to_numpy(dtype=float)):
        same = np.array_equal(np.sort(given), np.sort(wanted.to_numpy(dtype=float)))
        raise checks.Wrong(
            f"`{path}` has the right flights in another order than the file that was given."
            if same
            else f"`{path}`: the column `{key}` does not hold the numbers of the flights that were given."
        )


def inside(lab: checks.Lab, path: str) -> Path:
    """A path in the lab's workspace.

    An absolute path counts from the folder of the lab's name, because answers are graded in another place than they were
    given in; so does a relative one that leads through that folder, as from the folder of the notebook.

    Raises:
        checks.Wrong: it leads out of the workspace, or cannot be a path.
    """
    given = Path(path.removeprefix("file://"))
    parts = given.parts
    if given.is_absolute() and lab.name not in parts:
        raise checks.Wrong(f"`{given.name}` is not in your workspace: write what belongs to the answers there.")
    root = lab.workspace.resolve()
    try:
        if lab.name in parts and (given.is_absolute() or not (root / given).exists()):
            given = Path(*parts[len(parts) - parts[::-1].index(lab.name) :])
        found = (root / given).resolve()
        found.exists()  # a name that is too long for any file shows here
    except (OSError, RuntimeError, ValueError) as error:
        raise checks.Wrong("An answer names a folder or file that cannot be found.") from error
    if not found.is_relative_to(root):
        raise checks.Wrong(f"`{path}` leads out of your workspace.")
    return found
