"""What Alertmanager tells of alerts, taken on this machine: a stand-in for the pager and for the tickets.

The body of its requests: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LARGEST = 4 * 2**20
"""Bytes of a request that are taken at most."""


@dataclasses.dataclass(frozen=True)
class Notice:
    """An alert that has begun, goes on, or has ended.

    Attributes:
        receiver: who is told, by the path that Alertmanager's configuration names: `page` or `ticket`.
        status: `firing` or `resolved`.
        since: when it began, as Alertmanager writes it.
        until: when it ended; empty while it fires.
        labels: of the alert, its name as `alertname` among them.
        annotations: what it says, and what to do.
    """

    receiver: str
    status: str
    since: str
    until: str
    labels: dict[str, str]
    annotations: dict[str, str]


Tell = Callable[[Notice], None]


def sentence(notice: Notice) -> str:
    """A notice in a line."""
    name, said = notice.labels.get("alertname", "?"), notice.annotations
    if notice.status == "resolved":
        return f"{notice.receiver}: {name} is over. It was: {said.get('summary', '')}".rstrip()
    return f"{notice.receiver}: {name}. {said.get('summary', '')} {said.get('action', '')}".rstrip()


def read(file: Path) -> list[Notice]:
    """The notices that a receiver has kept, in the order in which they came; none where there is no file."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Notice(**json.loads(line)) for line in lines]


class Receiver(http.server.ThreadingHTTPServer):
    """Takes what Alertmanager sends, at a free port of 127.0.0.1, and keeps it in a file."""

    daemon_threads = False  # closed, it has told all that it has kept

    def __init__(self, file: Path, tell: Tell) -> None:
        """Listens, and answers as soon as it is `running`: the file has a line for each notice, and `tell` is called with it."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self._file, self._tell, self._lock = file, tell, threading.Lock()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return "{}:{}".format(*self.server_address[:2])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Answers until the block ends."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()

    def take(self, receiver: str, body: Any) -> None:
        """Keeps the alerts of a request.

        Raises:
            KeyError, TypeError, AttributeError: it is not what Alertmanager sends.
        """
        found = []
        for one in body["alerts"]:
            until = one["endsAt"] if one["status"] == "resolved" else ""
            told = dict(one["labels"]), dict(one["annotations"])
            found.append(Notice(receiver, one["status"], one["startsAt"], until, *told))
        with self._lock, self._file.open("a", encoding="utf-8") as kept:
            for notice in found:
                kept.write(json.dumps(dataclasses.asdict(notice)) + "\n")
        for notice in found:
            self._tell(notice)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver
    timeout = 10

    def do_POST(self) -> None:
        try:
            size = int(self.headers.get("content-length") or 0)
            if not 0 <= size <= LARGEST:
                raise ValueError
            self.server.take(self.path.strip("/"), json.loads(self.rfile.read(size)))
        except (ValueError, KeyError, TypeError, AttributeError):
            self.send_error(400)
            return
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: what is told is in the file."""
