"""Executes the cells of a submission one after the other, and sends what they show and answer to descriptor 3, a line each.

    {"cell": 4, "outputs": [...]}                    what a cell showed
    {"check": 6, "answers": {"column": {"value": "arr_delay"}}}
    {"stopped": 8, "why": "..."}                     a cell was stopped
    {"ended": "time", "cell": 9}                     how it ended: "end", "time", "kernel"
    {"failed": "..."}                                this program failed

Errors do not end it: as in grading with nbgrader, the cells after one that raised are executed too.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from nbformat.v4 import output_from_msg

from tools.grade.confine import system
from tools.grade.confine.plan import FLOOD
from tools.grade.inside import forked
from tools.grade.inside.kernel import ANSWERED, ASKED

PATIENCE = 5.0
"""Seconds that an interrupted cell has to end."""
INTERRUPTS = 2
"""So many cells that do not end in time are enough."""
KEPT = ("text/plain", "text/html", "image/png", "image/jpeg")
PICTURE = 2 * 2**20
"""Letters of a picture at most."""
ALL = 24 * 2**20
"""Letters that all cells together may show."""
START = 90.0


class KernelEnded(Exception):
    """There is no kernel any more."""


class TimeOver(Exception):
    """The time of the cell, or of the notebook, is over."""


class Shown:
    """What one cell shows, up to the limits."""

    def __init__(self, most: int) -> None:
        """`most`: letters that are kept."""
        self.most, self.letters, self.seen, self.cut = most, 0, 0, False
        self.outputs: list[dict[str, Any]] = []
        self.places: dict[str, dict[str, Any]] = {}
        self.clear = False

    def take(self, message: dict[str, Any]) -> None:
        """Takes a message of the kernel."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self.clear = True
            if not content.get("wait"):
                self._clear()
        elif kind == "update_display_data":
            place = self.places.get(content.get("transient", {}).get("display_id"))
            if place is not None:
                place["data"] = self._data(content.get("data", {}))
        elif kind in ("stream", "display_data", "execute_result", "error"):
            self._clear() if self.clear else None
            self._add(kind, message)

    def _clear(self) -> None:
        self.outputs, self.clear, self.letters = [], False, 0

    def _add(self, kind: str, message: dict[str, Any]) -> None:
        output = dict(output_from_msg(message))
        if kind == "stream":
            output["text"] = self._text(output["text"])
            last = self.outputs[-1] if self.outputs else {}
            if last.get("output_type") == "stream" and last.get("name") == output["name"]:
                last["text"] += output["text"]
                return
            if not output["text"]:
                return
        elif kind == "error":
            output["evalue"] = self._text(output["evalue"])
            output["traceback"] = [self._text(line) for line in output["traceback"][-20:]]
        else:
            output["data"] = self._data(output["data"])
            where = message["content"].get("transient", {}).get("display_id")
            if where:
                self.places[where] = output
        if len(self.outputs) < 200:
            self.outputs.append(output)

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


