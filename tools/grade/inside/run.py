"""Executes the cells of a submission one after the other, and reports what they show and answer on standard output, a line of JSON each.

    {"cell": 4, "outputs": [...]}                    what a cell showed
    {"check": 6, "answers": {"column": {"value": "arr_delay"}}}
    {"stopped": 8, "why": "..."}                     a cell was stopped
    {"ended": "time", "cell": 9}                     how it ended: "end", "time", "kernel"
    {"failed": "..."}                                this program failed

Errors do not end it: as in grading with nbgrader, the cells after one that raised are executed too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

FLOOD, IMPORTS, ASKED, ANSWERED = "COURSE_FLOOD", "COURSE_IMPORTS", "course_answers", "course_answered"
"""How it speaks with the kernel (`kernel.py`)."""
PATIENCE = 5.0
"""Seconds that an interrupted cell has to end."""
INTERRUPTS = 2
"""So many cells that do not end in time are enough."""
KEPT = ("text/plain", "text/html", "image/png", "image/jpeg")
OUTPUTS = 200
"""Outputs of a cell at most."""
PICTURE = 2 * 2**20
"""Letters of a picture at most."""
ALL = 24 * 2**20
"""Letters that all cells together may show."""
CHECK = 30.0
"""Seconds for reading the answers of a check cell."""


class TimeOver(Exception):
    """The time of the cell, or of the notebook, is over."""


class Kernels(AsyncKernelManager):
    """Starts the grader's kernel."""

    kernel_spec = KernelSpec(
        argv=[
            *(sys.executable, "-P", str(Path(__file__).with_name("kernel.py")), "-f", "{connection_file}"),
            *("--IPKernelApp.log_level=50", "--HistoryManager.enabled=False"),
        ],
        language="python",
    )


class Client(NotebookClient):
    """Jupyter's client, which keeps of what a cell shows only so much."""

    most = seen = letters = 0
    cut = False
    flooded: asyncio.Event

    def begin(self, most: int) -> None:
        """Before a cell: so many letters of it are kept."""
        self.most, self.seen, self.letters, self.cut, self.flooded = most, 0, 0, False, asyncio.Event()

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Takes a message of the kernel, as far as there is room for it."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            content["text"] = self._text(content["text"])
        elif msg["msg_type"] == "error":
            content["evalue"] = self._text(content["evalue"])
            content["traceback"] = [self._text(line) for line in content["traceback"][-20:]]
        elif msg["msg_type"] == "clear_output":
            self.letters = 0
        elif "data" in content:
            content["data"] = self._data(content["data"])
        if self.seen > 2 * self.task["flood"]:  # what is printed has met a limit in the kernel before
            self.flooded.set()
        if msg["msg_type"] in ("stream", "display_data") and (
            len(cell.outputs) >= OUTPUTS or content.get("text") == ""
        ):
            return None
        return super().process_message(msg, cell, cell_index)

    def _data(self, data: dict[str, Any]) -> dict[str, Any]:
        kept = {}
        for kind in KEPT:
            value = data.get(kind)
            if not isinstance(value, str):
                continue
            if kind.startswith("image/"):
                self.seen += len(value)
                if len(value) <= PICTURE:
                    kept[kind] = value
            elif kind == "text/plain" or len(value) <= self.most - self.letters:
                kept[kind] = self._text(value)
        return kept

    def _text(self, text: str) -> str:
        self.seen += len(text)
        room = max(self.most - self.letters, 0)
        self.letters += min(len(text), room)
        if len(text) <= room:
            return text
        note, self.cut = "" if self.cut else "\n[... the rest of this output was cut off]\n", True
        return text[:room] + note


