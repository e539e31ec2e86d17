"""Measures the named sections and writes out/bench.md; what is not measured this time keeps its last result.

With `--docs` it writes docs/bench.md, which is committed and quoted: `tests/contract/test_claims.py` then names each text to mend.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
from collections.abc import Sequence

from tools.bench.process import REPOSITORY, Row, without_paths
from tools.bench.sections import SECTIONS, measure

RESULTS = REPOSITORY / "docs" / "bench.json"
"""Committed, so that a section that is measured again on its own does not make the table forget the others."""
TABLE = RESULTS.with_suffix(".md")
OWN = REPOSITORY / "out" / "bench.json"
"""Of this machine, beside its table: whoever measures for themselves changes no file of the course."""

HEAD = """# How long it takes

Measured by `python -m tools.bench --docs`, each line in a process of its own, on the machine below; compare ratios rather than seconds. `make bench` does
the same on your machine, and writes `out/bench.md`. Seconds of the pipeline are those after the imports. The four slowest components are named with
their seconds, and the AUC on the flights that the model was judged on.

"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of: {','.join(SECTIONS)}")
    parser.add_argument("--docs", action="store_true", help="write docs/bench.md, which lessons and README quote")
    options = parser.parse_args(arguments)
    wanted, file = options.only.split(","), RESULTS if options.docs else OWN
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(file.read_text()) if file.exists() else {}
    for section in wanted:
        rows = [dataclasses.replace(row, remark=without_paths(row.remark)) for row in measure(section)]
        for row in rows:
            print(line(row), flush=True)
        results[section] = {"machine": machine(), "rows": [dataclasses.asdict(row) for row in rows]}
        file.write_text(json.dumps(results, indent=1) + "\n")
        file.with_suffix(".md").write_text(table(results))
    print(f"written: {file.with_suffix('.md')}")


def table(results: dict) -> str:
    """The page with all results, in the order of the sections."""
    found = [results[name] for name in SECTIONS if name in results]
    machines = sorted({section["machine"] for section in found})
    lines = ["| | seconds | processor seconds | peak memory | target | remarks |", "|---|---|---|---|---|---|"]
    lines += [line(Row(**row)) for section in found for row in section["rows"]]
    return HEAD + f"Machine: {'; '.join(machines)}.\n\n" + "\n".join(lines) + "\n"


def line(row: Row) -> str:
    """A row of the table; what was not measured stays empty."""
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    cpu = f"{row.cpu_seconds:.1f}" if row.cpu_seconds else ""
    peak = f"{row.peak_gb:.2f} GB" if row.peak_gb else ""
    return f"| {row.what} | {seconds} | {cpu} | {peak} | {row.target} | {row.remark} |"


def machine() -> str:
    """Cores, memory and system, without names or paths."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
