"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.year import account, parts
from tools.year.state import Plan, State, alone
from tools.year.year import Year

PAGE = "year.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Goes through the year, or on with it; 0 where all agrees at its end."""
    parser = argparse.ArgumentParser(prog="python -m tools.year", description="A year in service, in minutes.")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("out/year"),
        help="of the year; one that was killed goes on (default: out/year)",
    )
    parser.add_argument(
        "--data-root", default="data/flights", help="of the flights that clients ask about (default: the sample)"
    )
    parser.add_argument(
        "--engine", choices=("local", "airflow"), default="local", help="that runs the pipeline of a retraining"
    )
    parser.add_argument(
        "--policy", default="", metavar="FILE", help="by which it is decided (default: that of the package)"
    )
    for name in ("first", "last", "refused", "spoilt"):
        parser.add_argument(
            f"--{name}",
            type=int,
            default=getattr(Plan, name),
            metavar="MONTH",
            help=f"see `state.Plan` (default: {getattr(Plan, name)})",
        )
    options = vars(parser.parse_args(arguments))
    folder = options.pop("folder").absolute()
    options["data_root"], options["policy"] = (
        str(Path(text).absolute()) if text else "" for text in (options["data_root"], options["policy"])
    )
    try:
        return go(folder, Plan(**options))
    except (ValueError, RuntimeError, OSError) as error:
        print(f"The year in {folder}: {error}", file=sys.stderr)
        return 1


def go(folder: Path, plan: Plan) -> int:
    """Goes through a year, prints its table and its account, and writes them to a page."""
    with alone(folder):
        state = State.open(folder, plan)
        tell = functools.partial(print, flush=True)
        Year(state, parts.Flights(folder, plan, tell), tell).run()
        config = parts.config_of(folder, plan)
        found = account.account(state, config)
        text = account.page(state, config, found)
        (folder / PAGE).write_text(text, encoding="utf-8")
        print(text)
    for fault in found.faults:
        print(f"Not as it should be: {fault}", file=sys.stderr)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