class Runner:
    """The notebook, its kernel, and the clock."""

    def __init__(self, task: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
        """`task`: cells, imports, seconds, cell_seconds, output, flood."""
        self.task, self.send, self.shown = task, send, 0
        self.deadline = time.monotonic() + task["seconds"]
        cells = [new_code_cell(cell.get("source", "")) for cell in task["cells"]]
        manager = Kernels(transport="ipc", ip=f"{tempfile.mkdtemp(prefix='k')}/k")
        quiet = {"store_widget_state": False, "record_timing": False, "coalesce_streams": True}
        quiet |= {"shutdown_kernel": "immediate", "startup_timeout": task["seconds"]}
        self.client = Client(new_notebook(cells=cells), km=manager, allow_errors=True, timeout=None, **quiet)
        self.client.iopub_timeout, self.client.task = PATIENCE, task
        self.client.log.setLevel(logging.CRITICAL)

    async def run(self) -> None:
        """Executes all cells."""
        place, interrupted = 0, 0
        environment = {**os.environ, FLOOD: str(self.task["flood"]), IMPORTS: " ".join(self.task["imports"])}
        try:
            async with self.client.async_setup_kernel(
                env=environment, cwd=os.getcwd(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cleanup_kc=True
            ):
                for place, cell in enumerate(self.task["cells"]):
                    if cell["kind"] == "check":
                        await self._check(place, cell["answers"])
                    elif cell["kind"] == "code" and cell["source"].strip() and not await self._code(place):
                        interrupted += 1
                        if interrupted == INTERRUPTS:
                            raise TimeOver
                self.send({"ended": "end", "cell": place})
        except TimeOver:
            self.send({"ended": "time", "cell": place})
        except DeadKernelError:
            self.send({"ended": "kernel", "cell": place})

    async def _code(self, place: int) -> bool:
        """Executes a cell. Returns whether it ended by itself."""
        cell, seconds = self.client.nb.cells[place], self.task["cell_seconds"]
        self.client.begin(min(self.task["output"], max(ALL - self.shown, 0)))
        left = self.deadline - time.monotonic()
        running = asyncio.ensure_future(self.client.async_execute_cell(cell, place, store_history=False))
        flood = asyncio.ensure_future(self.client.flooded.wait())
        reason = None
        try:
            await asyncio.wait((running, flood), timeout=min(seconds, left), return_when=asyncio.FIRST_COMPLETED)
            if flood.done():
                reason = f"it showed more than {2 * self.task['flood']:,} letters"
            elif not running.done() and seconds < left:
                reason = f"it was not done after {seconds:.0f} seconds"
            elif not running.done():
                reason = f"the time of the notebook, {self.task['seconds']:.0f} seconds, was over"
            if reason and not running.done():
                await self.client.km.interrupt_kernel()
                if not (await asyncio.wait((running,), timeout=PATIENCE))[0]:
                    raise TimeOver
            await running
            return reason is None
        finally:
            flood.cancel()
            running.cancel()
            outputs = [_plain(output) for output in cell.outputs]
            if reason:
                self.send({"stopped": place, "why": reason})
                note = f"This cell was stopped: {reason}.\n"
                outputs.append({"output_type": "stream", "name": "stderr", "text": note})
            pictures = [
                text for output in outputs for kind, text in output.get("data", {}).items() if kind[:5] == "image"
            ]
            self.shown += self.client.letters + sum(map(len, pictures))
            self.send({"cell": place, "outputs": outputs})

    async def _check(self, place: int, answers: dict[str, str]) -> None:
        client = self.client.kc
        content = {"code": "", "silent": True, "store_history": False, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": False}
        asked = client.session.msg("execute_request", content, metadata={ASKED: answers})
        client.shell_channel.send(asked)
        try:
            reply = await asyncio.wait_for(self.client.async_wait_for_reply(asked["header"]["msg_id"]), CHECK)
        except TimeoutError:
            raise TimeOver from None
        self.send({"check": place, "answers": json.loads(reply["content"].get(ANSWERED) or "{}")})


def _plain(output: Any) -> dict[str, Any]:
    """An output as JSON carries it."""
    return json.loads(json.dumps(output))


def main() -> None:
    """Reads the task from a file, executes it."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if task["given"]:
        subprocess.run(["cp", "-R", f"{task['given']}/.", "."], check=False)

    def send(line: dict[str, Any]) -> None:
        stream.write(json.dumps(line).encode() + b"\n")
        stream.flush()

    try:
        asyncio.run(Runner(task, send).run())
    except Exception as error:
        send({"failed": f"{type(error).__name__}: {error}"})
    os._exit(0)  # a kernel that does not end is ended from outside


if __name__ == "__main__":
    main()
