"""What the checks of lab 1 say about answers that are not of the form that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from course import checks
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, QUESTIONS, Question

MOST_FILE_BYTES = 20_000_000


def question(name: Any) -> Question:
    """The question that was chosen."""
    if not isinstance(name, str) or name not in QUESTIONS:
        raise checks.Wrong(f"`QUESTION` is {name!r}. Choose one of: {', '.join(map(repr, QUESTIONS))}.")
    return QUESTIONS[name]


def columns(given: Any, what: str) -> list[str]:
    """A list of names of columns of a delivery, each once."""
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise checks.Wrong(f"`{what}` has to be a list of names of columns, such as `['carrier', 'dest']`.")
    unknown = [name for name in given if name not in COLUMNS]
    if unknown:
        raise checks.Wrong(f"`{what}` names columns that the delivery does not have: {', '.join(unknown[:5])}.")
    if len(set(given)) < len(given):
        raise checks.Wrong(f"`{what}` names a column twice.")
    return given


def mapping(given: Any, what: str) -> dict[str, Any]:
    """A dictionary."""
    if not isinstance(given, dict) or not given:
        raise checks.Wrong(f"`{what}` has to be a dictionary that is not empty.")
    return given


def month_file(path: Path, shown: str) -> pd.DataFrame:
    """A month that the student has written."""
    if not path.is_file():
        raise checks.Wrong(f"There is no file `{shown}` in your workspace.")
    if path.stat().st_size > MOST_FILE_BYTES:
        raise checks.Wrong(
            f"`{shown}` is larger than {MOST_FILE_BYTES // 1_000_000} MB: a month is a tenth of a megabyte."
        )
    try:
        return monthly_data.read(path)
    except (pa.ArrowException, UnicodeDecodeError, OSError, ValueError) as error:
        raise checks.Wrong(f"`{shown}` is no CSV file: {str(error)[:150]}") from error
