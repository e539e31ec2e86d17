"""The clients: they ask about each flight of a month once, in requests with ids, and note what they got.

A request that was answered is in the server's log. So after a kill, whichever side it hit, the clients ask again about those rows, and only those, that the
log has not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flights import data
from flights.columns import KEY, LABEL
from operation.served_log import SHADOW
from serving import request_log
from serving.process import RequestRefused

REQUESTS = 300
"""Of a month, at least; a release needs some 200 to judge a version by."""

MOST_ROWS = 100
"""Of a request."""

BAD = 4
"""Requests of a month that ask what cannot be: a departure at 25:75."""

TRIES = 50
"""How often a request that failed is asked again, each time under an id of its own, which may bring it to another version."""

ANSWERED, REFUSED = 200, 400

Row = Mapping[str, Any]


class Asked(Protocol):
    """Answers requests (`serving.process.Client`)."""

    def ask(self, rows: Sequence[Row], version: int | None = None, request_id: str | None = None) -> list[float]:
        """Predictions for rows."""
        ...


class Note(NamedTuple):
    """What became of a request.

    Attributes:
        id: of the request.
        rows: that it asked about.
        status: of HTTP.
    """

    id: str
    rows: int
    status: int


class Clients:
    """Those of one month."""

    def __init__(self, month: int, rows: Sequence[Row], journal: Path, log: Path) -> None:
        """Finds out what was asked before a kill.

        Args:
            month: its number.
            rows: of the month, in the order in which they are asked about.
            journal: file in which the clients note what they got.
            log: the server's log of requests; no server may be writing it now.
        """
        self._journal, prefix = journal, f"{month:02d}-"
        self.month, size = month, max(1, min(MOST_ROWS, len(rows) // REQUESTS))
        self._noted = {note.id for note in notes(journal) if note.id.startswith(prefix)}
        logged = _logged(log, prefix)
        for name in sorted(logged.keys() - self._noted):  # answered, and killed before that was noted
            self._note(Note(name, len(logged[name]), ANSWERED))
        answered = set[tuple[Any, ...]]().union(*logged.values())
        requests = [
            (f"{prefix}{first // size + 1:04d}", rows[first : first + size]) for first in range(0, len(rows), size)
        ]
        self.total = len(requests)
        self._left = [
            (name, left) for name, part in requests if (left := [row for row in part if key(row) not in answered])
        ]
        bad = [f"{prefix}bad-{number}" for number in range(1, BAD + 1)]
        self._bad = [name for name in bad if name not in self._noted]

    @property
    def left(self) -> int:
        """Requests that are still to be sent, but for those that cannot be answered."""
        return len(self._left)

    @property
    def passed(self) -> float:
        """The share of the month's requests that were answered."""
        return 1 - self.left / self.total

    def send(self, server: Asked, count: int) -> None:
        """Sends the next ones; those that ask what cannot be are spread over the month.

        Raises:
            RuntimeError: a request fails however often it is asked, or one that cannot be answered is.
        """
        for _ in range(min(count, self.left)):
            if self._bad and self.passed > 1 - len(self._bad) / BAD:
                self._send_bad(server)
            name, rows = self._left[0]
            self._send(server, name, rows)
            del self._left[0]
        while self._bad and not self._left:
            self._send_bad(server)

    def _send(self, server: Asked, name: str, rows: Sequence[Row]) -> None:
        for one in (name, *(f"{name}-again-{number}" for number in range(1, TRIES))):
            if one in self._noted:
                continue
            if (status := _status(server, rows, one)) < 500:
                if status != ANSWERED:
                    raise RuntimeError(f"Request {one}, about flights that there were, is answered with {status}.")
                return self._note(Note(one, len(rows), status))
            self._note(Note(one, len(rows), status))
        raise RuntimeError(f"Request {name} has failed {TRIES} times.")

    def _send_bad(self, server: Asked) -> None:
        name, row = (
            self._bad[0],
            {"weekday": 1, "sched_dep_time": 2575, "carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565},
        )
        if (status := _status(server, [row], name)) != REFUSED:
            raise RuntimeError(f"Request {name} asks about a departure at 25:75, and is answered with {status}.")
        self._note(Note(name, 1, status))
        del self._bad[0]

    def _note(self, note: Note) -> None:
        self._noted.add(note.id)
        with self._journal.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(note._asdict()) + "\n")


def rows_of(data_root: str | Path, month: int) -> list[dict[str, Any]]:
    """The flights of a month, day by day, as clients send them: without the label, and without what is not known."""
    flights = data.read_month(data_root, month).drop(columns=LABEL).sort_values("day", kind="stable").astype(object)
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in flights.where(flights.notna(), None).to_dict("records")
    ]


def notes(journal: Path) -> list[Note]:
    """What the clients got; a line that a kill has left half written is cut off."""
    if not journal.exists():
        return []
    text = journal.read_text(encoding="utf-8")
    if not text.endswith("\n") and text:
        text = text[: text.rfind("\n") + 1]
        journal.write_text(text, encoding="utf-8")
    return [Note(**json.loads(line)) for line in text.splitlines()]


def key(row: Row) -> tuple[Any, ...]:
    """By which a row is told from all others."""
    return tuple(row.get(name) for name in KEY)


def _logged(log: Path, prefix: str) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of a month that clients have an answer for, by the request."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    for line in request_log.read(log):
        if line["role"] != SHADOW and line["id"].startswith(prefix):
            found.setdefault(line["id"], set()).add(key(line))
    return found


def _status(server: Asked, rows: Sequence[Row], name: str) -> int:
    try:
        server.ask(rows, request_id=name)
    except RequestRefused as error:
        return error.status
    return ANSWERED
