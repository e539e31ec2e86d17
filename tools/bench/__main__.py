"""Measures the named sections and writes docs/bench.md; what is not measured this time keeps its last result."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform

from tools.bench.measure import REPOSITORY, SECTIONS, Row

RESULTS = REPOSITORY / "docs" / "bench.json"
"""Committed, so that a section that is measured again on its own does not make the table forget the others."""
TABLE = REPOSITORY / "docs" / "bench.md"

HEAD = """# How long it takes

Measured by `make bench`, each line in a process of its own, on the machine below; compare ratios rather than seconds. Seconds of the pipeline are those
after the imports. The four slowest components are named with their seconds, and the AUC on the flights that the model was judged on.

"""


def main() -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of: {','.join(SECTIONS)}")
    wanted = parser.parse_args().only.split(",")
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for section in wanted:
        rows = SECTIONS[section]()
        for row in rows:
            print(line(row), flush=True)
        results[section] = {"machine": machine(), "rows": [dataclasses.asdict(row) for row in rows]}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        TABLE.write_text(table(results))
    print(f"written: {TABLE.relative_to(REPOSITORY)}")


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
