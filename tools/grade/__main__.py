"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

from tools.grade import box, collect
from tools.grade.confine.plan import Limits
from tools.labs import source
from tools.notebooks.execute import shown


def main(arguments: list[str] | None = None) -> int:
    """Grades, and returns the exit code: 0 when every submission has its marks."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.grade",
        description="Grade a folder of submissions.",
        epilog=collect.LAYOUTS.format(lab="LAB"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("submissions", help="the folder")
    parser.add_argument("--lab", help="needed when there is more than one")
    parser.add_argument("--names", type=Path, help="CSV file that says which submission is whose")
    parser.add_argument("--at-a-time", type=int, default=2, help="submissions at a time (default 2)")
    parser.add_argument("--contain", choices=box.WAYS, help="instead of the best way that this machine has")
    parser.add_argument("--seconds", type=float, help="for a notebook (default: what the lab says, or 300)")
    parser.add_argument("--cell-seconds", type=float, help="for a cell (default: what the lab says, or 90)")
    parser.add_argument(
        "--memory", type=float, default=Limits.memory / 2**30, help="GB for a submission (default %(default).0f)"
    )
    options = parser.parse_args(arguments)
    labs = source.names()
    if not options.submissions:
        print(
            f"Which folder? make grade SUBMISSIONS=folder\n{collect.LAYOUTS.format(lab=options.lab or 'LAB')}",
            file=sys.stderr,
        )
        return 2
    lab = options.lab or (labs[0] if len(labs) == 1 else None)
    if lab not in labs:
        print(f"Which lab? LAB={'|'.join(labs) or '(there is none in solutions/)'}", file=sys.stderr)
        return 2
    from tools.grade import grading, table  # nbgrader takes seconds to import

    limits = grading.limits_of(lab)
    limits = dataclasses.replace(
        limits,
        seconds=options.seconds or limits.seconds,
        cell_seconds=options.cell_seconds or limits.cell_seconds,
        memory=round(options.memory * 2**30),
    )
    course = grading.Course(
        lab,
        limits=limits,
        how=options.contain,
        at_a_time=max(1, options.at_a_time),
        say=lambda text: print(text, flush=True),
    )
    started = time.monotonic()
    try:
        graded = grading.grade(course, Path(options.submissions), options.names)
    except grading.GradingFailed as error:
        print(error, file=sys.stderr)
        return 1
    of = sum(outcome.of for outcome in graded[0].outcomes.values()) if graded[0].outcomes else 0
    of = of or next((sum(o.of for o in one.outcomes.values()) for one in graded if one.outcomes), 0)
    print(table.summary(graded, of))
    print(
        f"{len(graded)} graded in {time.monotonic() - started:.0f} s: {shown(course.folder / 'grades.csv')}, feedback in {shown(course.folder / 'feedback')}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
