"""TensorBoard inside a lesson: a server on this machine only, shown in the notebook, stopped when you say so."""

from __future__ import annotations

import atexit
import html
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from course import live

SECONDS = 60
"""For how long a server may take to start."""

_SERVER = """
import os, sys, threading, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from tensorboard.main import run_main
run_main()
"""
"""TensorBoard, which ends when its input does: with the kernel, even if that is killed.

With a module `notf`, it reads logs by itself (`tensorboard.compat`) instead of importing TensorFlow, which takes most of the time of its start.
"""


class Board:
    """A running TensorBoard. As the last expression of a cell it shows itself where a person is watching."""

    def __init__(self, logs: str | Path | dict[str, str | Path]) -> None:
        """Starts the server on a free port of 127.0.0.1 and waits until it answers.

        Args:
            logs: a folder with event files, anywhere below; or several of them by the name under which they are to appear.

        Raises:
            FileNotFoundError: a folder is not there.
            RuntimeError: the server did not start; holds what it said.
        """
        folders = {"": logs} if isinstance(logs, str | Path) else dict(logs)
        for folder in folders.values():
            if not Path(folder).is_dir():
                raise FileNotFoundError(f"{folder}: no such folder of logs.")
        named = ",".join(f"{name}:{folder}" for name, folder in folders.items())
        where = ["--logdir_spec", named] if "" not in folders else ["--logdir", str(folders[""])]
        command = [sys.executable, "-c", _SERVER, *where, "--host", "127.0.0.1", "--port", "0"]
        # Without its data server: it is a second process, and for a few runs no faster.
        self._process = subprocess.Popen(
            [*command, "--load_fast", "false"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.stop)
        self.url = self._address()

    def _address(self) -> str:
        """Where it listens, from what it says when it starts; reads on in the background, so that it never blocks."""
        said: list[str] = []
        found, stream = threading.Event(), self._process.stderr

        def read() -> None:
            for line in stream or ():
                said.append(line)
                if "http://" in line:
                    found.set()
            found.set()

        threading.Thread(target=read, daemon=True).start()
        found.wait(SECONDS)
        address = re.search(r"http://[\w.]+:\d+/", "".join(said))
        if not address:
            self.stop()
            raise RuntimeError(f"TensorBoard did not start. It said: {''.join(said).strip() or 'nothing'}")
        return address.group()

    def running(self) -> bool:
        """Whether the server is alive."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the server; may be called twice."""
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        atexit.unregister(self.stop)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        state = "TensorBoard is running, on this machine only." if self.running() else "TensorBoard has stopped."
        if not (live.front_end() and self.running()):
            return {"text/plain": state}
        frame = (
            f'<iframe src="{html.escape(self.url)}" width="100%" height="640" style="border: 0" '
            'title="TensorBoard"></iframe>'
        )
        return {"text/plain": state, "text/html": frame}

    def __repr__(self) -> str:
        """Whether it runs; no address, since the port is another one each time."""
        return self._repr_mimebundle_()["text/plain"]
