"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flights.data import DataError
from tools.data import files, fixtures


def main(arguments: list[str] | None = None) -> int:
    """Runs one command, says in one line what it did, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.data", description="Build the course's data.")
    commands = parser.add_subparsers(dest="command", required=True)
    year = commands.add_parser("year", help="all flights of 2013, by month, checked against the committed checksums")
    year.add_argument("--to", type=Path, default=files.YEAR, help="folder to write (default: out/data/flights)")
    commands.add_parser("sample", help="2,000 flights a month, and checksums.txt, in data/flights")
    commands.add_parser("fixtures", help="the files that are broken on purpose, in data/fixtures")
    options = parser.parse_args(arguments)
    try:
        if options.command == "year":
            print(files.make_year(options.to))
        elif options.command == "sample":
            print(files.make_sample())
        else:
            print(fixtures.write_fixtures())
    except (DataError, OSError) as error:
        print(f"Data: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
