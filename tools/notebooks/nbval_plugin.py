"""A pytest plugin beside nbval: it compares what papermill has executed, and tells in plain words what differs.

nbval (the pytest plugin that compares a notebook's outputs with those that are stored) would execute the notebook by itself.
Here papermill has done that, and nbval is given its outputs: a notebook runs once, and what takes minutes takes them once. What nbval
reads, skips, sanitises and compares is its own. It numbers code cells from 0 and prints escape codes; `run` reads this plugin's JSON
instead. The variable COURSE_NBVAL_EXECUTED names the executed notebook, COURSE_NBVAL_REPORT the file to write.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

from tools.notebooks import execute, form

REPORT = "COURSE_NBVAL_REPORT"
EXECUTED = "COURSE_NBVAL_EXECUTED"
DIFF_LINES = 24

_records: list[dict[str, Any]] = []
_outputs: dict[str, list[Any]] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Reads the executed notebook; no kernel is started."""
    executed = form.read(Path(os.environ[EXECUTED]))
    _outputs.update({cell.id: cell.outputs for cell in executed.cells if cell.cell_type == "code"})
    IPyNbFile.setup = IPyNbFile.setup_sanitize_files
    IPyNbCell.runtest = compare


def compare(item: IPyNbCell) -> None:
    """Compares a cell's outputs with the stored ones, where nbval would execute it first.

    Raises:
        nbval.plugin.NbCellError: they differ.
    """
    if item.options["skip"]:
        pytest.skip()
    item.test_outputs = coalesce_streams(_outputs[item.cell.id])
    if item.options["check"] and not item.compare_outputs(item.test_outputs, coalesce_streams(item.cell.outputs)):
        item.raise_cell_error("Cell outputs differ", "\n".join(item.comparison_traceback))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    """Records the result of each cell."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" or report.failed:
        record = {"cell": _index(item), "outcome": report.outcome}
        record["compared"] = bool(item.options["check"] and item.cell.outputs)
        if report.failed:
            record["message"] = _message(item, call.excinfo.value)
        _records.append(record)


def pytest_sessionfinish() -> None:
    """Writes the records; the file exists only when pytest came to its end."""
    with open(os.environ[REPORT], "w", encoding="utf-8") as file:
        json.dump(_records, file)


def _index(item: Any) -> int:
    """Returns the cell's index among all cells; nbval counts code cells only."""
    code = [index for index, cell in enumerate(item.parent.nb.cells) if cell.cell_type == "code"]
    return code[item.cell_num]


def _message(item: Any, error: BaseException) -> str:
    where = execute.describe_cell(item.parent.nb, _index(item))
    if str(error) == "Cell outputs differ":
        return f"{where}: its output is not the committed one.\n{explain(item)}"
    return f"{where}: {error}"


def explain(item: Any) -> str:
    """Returns where the outputs of a run differ from the committed ones, by kind of output."""
    committed, now = _by_kind(item, item.cell.outputs), _by_kind(item, item.test_outputs)
    lines = []
    for kind in sorted(set(committed) | set(now)):
        before, after = committed.get(kind, []), now.get(kind, [])
        if before == after:
            continue
        if not before or not after:
            here, there = (
                ("the run shows it", "the notebook does not")
                if after
                else ("the notebook shows it", "the run does not")
            )
            lines += [f"  {kind}: {here}, {there}:", *_cut([f"    {line}" for line in _lines(before or after)])]
        else:
            diff = list(difflib.unified_diff(_lines(before), _lines(after), "committed", "now", lineterm="", n=1))
            lines += [f"  {kind} (- committed, + now):", *_cut([f"    {line}" for line in diff[2:]])]
    return "\n".join(lines)


def _by_kind(item: Any, outputs: list[Any]) -> dict[str, list[str]]:
    """Groups outputs as nbval does: what it skips is skipped, what it sanitises is sanitised."""
    found: dict[str, list[str]] = defaultdict(list)
    for output in outputs:
        if output.output_type == "stream":
            found[output.name].append(item.sanitize(output.text))
        for kind in ("ename", "evalue"):
            if kind in output:
                found[kind].append(item.sanitize(output[kind]))
        for kind, content in output.get("data", {}).items():
            if kind not in item.parent.skip_compare:
                found[kind].append(
                    item.sanitize(content) if isinstance(content, str) else json.dumps(content, sort_keys=True)
                )
    return {kind: ["".join(contents)] if kind in ("stdout", "stderr") else contents for kind, contents in found.items()}


def _lines(contents: list[str]) -> list[str]:
    return [line for content in contents for line in re.sub(r">\s*<", ">\n<", content).splitlines()]


def _cut(lines: list[str]) -> list[str]:
    lines = [line if len(line) <= 200 else line[:197] + "..." for line in lines]
    return lines if len(lines) <= DIFF_LINES else [*lines[:DIFF_LINES], f"    ... {len(lines) - DIFF_LINES} lines more"]
