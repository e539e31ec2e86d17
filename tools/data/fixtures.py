"""Makes months that are wrong on purpose, from the sample, nearly all from its January: the same bytes each time.

Lessons and tests break the pipeline with them. What each is, and what finds it, is in the table of `data/README.md`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from flights.data import month_path
from tools.data.files import REPOSITORY, SAMPLE

FIXTURES = REPOSITORY / "data" / "fixtures"
EVERY = 10
"""Of the 2,000 flights of the sample, every tenth: a file that a person can read through."""

AS_FEBRUARY = {"drifted-month"}
"""Fixtures of which there is a February as well, to come after the January of the sample: drift is between two months."""

Row = dict[str, str]


def write_fixtures(root: Path = FIXTURES) -> str:
    """Writes `root/NAME/span-01/flights.csv` for every fixture, span-02 for some, and removes those that are no longer made.

    Returns:
        One line that says what was done.
    """
    for folder in root.iterdir() if root.is_dir() else []:
        if folder.is_dir() and folder.name not in FAULTS:
            shutil.rmtree(folder)
    for name, make in FAULTS.items():
        for month in (1, 2) if name in AS_FEBRUARY else (1,):
            path = month_path(root / name, month)
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(make(sample_rows(month)))
            os.replace(unfinished, path)
    return f"{root.name}: wrote {len(FAULTS)} fixtures."


def sample_rows(month: int = 1) -> list[Row]:
    """A month of the sample as text, cell by cell, so that what a fixture leaves alone keeps its bytes."""
    header, *lines = month_path(SAMPLE, month).read_text(encoding="utf-8").splitlines()
    names = header.split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines]


def to_csv(rows: list[Row]) -> bytes:
    """CSV as `flights.data.write_months` writes it. No cell of the data needs quotes."""
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode("utf-8")


def truncated(rows: list[Row]) -> bytes:
    """A transfer that broke off: the last line stops after its ninth character, with no line end."""
    whole = to_csv(rows[::EVERY])
    last_line = whole.rstrip(b"\n").rindex(b"\n") + 1
    return whole[: last_line + 9]


def empty(rows: list[Row]) -> bytes:
    """A transfer that never began: no byte at all."""
    return b""


def header_only(rows: list[Row]) -> bytes:
    """An export whose query found nothing: column names and no flight."""
    return to_csv(rows[:1]).splitlines(keepends=True)[0]


def missing_column(rows: list[Row]) -> bytes:
    """The column `distance` is gone."""
    return to_csv([{name: cell for name, cell in row.items() if name != "distance"} for row in rows[::EVERY]])


def renamed_column(rows: list[Row]) -> bytes:
    """The column `dest` is called `destination` from now on."""
    return to_csv(
        [{("destination" if name == "dest" else name): cell for name, cell in row.items()} for row in rows[::EVERY]]
    )


def text_in_number(rows: list[Row]) -> bytes:
    """One scheduled departure is written with a colon, 10:50 for 1050, in the 121st flight."""
    rows = rows[::EVERY]
    time = rows[120]["sched_dep_time"].zfill(4)
    rows[120] = rows[120] | {"sched_dep_time": f"{time[:2]}:{time[2:]}"}
    return to_csv(rows)


def wrong_encoding(rows: list[Row]) -> bytes:
    """A spreadsheet put a no-break space behind one tail number and saved the file as Windows-1252."""
    rows = rows[::EVERY]
    rows[56] = rows[56] | {"tailnum": rows[56]["tailnum"] + "\N{NO-BREAK SPACE}"}
    return to_csv(rows).decode("utf-8").encode("cp1252")


def unknown_carrier(rows: list[Row]) -> bytes:
    """Every eighth flight is flown by the carrier ZZ, which is not in the register of carriers."""
    rows = rows[::EVERY]
    return to_csv([row | {"carrier": "ZZ"} if number % 8 == 0 else row for number, row in enumerate(rows)])


def extra_column(rows: list[Row]) -> bytes:
    """The sender has added a column: the gate from which the flight leaves."""
    return to_csv(
        [row | {"gate": f"{'ABCD'[number % 4]}{number % 30 + 1}"} for number, row in enumerate(rows[::EVERY])]
    )


def missing_label(rows: list[Row]) -> bytes:
    """Flights as they are when a prediction is asked for: nobody knows yet whether they were late."""
    return to_csv([{name: cell for name, cell in row.items() if name != "late"} for row in rows[::EVERY]])


def sparse_weather(rows: list[Row]) -> bytes:
    """The weather station was silent on two of three flights: every weather cell of them is empty."""
    weather = list(rows[0])[list(rows[0]).index("temp") : list(rows[0]).index("late")]
    silent = dict.fromkeys(weather, "")
    return to_csv([row | silent if number % 3 else row for number, row in enumerate(rows[::EVERY])])


def duplicated_rows(rows: list[Row]) -> bytes:
    """The month was delivered twice: each flight stands there two times."""
    return to_csv([row for row in rows[::EVERY] for _ in range(2)])


def changed_unit(rows: list[Row]) -> bytes:
    """Temperature and dew point in degrees Celsius instead of Fahrenheit, without a word."""

    def celsius(cell: str) -> str:
        return f"{(float(cell) - 32) / 1.8:.2f}" if cell else cell

    return to_csv([row | {name: celsius(row[name]) for name in ("temp", "dewp")} for row in rows[::EVERY]])


def drifted_month(rows: list[Row]) -> bytes:
    """Every value possible, the mixture another: Kennedy nearly closed, La Guardia halved, and a cold wave of 20 °F."""
    kept, seen = [], {"EWR": 0, "LGA": 0, "JFK": 0}
    one_in = {"EWR": 1, "LGA": 2, "JFK": 20}
    for row in rows:
        if seen[row["origin"]] % one_in[row["origin"]] == 0:
            colder = {name: f"{float(row[name]) - 20:.2f}" if row[name] else "" for name in ("temp", "dewp")}
            kept.append(row | colder)
        seen[row["origin"]] += 1
    return to_csv(kept)


FAULTS: dict[str, Callable[[list[Row]], bytes]] = {
    make.__name__.replace("_", "-"): make
    for make in (
        truncated,
        empty,
        header_only,
        missing_column,
        renamed_column,
        text_in_number,
        wrong_encoding,
        unknown_carrier,
        extra_column,
        missing_label,
        sparse_weather,
        duplicated_rows,
        changed_unit,
        drifted_month,
    )
}
"""Every fixture by its folder's name."""
