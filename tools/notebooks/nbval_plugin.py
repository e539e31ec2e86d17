"""A pytest plugin beside nbval: the same comparison, told in plain words and written to a file.

nbval (the pytest plugin that re-executes a notebook and compares its outputs) numbers code cells from 0 and prints
escape codes; `run` reads this plugin's JSON instead. The path of that file is in the variable COURSE_NBVAL_REPORT.

It also ends a notebook whose time is up or whose kernel has died: nbval alone gives each cell the full time, and waits for
the answer of a dead kernel until then.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import time
from collections import defaultdict
from queue import Empty
from typing import Any

import pytest
from nbval.kernel import RunningKernel

from tools.notebooks import execute

REPORT = "COURSE_NBVAL_REPORT"
OUTPUT_TIMEOUT = 60
"""Seconds that a cell's output may be late after its reply; nbval's own 5 are too few on a busy machine."""
DIFF_LINES = 24

_records: list[dict[str, Any]] = []
_await_reply = RunningKernel.await_reply


class KernelDied(Exception):
    """The notebook's kernel is gone."""


def await_reply(kernel: RunningKernel, msg_id: str, timeout: float | None = None) -> None:
    """Waits for a cell's reply as nbval does, and looks now and then whether the kernel is still there."""
    deadline = time.monotonic() + (timeout if timeout is not None else float("inf"))
    while True:
        try:
            return _await_reply(kernel, msg_id, timeout=max(0.1, min(2.0, deadline - time.monotonic())))
        except Empty:
            if not kernel.is_alive():
                raise KernelDied("the kernel died (out of memory, or a crash in a library)") from None
            if time.monotonic() >= deadline:
                raise


def pytest_configure(config: pytest.Config) -> None:
    """Starts the clock of the notebook: the time for a cell, as nbval gets it, is here the time for all of them."""
    RunningKernel.await_reply = await_reply
    config.stash[_DEADLINE] = time.monotonic() + config.option.nbval_cell_timeout
    config.stash[_SECONDS] = config.option.nbval_cell_timeout


_DEADLINE = pytest.StashKey[float]()
_SECONDS = pytest.StashKey[float]()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Gives slow machines time for their outputs."""
    for item in items:
        item.output_timeout = OUTPUT_TIMEOUT


def pytest_runtest_setup(item: Any) -> None:
    """Gives a cell the time that is left of the notebook's."""
    item.config.option.nbval_cell_timeout = max(1.0, item.config.stash[_DEADLINE] - time.monotonic())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    """Records the result of each cell."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" or report.failed:
        record = {"cell": _index(item), "outcome": report.outcome, "seconds": round(call.duration, 2)}
        record["compared"] = bool(item.options["check"] and item.cell.outputs)
        if report.failed:
            record["message"] = _message(item, call.excinfo.value)
        _records.append(record)
    if item.parent.timed_out or (call.excinfo and isinstance(call.excinfo.value, KernelDied)):
        item.session.shouldstop = "nothing after this cell can run"


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
    raised = next((output for output in item.test_outputs or [] if output.output_type == "error"), None)
    if item.parent.timed_out:
        return f"{where}: it was not done after {item.config.stash[_SECONDS]:.0f} seconds."
    if raised is not None and not item.options["check_exception"]:
        return f"{where} failed.\n  {raised.ename}: {raised.evalue}"
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