class Forked:
    """A child of this process that was forked before this program began."""

    def __init__(self, pid: int) -> None:
        """Knows it by its process id."""
        self.pid, self.status = pid, None

    def poll(self) -> int | None:
        """Its status, once it has ended."""
        if self.status is None and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.status = 0
        return self.status

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it."""
        self.send_signal(signal.SIGKILL)


class Runner:
    """The kernel, and the clock."""

    def __init__(
        self, task: dict[str, Any], send: Callable[[dict[str, Any]], None], forked: Sequence[str] = ()
    ) -> None:
        """`task`: cells, seconds, cell_seconds, output, flood. `forked`: process id and connection file of a kernel that is there already."""
        self.task, self.send, self.forked = task, send, forked
        self.deadline = time.monotonic() + task["seconds"]
        self.shown = 0

    def run(self) -> None:
        """Executes all cells."""
        place, interrupted = 0, 0
        self.process: subprocess.Popen[bytes] | Forked | None = None
        try:
            self._start()
            for place, cell in enumerate(self.task["cells"]):
                if cell["kind"] == "check":
                    self._check(place, cell["answers"])
                elif cell["kind"] == "code" and not self._code(place, cell["source"]):
                    interrupted += 1
                    if interrupted == INTERRUPTS:
                        raise TimeOver
            self.send({"ended": "end", "cell": place})
        except TimeOver:
            self.send({"ended": "time", "cell": place})
        except KernelEnded:
            self.send({"ended": "kernel", "cell": place})
        finally:
            if self.process is not None:
                self.process.kill()

    def _start(self) -> None:
        if self.forked:
            pid, file = self.forked
            self.process = Forked(int(pid))
        else:
            file = forked.connection()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tools.grade.inside.kernel", "-f", file, *forked.OPTIONS],
                env={**os.environ, "JPY_PARENT_PID": str(os.getpid()), FLOOD: str(self.task["flood"])},
                stdin=subprocess.DEVNULL,
                start_new_session=self.task["namespaces"],
            )
        self.client = BlockingKernelClient(connection_file=file)
        self.client.load_connection_file()
        self.client.start_channels(hb=False, control=False, stdin=False)
        limit = time.monotonic() + START
        replied = heard = False
        while not (replied and heard):  # what is shown before the kernel knows of our ears is lost
            self._alive()
            if time.monotonic() > limit:
                raise KernelEnded
            self.client.kernel_info()
            with contextlib.suppress(queue.Empty):
                replied = bool(self.client.get_shell_msg(timeout=1))
            with contextlib.suppress(queue.Empty):
                heard = bool(self.client.get_iopub_msg(timeout=0.2))

    def _alive(self) -> None:
        if self.process.poll() is not None:
            raise KernelEnded

    def _request(self, code: str, metadata: dict[str, Any]) -> str:
        content = {"code": code, "silent": bool(metadata), "store_history": False, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": False}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def _code(self, place: int, source: str) -> bool:
        """Executes a cell. Returns whether it ended by itself."""
        shown = Shown(min(self.task["output"], max(ALL - self.shown, 0)))
        asked = self._request(source, {})
        limit = min(time.monotonic() + self.task["cell_seconds"], self.deadline)
        reason, reply, idle = None, None, False
        try:
            done = 0.0
            while not (reply and (idle or time.monotonic() > done + PATIENCE)):
                if reason is None and (reason := self._reason(shown, limit)):
                    self.process.send_signal(signal.SIGINT)
                    limit = time.monotonic() + PATIENCE
                elif reason is not None and time.monotonic() > limit:
                    raise TimeOver
                idle = self._listen(asked, shown, idle)
                if reply is None:
                    reply, done = self._reply(asked), time.monotonic()
            return reason is None
        finally:
            if reason:
                self.send({"stopped": place, "why": reason})
                note = f"This cell was stopped: {reason}.\n"
                shown.outputs.append({"output_type": "stream", "name": "stderr", "text": note})
            self.shown += shown.letters + sum(len(text) for output in shown.outputs for text in _pictures(output))
            self.send({"cell": place, "outputs": shown.outputs})

    def _reason(self, shown: Shown, limit: float) -> str | None:
        """Why the cell has to be stopped, if it has."""
        if time.monotonic() > self.deadline:
            return f"the time of the notebook, {self.task['seconds']:.0f} seconds, was over"
        if time.monotonic() > limit:
            return f"it was not done after {self.task['cell_seconds']:.0f} seconds"
        if shown.seen > self.task["flood"]:
            return f"it printed more than {self.task['flood']:,} letters"
        return None

    def _check(self, place: int, answers: dict[str, str]) -> None:
        asked = self._request("", {ASKED: answers})
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            self._listen(asked, None, True)
            reply = self._reply(asked)
            if reply:
                self.send({"check": place, "answers": json.loads(reply["content"].get(ANSWERED) or "{}")})
                return
        raise TimeOver

    def _listen(self, asked: str, shown: Shown | None, idle: bool) -> bool:
        """Takes what the kernel shows; returns whether it has said that the request is done."""
        for turn in range(500):
            try:
                message = self.client.get_iopub_msg(timeout=0 if turn or idle else 0.1)
            except queue.Empty:
                break
            if message["parent_header"].get("msg_id") != asked:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return True
            if shown is not None:
                shown.take(message)
        return idle

    def _reply(self, asked: str) -> dict[str, Any] | None:
        try:
            message = self.client.get_shell_msg(timeout=0.05)
        except queue.Empty:
            self._alive()
            return None
        return message if message["parent_header"].get("msg_id") == asked else None


def _pictures(output: dict[str, Any]) -> list[str]:
    return [text for kind, text in output.get("data", {}).items() if kind.startswith("image/")]


def main() -> None:
    """Reads the task from a file, executes it."""
    if sys.platform == "linux":
        system.hide_memory()  # the kernel is of the same user
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    stream = os.fdopen(3, "wb")
    os.set_inheritable(3, False)  # not for the kernel

    def send(line: dict[str, Any]) -> None:
        stream.write(json.dumps(line).encode() + b"\n")
        stream.flush()

    try:
        Runner(task, send, sys.argv[2:]).run()
    except Exception as error:
        send({"failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
