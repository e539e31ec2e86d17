"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TextIO

from dateutil import parser as dates

from tools.grade import box, collect
from tools.grade.limits import Limits
from tools.labs import hand_out, source
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
    parser.add_argument(
        "--names", type=Path, help="CSV file that says whose each submission is (default: names.csv in the folder)"
    )
    parser.add_argument("--student", help="grade this one again, and leave the others as they are")
    parser.add_argument("--out", type=Path, help="where results go (default: out/grades)")
    parser.add_argument("--salt", default="", help="of the class, as it was handed out")
    parser.add_argument("--late", help="when the time was over, such as 2026-12-01T23:59+01:00")
    parser.add_argument("--per-day", type=float, default=0, help="points that each day begun after that costs")
    parser.add_argument("--at-a-time", type=int, default=2, help="submissions at a time (default 2)")
    parser.add_argument("--contain", choices=box.WAYS, help="instead of the best way that this machine has")
    parser.add_argument("--seconds", type=float, help="for a notebook (default: what the lab says, or 300)")
    parser.add_argument("--cell-seconds", type=float, help="for a cell (default: what the lab says, or 90)")
    parser.add_argument(
        "--memory", type=float, default=Limits.memory / 2**30, help="GB for a submission (default %(default).0f)"
    )
    options = parser.parse_args(arguments)
    labs = source.names()
    lab = options.lab or (labs[0] if len(labs) == 1 else "")
    if not options.submissions:
        return _refuse(f"Which folder? make grade SUBMISSIONS=folder\n{collect.LAYOUTS.format(lab=lab or 'LAB')}")
    if lab not in labs:
        return _refuse(f"Which lab? LAB={'|'.join(labs) or '(there is none in solutions/)'}")
    from tools.grade import grading, table  # these take seconds to import

    limits = grading.limits_of(lab)
    limits = dataclasses.replace(
        limits,
        seconds=options.seconds or limits.seconds,
        cell_seconds=options.cell_seconds or limits.cell_seconds,
        memory=round(options.memory * 2**30),
    )
    try:
        rules, salt = table.Rules(_time(options.late), options.per_day), hand_out.valid_salt(options.salt)
    except ValueError as error:
        return _refuse(f"LATE or SALT: {error}")
    course = grading.Course(
        lab,
        out=options.out or grading.OUT,
        limits=limits,
        how=options.contain,
        at_a_time=max(1, options.at_a_time),
        salt=salt,
        rules=rules,
        say=_say,
    )
    started = time.monotonic()
    try:
        graded = grading.grade(course, Path(options.submissions), options.names, options.student)
    except grading.GradingFailed as error:
        return _refuse(str(error), 1)
    except KeyboardInterrupt:
        return _refuse(
            f"Stopped. {shown(course.folder / 'grades.csv')} has what was graded; the same command goes on.", 130
        )
    files = ", ".join(
        path.name for path in sorted(course.folder.glob("*.*")) if path.suffix in (".csv", ".html", ".zip")
    )
    _say(
        f"{len(graded)} submissions, {time.monotonic() - started:.0f} s. In {shown(course.folder)}: {files}; feedback/"
    )
    return 0


def _time(text: str | None) -> datetime | None:
    """A time with its time zone; the machine's, where none is given."""
    when = dates.isoparse(text) if text else None
    return when.astimezone() if when and not when.tzinfo else when


def _say(text: str, file: TextIO | None = None) -> None:
    """Says something of which parts may be a student's: no control sequence reaches the terminal."""
    print(*map(collect.printable, text.split("\n")), sep="\n", file=file, flush=True)


def _refuse(text: str, code: int = 2) -> int:
    _say(text, sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
