"""The record of releases: what each step found, and how it ended. One process at a time releases.

A file of JSON lines, written whole each time: beside its place, then moved. So a release whose process was killed is found by the next one, at the
step that it was in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

FILE = "history.jsonl"
LOCK = ".release.lock"

BEGUN, RELEASED, REFUSED, ROLLED_BACK = "begun", "released", "refused", "rolled back"
INTERRUPTED, TAKEN_OVER, NOTHING = "interrupted", "taken over", "nothing to release"
"""How it stands with a release: under way; the version answers all; it did not pass the smoke test, and has answered no client; it was taken back; it
was stopped or struck out; who answers was changed by another command meanwhile, which counts; there was none to begin."""


class Busy(RuntimeError):
    """Another process releases at this moment."""


class RecordError(ValueError):
    """The record of releases cannot be read."""


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
        """Reads nothing yet.

        Args:
            folder: that has it; made with the first release.
            now: the time, with a zone.
        """
        self.folder, self.now = Path(folder), now
        self.file = self.folder / FILE

    def all(self) -> list[Outcome]:
        """All releases, the oldest first.

        Raises:
            RecordError: a line was changed by hand so that it is none; names file and line.
        """
        if not self.file.exists():
            return []
        found = []
        for number, line in enumerate(self.file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                known = json.loads(line)
                expected = tuple(tuple(said) for said in known.pop("expected"))
                found.append(Outcome(**known, expected=expected))  # type: ignore[arg-type]
            except (ValueError, TypeError, KeyError) as error:
                raise RecordError(
                    f"{self.file}, line {number}: no release ({error}). Mend the line, or take it out."
                ) from None
        return found

    def keep(self, outcome: Outcome) -> Outcome:
        """Writes a release, new or as it stands now; only within `alone`."""
        others = [one for one in self.all() if one.number != outcome.number]
        lines = [json.dumps(dataclasses.asdict(one)) + "\n" for one in (*others, outcome)]
        with tempfile.NamedTemporaryFile(
            "w", dir=self.folder, prefix=f".{FILE}.", encoding="utf-8", delete=False
        ) as new:
            try:
                new.writelines(lines)
                new.flush()
                os.fsync(new.fileno())
                os.replace(new.name, self.file)
            except BaseException:
                Path(new.name).unlink(missing_ok=True)
                raise
        return outcome

    @contextlib.contextmanager
    def alone(self, who: str) -> Iterator[None]:
        """For as long as this is entered, no other process releases. The lock ends with its process, however that ends.

        Raises:
            Busy: another process has it; says which.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "Another process"
                raise Busy(f"{owner} is releasing. Nothing was done. Try again when it has ended.") from None
            for unfinished in self.folder.glob(f".{FILE}.*"):  # of a process that was killed while it wrote
                unfinished.unlink(missing_ok=True)
            lock.truncate(0)
            lock.write(f"{who} (process {os.getpid()}, since {self.time()})")
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)

    def time(self) -> str:
        """Now, as it is recorded."""
        return self.now().astimezone(datetime.UTC).isoformat(timespec="seconds")
