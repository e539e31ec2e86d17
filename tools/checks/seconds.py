"""What the last `make test` used, as a table, with `--docs` into docs/tests.md.

`tests/processor_seconds.py` notes it in out/reports/seconds, in which each test file has a file of lines; `warm.usage` says what
a line is. Not seen is what nobody waits for or what runs elsewhere: processes that are left to themselves (the browser's, some of Airflow's and
Flink's), containers, forks that a test kills together with their server. Imports and pipelines are counted where TFX was imported through
`warm.loading.quickly` or in pytest itself; not in a submission, whose environment is its own. Kernels from a server that ran before the tests, of a
JupyterLab that is open, count no pipelines.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "reports" / "seconds"
DOCS = ROOT / "docs" / "tests.md"
PYTEST = "pytest itself"
"""Where what belongs to no test file is noted: pytest's own work, and how the run ended."""
KINDS = {"unit", "contract", "pipeline", "browser", "grading", "notebooks"}
OUTCOMES = {None: "is not over", 1: "has failures", 2: "was interrupted"}

HEAD = f"""# What the tests use

Written by `python -m tools.checks.seconds --docs` after a whole `make test`: processor seconds, which depend less on what else a machine does than minutes; how
often TFX was imported; and how many pipelines ran as far as Pusher. A file has the seconds of all its tests, of the processes that they waited for, and of forks of the warm process.
What is not seen: processes that are waited for by none, containers, and TFX inside of submissions. Machine: {os.cpu_count()} cores.

"""


class Used(NamedTuple):
    """Processor seconds, imports of TFX, and pipelines that reached Pusher."""

    seconds: float = 0.0
    imports: int = 0
    pipelines: int = 0


Run = dict[str, list[dict[str, Any]]]
"""The lines of each test file, by its name."""


def read(folder: Path) -> Run:
    """What was noted in a run's folder."""
    return {
        path.name.replace("+", "/"): [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.iterdir())
    }


def sums(run: Run) -> dict[str, Used]:
    """What each test file used, the most first. What a server that was waited for has noted is in its starter's seconds already."""
    waited = {line["waited"] for lines in run.values() for line in lines if "waited" in line}
    found = {}
    for name, lines in run.items():
        counted = [line["count"] for line in lines if "count" in line]
        seconds = sum(line["seconds"] for line in lines if "seconds" in line and line.get("server") not in waited)
        found[name] = Used(seconds, counted.count("imports"), counted.count("pipelines"))
    return dict(sorted(found.items(), key=lambda item: -item[1].seconds))


def _total(parts: Iterable[Used]) -> Used:
    return Used(*map(sum, zip(*parts, strict=True)))


def _ending(run: Run) -> dict[str, Any]:
    return next((line for line in run.get(PYTEST, ()) if "ended" in line), {"ended": None})


def _kind(file: str) -> str:
    """What a test file belongs to: its folder under tests; the notebooks, wherever they lie."""
    parts = file.split("/")
    return parts[1] if parts[0] == "tests" and len(parts) > 2 else "notebooks" if file.endswith(".ipynb") else file


def table(run: Run) -> str:
    """The whole, and by kind its files; those of a kind that used neither a second nor TFX are one line."""
    found, ended = sums(run), _ending(run)["ended"]
    outcome = f", which {OUTCOMES.get(ended, f'ended with {ended}')}" if ended != 0 else ""
    kinds: dict[str, dict[str, Used]] = {}
    for file, used in found.items():
        kinds.setdefault(_kind(file), {})[file] = used
    lines = ["| | processor seconds | imports of TFX | pipelines |", "|---|---|---|---|"]
    lines.append(_row(f"**all**{outcome}", _total(found.values())))
    for kind, files in sorted(kinds.items(), key=lambda item: -_total(item[1].values()).seconds):
        lines.append(_row(f"**{kind}**", _total(files.values())))
        small = [used for used in files.values() if used < Used(1.0) and not used.imports + used.pipelines]
        lines += [_row(file, used) for file, used in files.items() if used not in small and file != kind]
        if small and kind not in files:
            lines.append(_row(f"{len(small)} that used less than a second each", _total(small)))
    return "\n".join(lines) + "\n"


def _row(what: str, used: Used) -> str:
    return f"| {what} | {used.seconds:.1f} | {used.imports or ''} | {used.pipelines or ''} |"


def is_whole(run: Run) -> bool:
    """Whether this is a `make test` that has passed."""
    return _ending(run) == {"ended": 0, "chosen": "not long"} and {_kind(file) for file in run} >= KINDS


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.checks.seconds", description=__doc__.partition("\n")[0])
    parser.add_argument("--docs", action="store_true", help="write docs/tests.md")
    options = parser.parse_args(arguments)
    run = read(FOLDER) if FOLDER.is_dir() else {}
    if options.docs and not is_whole(run):
        parser.error(
            "docs/tests.md is for a whole `make test` that has passed; the last was not, or was `make test-all`"
        )
    print(table(run))
    if options.docs:
        DOCS.write_text(HEAD + table(run), encoding="utf-8")
        print(f"written: {DOCS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
