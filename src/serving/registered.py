"""What a registry keeps of a version and of a step, and what identifies a version's files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.traffic import Traffic

if TYPE_CHECKING:  # it opens ML Metadata
    from engines.lineage import Use, Version

BEGUN, DONE, INTERRUPTED = "begun", "done", "interrupted"
CHECKSUM = "checksum"
"""The tag that versions have which `Registry.sync` has registered."""


@dataclass(frozen=True)
class Entry:
    """A registered version.

    Attributes:
        number: in the registry, which counts from 1.
        version: the name of its folder, which is the version that a server knows; empty where its source is not in Pusher's folder.
        source: where its files are, as an address.
        tags: where it comes from, by name (`lineage_tags`).
        roles: its aliases.
    """

    number: int
    version: str
    source: str
    tags: Mapping[str, str]
    roles: tuple[str, ...]

    def __str__(self) -> str:
        """In a few words."""
        return f"version {self.version or '?'} (number {self.number})"

    @property
    def is_recorded(self) -> bool:
        """Whether it was registered with where it comes from, not by hand."""
        return CHECKSUM in self.tags

    @property
    def checksum(self) -> str:
        """Of its files, as they were registered."""
        return self.tags.get(CHECKSUM, "")

    @property
    def metrics(self) -> dict[str, float]:
        """Of the evaluation by which it was pushed: `auc`, `auc/origin:JFK`."""
        return {
            name.removeprefix("metric/"): float(value)
            for name, value in self.tags.items()
            if name.startswith("metric/")
        }

    @property
    def spans(self) -> list[int]:
        """Numbers of the spans that it, or a model that it went on from, has learned from."""
        uses = [*json.loads(self.tags.get("trained_on", "[]")), *json.loads(self.tags.get("inherited", "[]"))]
        return sorted({use["span"] for use in uses if use["span"] is not None})


@dataclass(frozen=True)
class Step:
    """A change of who answers.

    Attributes:
        number: counts from 1.
        command: `promote`, `challenge`, `shadow`, `rollback` or `by hand`.
        version: that it is about.
        who: has asked for it.
        when: ISO 8601 in UTC, to the second.
        why: as it was given.
        before: who answered.
        after: who was to answer.
        state: `begun`, `done` or `interrupted`: before it came to be served.
        undoes: number of the step that a rollback took back, with all after it.
    """

    number: int
    command: str
    version: int | None
    who: str
    when: str
    why: str
    before: Traffic
    after: Traffic
    state: str = BEGUN
    undoes: int | None = None

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of(cls, text: str) -> Step:
        """From `text`."""
        found = json.loads(text)
        return cls(**found | {name: Traffic(**found[name]) for name in ("before", "after")})

    def __str__(self) -> str:
        """In a few words."""
        of = f" of version {self.version}" if self.version is not None else ""
        return f"step {self.number} ({self.command}{of} by {self.who}, {self.when})"


Metrics = Callable[[str], Mapping[str, float]]


def lineage_tags(version: Version, metrics: Metrics | None = None) -> dict[str, str]:
    """What a registry keeps of where a version comes from; lists and dictionaries as JSON.

    Args:
        version: as the metadata store tells it.
        metrics: gives those in the folder of an evaluation.

    Returns:
        `pipeline`, `run`, `pushed`, `model`, `trained_on`, `inherited`, `judged_on` (files with span and checksum), `base_model`, `baseline`, `schema`, `code`,
        `settings`, `trial`, `blessed_by`, `metric/NAME`; none that would be empty.
    """
    model, push = version.model, version.push
    judged = next((one for one in version.verdicts if one.evaluation), None)
    older = [use for base in [*model.generations][1:] for use in base.trained_on]
    plain: dict[str, Any] = {
        "pipeline": push.step.pipeline,
        "run": push.step.run,
        "pushed": push.step.finished,
        "model": push.model,
        "trained_on": _files(model.trained_on),
        "inherited": _files(older),
        "judged_on": _files(judged.judged_on) if judged else [],
        "base_model": model.base.artifact if model.base else None,
        "baseline": judged.baseline if judged else None,
        "schema": model.schema.checksum if model.schema else "",
        "code": model.code,
        "settings": model.settings,
        "trial": model.trial,
        "blessed_by": ", ".join(one.step.node for one in version.verdicts if one.blessed),
    }
    measured = metrics(judged.evaluation) if metrics and judged and Path(judged.evaluation).is_dir() else {}
    plain |= {f"metric/{name}": f"{value:.6g}" for name, value in measured.items()}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in plain.items()
        if value not in ("", None, [], {})
    }


def checksum(folder: Path) -> str:
    """SHA-256 of the names and the contents of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _files(uses: tuple[Use, ...] | list[Use]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(use.file) | {"splits": list(use.splits)} for use in uses]


def shown(served: Traffic) -> str:
    """Who answers, as a sentence."""
    parts = [f"Version {served.champion} answers"]
    if served.challenger is not None:
        parts.append(f"version {served.challenger} has {served.share:.0%} of the requests")
    if served.shadow is not None:
        parts.append(f"version {served.shadow} is the shadow")
    return f"{', '.join(parts)}."


def capital(text: str) -> str:
    """A sentence from words."""
    return text[:1].upper() + text[1:]
