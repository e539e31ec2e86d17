"""The log of requests (`serving.request_log`) as a table of what was answered, with an account of every line that is not in it.

It is read in parts of `PART` lines, so that only the rows of the days that are wanted are held: some 350 bytes each. A million lines take
about twenty seconds. Refused requests have no line; the server's metrics count them.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pandas as pd

from operation.project import Project
from serving import request_log

HEAD = ("time", "id", "version", "role", "prediction")
"""What each line has beside the columns of the key."""

DAY = "served_for"
"""The column that is added: the day of that which the prediction is about."""

SHADOW = "shadow"
"""The role of a version whose answers went to no client."""

PART = 50_000
"""Lines that are parsed at a time."""

NO_LINE = "this is no whole line of a log of requests"

SAID = 5
"""Faults that are described; all are counted."""


@dataclasses.dataclass(frozen=True)
class Lines:
    """What became of the lines of a log. `total` is the sum of the others but `lost_columns`, which says more of one of them.

    Attributes:
        total: of all files.
        rows: in the table.
        other_days: before or after the days that were asked for.
        unreadable: no JSON, not whole, or without one of `HEAD`: what a killed write or a full disk leaves.
        no_number: the model answered NaN or infinity, which JSON has no number for.
        without_key: a column of the key is missing, or names no day: such a row never finds its label.
        repeated: there before, with the same request, version, role and key: a request that was sent again, or a file that is there twice.
        lost_columns: by column of the key, how many lines lack it.
    """

    total: int = 0
    rows: int = 0
    other_days: int = 0
    unreadable: int = 0
    no_number: int = 0
    without_key: int = 0
    repeated: int = 0
    lost_columns: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ServedLog:
    """What was answered.

    Attributes:
        rows: `HEAD`, the columns of the key, further ones that were asked for, and `DAY`, a row for each answer, the oldest first. `time` is in UTC.
        lines: of the log, by what became of them.
        faults: the first of those that cannot be read or joined, a sentence each with file and line.
    """

    rows: pd.DataFrame
    lines: Lines
    faults: tuple[str, ...] = ()

    @property
    def versions(self) -> pd.DataFrame:
        """Rows, mean prediction, and first and last time, by version and role."""
        return (
            self.rows.groupby(["version", "role"])
            .agg(rows=("id", "size"), said=("prediction", "mean"), first=("time", "min"), last=("time", "max"))
            .reset_index()
        )


class _Line(NamedTuple):
    """A line as it was read, and where."""

    file: Path
    number: int
    value: Any


def read(
    file: str | Path | Sequence[str | Path],
    project: Project,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
    further: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
) -> ServedLog:
    """The rows of a log, those of its full files included, that are about some days.

    Args:
        file: that the server writes (`serve --log`), or those of several servers.
        project: whose model it is.
        first: day, included; None: from the beginning.
        last: day, included; None: to the end.
        further: columns beside those of the key that a log may have; missing where a line has none.
        sizes: by path, the bytes of each file that are read, and no other file is: what was there at a moment (`parts`). None: all.

    Raises:
        FileNotFoundError: there is no such log.
        ValueError: the project's key has a column that the log uses itself.
    """
    if taken := set(project.key) & {*HEAD, DAY}:
        raise ValueError(
            f"The key of {project.name} has {', '.join(sorted(taken))}, which a log of requests uses itself."
        )
    paths = parts(file)
    counts: dict[str, int] = dict.fromkeys(["total", "unreadable", "no_number", "without_key", "other_days"], 0)
    lost = dict.fromkeys(project.key, 0)
    faults: list[str] = []
    tables = [_empty(project, further)]
    lines = _parsed([one for one in paths if sizes is None or str(one) in sizes], sizes or {})
    while part := list(itertools.islice(lines, PART)):
        counts["total"] += len(part)
        table = _table(part, project, further, counts, lost, faults)
        del faults[SAID:]
        wanted = np.ones(len(table), bool)
        if first is not None:
            wanted &= (table[DAY] >= pd.Timestamp(first)).to_numpy()
        if last is not None:
            wanted &= (table[DAY] <= pd.Timestamp(last)).to_numpy()
        counts["other_days"] += int((~wanted).sum())
        tables.append(table[wanted])
    rows = pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
    again = rows.duplicated(["id", "version", "role", *project.key])
    rows = rows[~again].reset_index(drop=True)
    kept = {name: number for name, number in lost.items() if number}
    done = Lines(rows=len(rows), repeated=int(again.sum()), lost_columns=kept, **counts)
    return ServedLog(rows, done, tuple(faults))


def parts(file: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files of one log or several, the oldest of each first, each once.

    Raises:
        FileNotFoundError: there is no such log.
    """
    logs = [file] if isinstance(file, str | Path) else file
    for one in logs:
        if not request_log.files(one):
            raise FileNotFoundError(f"{one}: there is no log of requests. Start the server with --log {one}.")
    return list(dict.fromkeys(path for one in logs for path in request_log.files(one)))


