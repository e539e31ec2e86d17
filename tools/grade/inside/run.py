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
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

IMPORTS, ASKED, ANSWERED = "COURSE_IMPORTS", "course_answers", "course_answered"
"""How it speaks with the kernel (`kernel.py`)."""
PATIENCE = 8
"""Seconds that an interrupted cell has to end."""
CUT = "\n[... the rest of this output was cut off]\n"
KEPT = ("text/plain", "text/html", "image/png", "image/jpeg")
OUTPUTS = 200
"""Outputs of a cell at most."""
PICTURE = 2 * 2**20
"""Letters of a picture at most."""
ALL = 24 * 2**20
"""Letters that all cells together may show."""
CHECK = 30.0
"""Seconds for reading the answers of a check cell."""


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
    """Jupyter's client, which interrupts a cell that shows without end, and keeps no more of it."""

    flood = seen = 0

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Takes a message of the kernel, as far as there is room for it."""
        if msg["msg_type"] in ("stream", "display_data", "execute_result", "update_display_data", "error"):
            before, self.seen = self.seen, self.seen + len(json.dumps(msg["content"]))
            if before <= self.flood < self.seen:
                self.interrupting = asyncio.ensure_future(self.km.interrupt_kernel())
            if self.seen > self.flood or len(cell.outputs) >= OUTPUTS:
                return None
        return super().process_message(msg, cell, cell_index)


class Runner:
    """The notebook, its kernel, and the clock."""

    def __init__(self, task: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
        """`task`: cells, imports, seconds, cell_seconds, output, flood."""
        self.task, self.send, self.room = task, send, ALL
        self.deadline = time.monotonic() + task["seconds"]
        cells = [new_code_cell(cell.get("source", "")) for cell in task["cells"]]
        manager = Kernels(transport="ipc", ip=f"{tempfile.mkdtemp(prefix='k')}/k")
        settings = {"allow_errors": True, "store_widget_state": False, "record_timing": False}
        settings |= {"shutdown_kernel": "immediate", "startup_timeout": task["seconds"]}
        # A cell that is interrupted and does not end is waited for no longer than PATIENCE.
        settings |= {"timeout_func": self._seconds, "interrupt_on_timeout": True, "iopub_timeout": PATIENCE}
        settings |= {"error_on_timeout": {"ename": "TimeoutError"}, "raise_on_iopub_timeout": True}
        self.client = Client(new_notebook(cells=cells), km=manager, **settings)
        self.client.flood = task["flood"]
        self.client.log.setLevel(logging.CRITICAL)

    def _seconds(self, cell: Any) -> int:
        """Those that a cell has."""
        return max(1, round(min(self.task["cell_seconds"], self.deadline - time.monotonic())))

    async def run(self) -> None:
        """Executes all cells."""
        place, environment = 0, {**os.environ, IMPORTS: " ".join(self.task["imports"])}
        try:
            async with self.client.async_setup_kernel(
                env=environment, cwd=os.getcwd(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cleanup_kc=True
            ):
                for place, cell in enumerate(self.task["cells"]):
                    if cell["kind"] == "check":
                        await self._check(place, cell["answers"])
                    elif cell["kind"] == "code" and cell["source"].strip():
                        await self._code(place)
                self.send({"ended": "end", "cell": place})
        except (CellTimeoutError, TimeoutError):
            self.send({"ended": "time", "cell": place})
        except DeadKernelError:
            self.send({"ended": "kernel", "cell": place})

    async def _code(self, place: int) -> None:
        """Executes a cell."""
        cell, begun = self.client.nb.cells[place], time.monotonic()
        if begun > self.deadline:
            raise TimeoutError
        self.client.seen, seconds, reason = 0, self._seconds(cell), ""
        try:
            await self.client.async_execute_cell(cell, place, store_history=False)
        finally:
            if self.client.seen > self.client.flood:
                reason = f"it showed more than {self.client.flood:,} letters"
            elif time.monotonic() > begun + seconds:
                reason = f"it was not done after {seconds} seconds"
            outputs = self._kept(cell.outputs)
            if reason:
                self.send({"stopped": place, "why": reason})
                note = f"This cell was stopped: {reason}.\n"
                outputs.append({"output_type": "stream", "name": "stderr", "text": note})
            self.send({"cell": place, "outputs": outputs})

    def _kept(self, outputs: list[Any]) -> list[dict[str, Any]]:
        """What is reported of that which a cell has shown: text from its beginning, pictures whole, as far as there is room."""
        room, cut, found = min(self.task["output"], self.room), False, []

        def text(value: str) -> str:
            nonlocal room, cut
            kept, room, before = value[:room], max(0, room - len(value)), cut
            cut = cut or len(kept) < len(value)
            return kept + (CUT if cut and not before else "")

        for output in _joined(outputs):
            if output["output_type"] == "stream":
                # What a carriage return has let be overwritten is not there: progress bars.
                lines = output["text"].split("\n")
                output["text"] = text("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))
            elif output["output_type"] == "error":
                output["evalue"] = text(output["evalue"])
                output["traceback"] = [text(line) for line in output["traceback"][-20:]]
            else:
                shown, output["data"] = output["data"], {}
                for kind in (kind for kind in KEPT if isinstance(shown.get(kind), str)):
                    if kind.startswith("text/"):
                        fits = kind == "text/plain" or len(shown[kind]) <= room
                        output["data"] |= {kind: text(shown[kind])} if fits else {}
                    elif len(shown[kind]) <= min(PICTURE, self.room):
                        output["data"][kind] = shown[kind]
            found.append(output)
        self.room = max(0, self.room - len(json.dumps(found)))
        return found

    async def _check(self, place: int, answers: dict[str, str]) -> None:
        client = self.client.kc
        content = {"code": "", "silent": True, "store_history": False, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": False}
        asked = client.session.msg("execute_request", content, metadata={ASKED: answers})
        client.shell_channel.send(asked)
        reply = await asyncio.wait_for(self.client.async_wait_for_reply(asked["header"]["msg_id"]), CHECK)
        self.send({"check": place, "answers": json.loads(reply["content"].get(ANSWERED) or "{}")})


def _joined(outputs: list[Any]) -> list[dict[str, Any]]:
    """Outputs as JSON carries them, what was printed in one piece; nbclient's `coalesce_streams` takes seconds for a long line."""
    found: list[dict[str, Any]] = []
    for output in json.loads(json.dumps(outputs)):
        if found and output["output_type"] == "stream" and found[-1].get("name") == output["name"]:
            found[-1]["text"] += output["text"]
        else:
            found.append(output)
    return found


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
