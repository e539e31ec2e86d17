"""How far the year is: one file of JSON, written whole after each step, so that a year that was killed goes on at the step it was in."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE, LOCK = "state.json", ".year.lock"

STEPS = ("release", "traffic", "labels", "watch", "retrain")
"""Of a month in service, in their order. Each can be done again after a kill, and does nothing twice."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the year is made of.

    Attributes:
        data_root: folder of the flights that clients ask about, and that are delivered when a month is over.
        first: month in service; those before it are learned from first.
        last: month in service.
        refused: month whose file is delivered in another unit; 0: none.
        spoilt: month from which on the next version that is trained fails in canary; 0: none.
        engine: that runs the pipeline of a retraining: `local` or `airflow`.
        policy: file of the policy; empty: that of the package.
        settings: of the pipeline, beside its defaults.
    """

    data_root: str
    first: int = 3
    last: int = 12
    refused: int = 6
    spoilt: int = 7
    engine: str = "local"
    policy: str = ""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses what is no year."""
        if not 2 <= self.first <= self.last <= 12:
            raise ValueError(
                f"Months in service {self.first} to {self.last}: write some of 2 to 12, since those before the first are learned from."
            )
        if self.engine not in ("local", "airflow"):
            raise ValueError(f"ENGINE={self.engine}: write local or airflow.")


@dataclasses.dataclass
class State:
    """Where the year is.

    Attributes:
        folder: of the year.
        plan: of the year; another one needs another folder.
        month: in service; 0: none was yet.
        step: that is to be done next.
        spoilt: month with whose labels the spoilt version was trained; 0: not yet.
        server: number of the latest server's process.
        seen: by month, what was said and what happened, and which alerts that set off.
        took: by month and step, seconds, processor seconds, and the memory in GB that the process had at most.
    """

    folder: Path
    plan: Plan
    month: int = 0
    step: str = STEPS[0]
    spoilt: int = 0
    server: int = 0
    seen: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    took: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, plan: Plan) -> State:
        """A year that goes on, or a new one.

        Raises:
            ValueError: the folder has a year with another plan.
        """
        file = folder / FILE
        if not file.exists():
            return cls(folder, plan)
        known = json.loads(file.read_text(encoding="utf-8"))
        if (there := Plan(**known.pop("plan"))) != plan:
            raise ValueError(
                f"{folder} has a year with other settings, {there}. Remove the folder, or name another one."
            )
        return cls(folder, plan, **known)

    @property
    def is_over(self) -> bool:
        """Whether all months have passed."""
        return self.month > self.plan.last

    def done(self) -> None:
        """Goes on to the next step, and saves that."""
        place = STEPS.index(self.step) + 1
        self.step = STEPS[place % len(STEPS)]
        self.month += place == len(STEPS)
        self.save()

    def save(self) -> None:
        """Writes the file beside its place, and moves it there."""
        known = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "folder"}
        beside = self.folder / f".{FILE}.new"
        beside.write_text(
            json.dumps(known | {"plan": dataclasses.asdict(self.plan)}, indent=1) + "\n", encoding="utf-8"
        )
        os.replace(beside, self.folder / FILE)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """For as long as this is entered, no other process goes through the same year.

    Raises:
        RuntimeError: another one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"Another process goes through the year in {folder}.") from None
        yield