def _parsed(paths: Sequence[Path], sizes: Mapping[str, int]) -> Iterator[_Line]:
    for path in paths:
        left = sizes.get(str(path), math.inf)
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):  # the last, which is being written
                    break
                try:
                    yield _Line(path, number, orjson.loads(line))
                except orjson.JSONDecodeError:
                    yield _Line(path, number, None)


def _table(
    part: list[_Line],
    project: Project,
    further: Sequence[str],
    counts: dict[str, int],
    lost: dict[str, int],
    faults: list[str],
) -> pd.DataFrame:
    """The lines that can be used. What becomes of the others is added to what is given."""
    whole = [one for one in part if _is_whole(one.value)]
    table = pd.DataFrame.from_records([one.value for one in whole], columns=[*HEAD, *project.key, *further])
    table["time"] = pd.to_datetime(table["time"], utc=True, format="ISO8601", errors="coerce")
    table["prediction"] = table["prediction"].astype(float)
    missing = table[list(project.key)].isna()
    table[DAY] = project.day(table[~missing.any(axis=1)]).astype("datetime64[ns]").reindex(table.index)
    is_number, is_timed, has_key = table["prediction"].notna(), table["time"].notna(), table[DAY].notna()

    counts["unreadable"] += len(part) - int(is_timed.sum())
    counts["no_number"] += int((is_timed & ~is_number).sum())
    counts["without_key"] += int((is_timed & is_number & ~has_key).sum())
    for name in project.key:
        lost[name] += int((is_timed & is_number & missing[name]).sum())
    said = {
        (whole[row].file, whole[row].number): NO_LINE
        if not is_timed[row]
        else "the model answered with what is no number"
        if not is_number[row]
        else f"the key lacks {', '.join(missing.columns[missing.loc[row]]) or 'a day that there is'}"
        for row in np.flatnonzero(~(is_timed & is_number & has_key))[:SAID].tolist()
    }
    said |= {(one.file, one.number): NO_LINE for one in part if not _is_whole(one.value)}
    faults += [f"{file}, line {number}: {why}." for (file, number), why in sorted(said.items())]
    return table[is_timed & is_number & has_key].astype({"version": "int64"})


def _is_whole(value: Any) -> bool:
    """Whether a server has written this; a prediction that is no number it writes as null."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("time", "id", "role"))
        and type(value.get("version")) is int
        and type(value.get("prediction", "")) in (int, float, type(None))
    )


def _empty(project: Project, further: Sequence[str]) -> pd.DataFrame:
    """No row, with all columns."""
    kinds = {"time": "datetime64[ns, UTC]", "version": "int64", "prediction": "float64", DAY: "datetime64[ns]"}
    names = [*HEAD, *project.key, *further, DAY]
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "object")) for name in names})
