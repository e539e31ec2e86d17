"""Clients that keep asking a model server, and what each request got: for lessons that change something under load.

    with load.Clients(server, rows) as clients:
        clients.note("version 2 arrives")
        ...
    clients.answers

Light to import, and no measure of how fast a server can be: client and server share a machine, and the clients are Python. `make bench` measures.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from serving import request_log
from serving.process import Reply, Server

if TYPE_CHECKING:
    import pandas as pd

STATES = ("AVAILABLE", "LOADING", "END")
"""Of versions that are not refused."""


class Answer(NamedTuple):
    """What a request got.

    Attributes:
        at: seconds from the first request to the answer.
        seconds: that it took.
        status: of HTTP; 0 where there was no answer at all.
        version: of the model that answered; 0 where none did.
    """

    at: float
    seconds: float
    status: int
    version: int


class Clients:
    """Some clients, a thread each, that ask about one row after the other until the block ends."""

    def __init__(
        self, server: Server, rows: Sequence[Mapping[str, Any]], clients: int = 2, pause: float = 0.01
    ) -> None:
        """Asks nothing yet.

        Args:
            server: that is asked.
            rows: that are asked about, one a request, from the first again after the last.
            clients: how many ask at the same time.
            pause: seconds that a client waits after an answer.
        """
        self.answers: list[Answer] = []
        self.notes: list[tuple[float, str]] = []
        self._server, self._pause, self._begun = server, pause, time.perf_counter()
        self._bodies = [body(row) for row in rows]
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._keep_asking, args=(one,), daemon=True) for one in range(clients)]

    def __enter__(self) -> Self:
        """Begins to ask."""
        self._begun = time.perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the last answers."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def note(self, what: str) -> None:
        """Keeps what happens now, for a figure."""
        self.notes.append((time.perf_counter() - self._begun, what))

    def answered(self, version: int, number: int, timeout: float = 60) -> None:
        """Waits until a version has given so many answers more.

        Raises:
            TimeoutError: it has not.
        """
        until, begun = time.monotonic() + timeout, len(self.answers)
        while sum(one.version == version for one in self.answers[begun:]) < number:
            if time.monotonic() > until:
                raise TimeoutError(f"version {version} has not given {number} answers in {timeout:g} seconds.")
            time.sleep(0.05)

    def refused(self, version: int, timeout: float = 60) -> str:
        """Waits until the server has refused a version, and gives the reason.

        Raises:
            TimeoutError: it has not.
        """
        until = time.monotonic() + timeout
        while (said := self._server.versions().get(version, "END")) in STATES:
            if time.monotonic() > until:
                raise TimeoutError(f"version {version} is {said} after {timeout:g} seconds, and not refused.")
            time.sleep(0.1)
        return said

    def _keep_asking(self, first: int) -> None:
        for asked in itertools.islice(itertools.cycle(self._bodies), first, None):
            if self._ended.wait(self._pause):
                return
            self.answers.append(ask(self._server, asked, self._begun))


def body(*rows: Mapping[str, Any]) -> bytes:
    """The body of a request about some rows."""
    return json.dumps({"instances": rows}).encode()


def ask(server: Server, asked: bytes, begun: float = 0.0) -> Answer:
    """One request; an answer too where the server cannot be reached.

    Args:
        server: that is asked.
        asked: the body.
        begun: from when `Answer.at` counts, by `time.perf_counter`.
    """
    start = time.perf_counter()
    try:
        reply = server.send("POST", f"/v1/models/{server.name}:predict", asked)
    except OSError:
        reply = Reply(0, None, {})
    end = time.perf_counter()
    return Answer(end - begun, end - start, reply.status, int(reply.headers.get("x-model-version", 0)))


def seconds(server: Server, bodies: Sequence[bytes], clients: int) -> list[float]:
    """How long each of some requests takes, while so many clients ask as fast as they can.

    Raises:
        RuntimeError: one was not answered with a prediction.
    """
    found: list[Answer] = []

    def work(first: int) -> None:
        found.extend([ask(server, one) for one in bodies[first::clients]])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bad := [one.status for one in found if one.status != 200]:
        raise RuntimeError(f"{len(bad)} of {len(found)} requests were not answered; the first got {bad[0]}")
    return [one.seconds for one in found]


def logged(file: Path, ids: str, number: int, timeout: float = 60) -> pd.DataFrame:
    """The lines of a log of requests whose ids begin so, when that many are there: the shadow is asked after the client has its answer.

    Raises:
        TimeoutError: there are fewer.
    """
    import pandas as pd

    until = time.monotonic() + timeout
    while len(lines := [one for one in request_log.read(file) if one["id"].startswith(ids)]) < number:
        if time.monotonic() > until:
            raise TimeoutError(f"{file}: {len(lines)} of {number} lines after {timeout:g} seconds.")
        time.sleep(0.1)
    return pd.DataFrame(lines)
