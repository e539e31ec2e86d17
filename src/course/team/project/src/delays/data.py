"""A month of flights, and the contract that it keeps."""

import csv
from pathlib import Path

CARRIERS = "9E AA AS B6 DL EV F9 FL HA MQ OO UA US VX WN YV".split()


class DataError(ValueError):
    """A month breaks the contract; the message names the line."""


def read(root: str, month: int) -> list[dict[str, str]]:
    """The flights of a month.

    Raises:
        DataError: a line breaks the contract.
    """
    with open(Path(root, f"span-{month:02d}", "flights.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, 2):
        if row["carrier"] not in CARRIERS:
            raise DataError(f"month {month}, line {number}: unknown carrier {row['carrier']!r}")
        if row["late"] not in ("0", "1"):
            raise DataError(f"month {month}, line {number}: late is {row['late']!r}, not 0 or 1")
    return rows
