"""The SQLite file of a metadata store: whether it can be used, and what to do when it cannot.

ML Metadata's own messages name the query that failed, and neither the file nor what to do.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ml_metadata.errors import StatusError

PATIENCE = 5.0
"""Seconds that a program which writes is waited for."""

AFRESH = (
    "Move it and the folder `artifacts` beside it away, or name another --output-root: the next run begins anew, without a baseline. "
    "Models in `serving` go on answering."
)

FAULTS = {
    r"locked|Concurrent writes aborted": "is locked by another program, for example a database browser. End it, and run again.",
    r"readonly|read-only": "cannot be written to. Make it and its folder yours to write, or name another --output-root.",
    r"is full": "cannot grow: the disk is full. Make room, and run again.",
    r"unable to open": "cannot be opened. Make it and its folder yours to read and write, or name another --output-root.",
    r"disk I/O error": "cannot be read or written: the disk reports an error. Copy what is needed to another one.",
    r"not a database|malformed|Error when executing query|subset of tables": f"is damaged. {AFRESH}",
    r"is (greater|older) than library version": f"is of another version of ML Metadata than the one here. {AFRESH}",
}
"""What SQLite or ML Metadata says, as a regular expression, and what that means; the first that fits counts."""


class StoreError(RuntimeError):
    """The metadata store cannot be used; the message names its file and says what to do."""


def check(path: str | Path) -> None:
    """Looks whether the file of a store, if there is one, is whole and can be written to. Writes nothing.

    Raises:
        StoreError: it is not, or cannot.
    """
    path = Path(path)
    if path.is_dir():
        raise StoreError(f"{path} is a folder, where the metadata store has its file. {AFRESH}")
    # A run that is killed at its very beginning leaves an empty file, which is a new store; it leaves nothing else. Artifacts of which
    # the store does not know would be in the way of those that get their numbers.
    if not path.exists() or path.stat().st_size == 0:
        if any(path.parent.glob("artifacts/*/*")):
            what = "is empty" if path.exists() else "is gone"
            raise StoreError(f"{path} {what}, and there are artifacts of earlier runs, which it described. {AFRESH}")
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", PATIENCE, uri=True)) as opened:
            (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError("malformed")
            opened.execute("BEGIN IMMEDIATE")
            opened.rollback()
    except sqlite3.Error as error:
        raise StoreError(f"{path} {_meaning(str(error)) or error}") from error


@contextmanager
def explained(path: str | Path) -> Iterator[None]:
    """Within it, what ML Metadata raises about the file at `path` is a StoreError; any other error passes as it is."""
    try:
        yield
    except (RuntimeError, StatusError) as error:
        theirs = isinstance(error, StatusError) or re.search(
            r"MLMD|Error when executing|sqlite3|Concurrent", str(error)
        )
        if isinstance(error, StoreError) or not theirs or not (meaning := _meaning(str(error))):
            raise
        raise StoreError(f"{path} {meaning}") from error


def _meaning(said: str) -> str:
    return next((meaning for pattern, meaning in FAULTS.items() if re.search(pattern, said)), "")
