"""The record of releases: what each step found, and how it ended. One process at a time releases (`records`).

A release whose process was killed is found by the next one, at the step that it was in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operation import records
from operation.records import Busy, RecordError

__all__ = ["Busy", "Outcome", "RecordError", "Releases"]

BEGUN, RELEASED, REFUSED, ROLLED_BACK = "begun", "released", "refused", "rolled back"
INTERRUPTED, TAKEN_OVER, NOTHING = "interrupted", "taken over", "nothing to release"
"""How it stands with a release: under way; the version answers all; it did not pass the smoke test, and has answered no client; it was taken back; it
was stopped or struck out; who answers was changed by another command meanwhile, which counts; there was none to begin."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A release.

    Attributes:
        number: counts from 1; 0 for one that did not begin.
        at: when it began, as ISO 8601 in UTC.
        version: that is released.
        champion: the version that answered before; None where none did.
        state: see above.
        step: that it is in, or ended in: `smoke`, `shadow`, `canary 10%`, `production`.
        reason: why it ended, a sentence; of one that is under way, why it is being taken back, or nothing.
        found: by step, what it was judged by.
        since: number of the registry's step before it.
        expected: what champion and version said to the rows of the smoke test.
        who: asked for it.
        why: as it was given.
    """

    number: int
    at: str
    version: int
    champion: int | None
    state: str
    step: str = ""
    reason: str = ""
    found: dict[str, str] = dataclasses.field(default_factory=dict)
    since: int = 0
    expected: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    who: str = ""
    why: str = ""

    def __str__(self) -> str:
        """Such as `release 3 (version 1700000101)`."""
        return f"release {self.number} (version {self.version})"


class Releases:
    """The file, and who may write it."""

    def __init__(self, folder: str | Path, now: Callable[[], datetime.datetime]) -> None:
        """Reads nothing yet: the folder is made with the first release. `now` gives the time, with a zone."""
        self.folder, self.now = Path(folder), now
        self.file = self.folder / records.FILE

    def all(self) -> list[Outcome]:
        """All releases, the oldest first.

        Raises:
            RecordError: a line was changed by hand so that it is none; names file and line.
        """
        return records.read(self.file, _outcome, "release")

    def keep(self, outcome: Outcome) -> Outcome:
        """Writes a release, new or as it stands now; only within `alone`."""
        records.write(self.file, [*(one for one in self.all() if one.number != outcome.number), outcome])
        return outcome

    def alone(self, who: str) -> contextlib.AbstractContextManager[str]:
        """For as long as this is entered, no other process releases.

        Raises:
            Busy: another process does; says which.
        """
        return records.alone(self.folder, who, self.time(), "releasing")

    def time(self) -> str:
        """Now, as it is recorded."""
        return records.stamp(self.now())


def _outcome(known: dict[str, Any]) -> Outcome:
    return Outcome(**known | {"expected": tuple(map(tuple, known["expected"]))})
