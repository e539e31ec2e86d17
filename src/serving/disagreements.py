"""Where the aliases of a registry, the traffic file, the folder of versions and the metadata store disagree, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving import traffic
from serving.models import versions_in
from serving.registered import BEGUN, Entry, Step, capital, checksum
from serving.traffic import Traffic, TrafficError

if TYPE_CHECKING:  # it opens ML Metadata
    from engines.lineage import Lineage

ROLES = ("champion", "challenger", "shadow")
"""What a version does, and its alias."""


def find(
    name: str,
    folder: Path,
    entries: Sequence[Entry],
    steps: Sequence[Step] = (),
    lineage: Lineage | None = None,
    pipeline: str = "",
) -> Iterator[str]:
    """The disagreements.

    Args:
        name: of the registered model.
        folder: that Pusher writes to.
        entries: what is registered.
        steps: that were recorded.
        lineage: of the metadata store; None: it is not compared.
        pipeline: whose pushes belong into this registry; empty: any.
    """
    for step in steps:
        if step.state == BEGUN:
            yield f"{capital(str(step))} was cut off. The next command puts it in order."
    yield from _of_roles(folder, entries)
    for entry in entries:
        yield from _of_entry(name, folder, entry, entries, pipeline)
    if lineage:
        yield from _of_store(folder, entries, {one.version for one in lineage.versions(pipeline)})


def answering(folder: Path) -> Traffic | None:
    """Who answers: what the traffic file says, or else the newest version; None where there is none.

    Raises:
        TrafficError: the file cannot be followed.
    """
    newest = max(versions_in(folder), default=None)
    return traffic.read(folder) or (None if newest is None else Traffic(newest))


def _of_roles(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    try:
        served = answering(folder)
    except TrafficError as error:
        yield f"The traffic file cannot be followed: {error}"
        return
    is_written = traffic.path(folder).is_file()
    recorded = {entry.version for entry in entries if entry.is_recorded}
    for role in ROLES:
        version = getattr(served, role, None)
        named = next((entry for entry in entries if role in entry.roles), None)
        is_recorded = str(version) in recorded
        if version is None:
            has = f"{traffic.FILE} has no {role}" if is_written else f"nothing answers as {role}"
        else:
            has = f"{traffic.FILE} has version {version}" if is_written else f"the newest, version {version}, answers"
        if named and named.version != str(version):
            yield f"Alias {role} is on {named}, and {has}."
        if not named and is_recorded and is_written:
            yield f"Alias {role} is on no version, and {has}."
        if version is not None and not (folder / str(version)).is_dir():
            yield f"{capital(has)} as {role}, which is gone from {folder}."
        elif version is not None and not is_recorded and entries:
            yield f"Version {version} answers as {role}, and the registry does not know where it comes from."


def _of_entry(name: str, folder: Path, entry: Entry, entries: Sequence[Entry], pipeline: str) -> Iterator[str]:
    told = capital(str(entry))
    of = entry.tags.get("pipeline", pipeline)
    if pipeline and of != pipeline:
        yield f"{told} comes from pipeline {of}, and {name} is the model of {pipeline}."
    if not entry.version:
        yield f"{told} has its files in {entry.source}, which no server of {folder} reads: a copy, or another model."
        return
    if not entry.is_recorded:
        yield f"{told} was registered by hand: the registry does not say where it comes from."
    if not (folder / entry.version).is_dir():
        yield f"{told} is gone from {folder}."
    elif entry.is_recorded and entry.checksum != checksum(folder / entry.version):
        yield f"{told} has other files than when it was registered."
    if twins := [one.number for one in entries if one.version == entry.version and one.number < entry.number]:
        yield f"{told} is registered twice: number {twins[0]} is the same folder."


def _of_store(folder: Path, entries: Sequence[Entry], pushed: set[str]) -> Iterator[str]:
    recorded = {entry.version for entry in entries if entry.is_recorded and entry.version}
    for version in map(str, sorted(versions_in(folder))):
        if version not in pushed:
            yield f"Version {version} lies in {folder}, and the metadata store has no push of it: it came by hand, or is half of one."
        elif version not in recorded:
            yield f"Version {version} was pushed and is not registered."
    for entry in entries:
        if entry.is_recorded and entry.version and entry.version not in pushed:
            yield f"{capital(str(entry))} is registered as pushed, and the metadata store has no push of it."
