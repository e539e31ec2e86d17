"""How fast all flights of the year are read and checked, beside Arrow alone: `python -m tools.bench.reading` prints it as JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from flights import data
from tools.bench.process import FULL_DATA, Row, run

REPEATS = 9


def reading() -> list[Row]:
    """The twelve months, by Arrow without a question, one by one, and as a run: the median of nine readings, each of warm files."""
    said, _, _, peak = run([sys.executable, "-m", "tools.bench.reading"])
    result = json.loads(said.strip().splitlines()[-1])
    return [
        Row(
            what,
            wall,
            cpu,
            peak if number == len(result["took"]) - 1 else 0,
            "",
            f"{result['rows'] / cpu:,.0f} flights a processor second",
        )
        for number, (what, (wall, cpu)) in enumerate(result["took"].items())
    ]


def plain(path: Path) -> pa.Table:
    """As Arrow reads a month when it is told the types: on threads, in blocks, and with what it takes for numbers."""
    return pyarrow.csv.read_csv(
        path,
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=data.COLUMN_TYPES, null_values=[""], strings_can_be_null=True
        ),
    )


def main() -> None:
    """Reads the months in turn by each way, so that the machine's moods meet all of them."""
    paths = [data.month_path(FULL_DATA, month) for month in range(1, 13)]
    ways: dict[str, Callable[[], list[pa.Table]]] = {
        "all flights read by Arrow alone, nothing checked": lambda: [plain(path) for path in paths],
        "all flights read and checked, month by month (`read_table`)": lambda: [
            data.read_table(path) for path in paths
        ],
        "all flights read and checked as one run, no flight twice (`read_tables`)": lambda: data.read_tables(paths),
    }
    took: dict[str, list[tuple[float, float]]] = {what: [] for what in ways}
    rows = 0
    for _ in range(REPEATS):
        for what, read in ways.items():
            wall, cpu = time.monotonic(), time.process_time()
            rows = sum(map(len, read()))
            took[what].append((time.monotonic() - wall, time.process_time() - cpu))
    medians = {what: [statistics.median(column) for column in zip(*times, strict=True)] for what, times in took.items()}
    print(json.dumps({"rows": rows, "took": medians}))


if __name__ == "__main__":
    main()
