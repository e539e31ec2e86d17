"""Prints what the stages of the last `make test` used, and keeps it: out/reports/seconds.md, and with `--docs` docs/tests.md.

`tests/processor_seconds.py` notes it under out/reports/seconds, a folder for each stage, in which each test file has a file of lines; `warm.usage` says what
a line is. Not seen is what nobody waits for or what runs elsewhere: processes that are left to themselves (the browser's, some of Airflow's and
Flink's), containers, forks that a test kills together with their server. Imports and pipelines are counted where TFX was imported through
`warm.loading.quickly` or in pytest itself; not in a submission, whose environment is its own. Kernels from a server that ran before the tests, of a
JupyterLab that is open, count no pipelines.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "reports" / "seconds"
REPORT = FOLDER.with_suffix(".md")
DOCS = ROOT / "docs" / "tests.md"
STAGES = ("unit-and-contract", "pipeline-and-notebooks")
"""The stages of `make test`, in this order."""
PYTEST = "pytest itself"
"""Where what belongs to no test file is noted: pytest's own work, and how the stage ended."""
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


Stage = dict[str, list[dict[str, Any]]]
"""The lines of each test file, by its name."""


def read(folder: Path) -> Stage:
    """What was noted in a stage's folder."""
    return {
        path.name.replace("+", "/"): [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.iterdir())
    }


def sums(stage: Stage) -> dict[str, Used]:
    """What each test file used, the most first. What a server that was waited for has noted is in its starter's seconds already."""
    waited = {line["waited"] for lines in stage.values() for line in lines if "waited" in line}
    found = {}
    for name, lines in stage.items():
        counted = [line["count"] for line in lines if "count" in line]
        seconds = sum(line["seconds"] for line in lines if "seconds" in line and line.get("server") not in waited)
        found[name] = Used(seconds, counted.count("imports"), counted.count("pipelines"))
    return dict(sorted(found.items(), key=lambda item: -item[1].seconds))


def _total(parts: Sequence[Used]) -> Used:
    return Used(*map(sum, zip(*parts, strict=True))) if parts else Used()


def _ending(stage: Stage) -> dict[str, Any]:
    return next((line for line in stage.get(PYTEST, ()) if "ended" in line), {"ended": None})


def table(stages: dict[str, Stage]) -> str:
    """The stages with their files; those that used neither a second nor TFX are one line."""
    lines = ["| | processor seconds | imports of TFX | pipelines |", "|---|---|---|---|"]
    totals = []
    for name, stage in stages.items():
        found, ended = sums(stage), _ending(stage)["ended"]
        totals.append(_total(list(found.values())))
        outcome = f", which {OUTCOMES.get(ended, f'ended with {ended}')}" if ended != 0 else ""
        lines.append(_row(f"**{name}**{outcome}", totals[-1]))
        small = [used for used in found.values() if used < Used(1.0) and not used.imports + used.pipelines]
        lines += [_row(file, used) for file, used in found.items() if used not in small]
        if small:
            lines.append(_row(f"{len(small)} that used less than a second each", _total(small)))
    if len(stages) > 1:
        lines.append(_row("**all**", _total(totals)))
    return "\n".join(lines) + "\n"


def _row(what: str, used: Used) -> str:
    return f"| {what} | {used.seconds:.1f} | {used.imports or ''} | {used.pipelines or ''} |"


def is_whole(stages: dict[str, Stage]) -> bool:
    """Whether these are all stages of one `make test`, and each has passed."""
    endings = [_ending(stage) for stage in stages.values()]
    return tuple(stages) == STAGES and all(end == {"ended": 0, "chosen": "not long"} for end in endings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.checks.seconds", description=__doc__.partition("\n")[0])
    parser.add_argument("--docs", action="store_true", help="write docs/tests.md")
    options = parser.parse_args(arguments)
    stages = {name: read(FOLDER / name) for name in STAGES if (FOLDER / name).is_dir()}
    if options.docs and not is_whole(stages):
        parser.error(
            "docs/tests.md is for a whole `make test` that has passed; the last was not, or was `make test-all`"
        )
    print(table(stages))
    for path in (REPORT, DOCS) if options.docs else (REPORT,):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + table(stages), encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
