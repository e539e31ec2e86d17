"""The model registry: MLflow's, by reference to the folder that Pusher writes to, and what is served moved together with its names.

    registry = Registry("sqlite:///out/registry.db", "my-model", "out/pipeline/serving")
    registry.sync(Lineage.of_file("out/pipeline/metadata.sqlite"))
    registry.promote(1700000101, why="better on all slices")
    registry.rollback(why="complaints")

The traffic file (`serving.traffic`) is what a server follows, so it is what counts: the aliases champion, challenger and shadow follow it. A step
is recorded as begun, then the traffic file is replaced, then the aliases move, then the step is recorded as done. Whatever kills it between two of these,
one whole version is served, and the next step finds the one that was begun, finishes it or strikes it out, and says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import getpass
import os
import time
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import mlflow_store, places
from serving import disagreements, traffic
from serving.disagreements import ROLES, answering
from serving.models import Refused, versions_in
from serving.registered import (
    BEGUN,
    CHECKSUM,
    DONE,
    INTERRUPTED,
    Entry,
    Metrics,
    Step,
    capital,
    checksum,
    lineage_tags,
    shown,
)
from serving.registered_model import RegisteredModel
from serving.traffic import Traffic, TrafficError

if TYPE_CHECKING:  # it opens ML Metadata
    from engines.lineage import Lineage

BY_HAND = "by hand"
"""The command of a step that no command made: the traffic file was found changed."""

LOCK = ".registry.lock"
SERVING = "Format-Serving"
"""Where TFX's Trainer puts the SavedModel that Pusher copies."""

OPTION = "--registry"
"""By which a command line names the store."""

LATER = "Nothing has changed."


class RegistryError(RuntimeError):
    """What was asked for cannot be; nothing has changed, and the message says why."""


class Busy(RegistryError):
    """Another command is at work on the same folder; the message says which."""


class Registry:
    """The versions of one model, their names, and who answers."""

    def __init__(
        self,
        uri: str,
        name: str,
        folder: str | Path,
        *,
        attempt: Callable[[Path], object] | None = None,
        tell: Callable[[str], object] = print,
    ) -> None:
        """Opens nothing yet.

        Args:
            uri: of MLflow's store: a SQLite file or another database.
            name: of the registered model.
            folder: that Pusher writes to.
            attempt: tries whether a version can be served before it is; raises `Refused` (`serving.models.load`).
            tell: is given a sentence for what else was found and put in order.

        Raises:
            ValueError: the address cannot be one of a registry.
        """
        self.uri = places.tracking_address(uri)
        if not self.uri.startswith(("sqlite:", "postgresql", "mysql")):
            raise ValueError(
                f"{places.without_secret(uri)}: a server of MLflow registers no folder where it lies. Name its database, for example sqlite:///out/registry.db."
            )
        self.name, self.folder = name, Path(folder).absolute()
        self._attempt, self._tell = attempt, tell

    # --- questions

    def versions(self) -> list[Entry]:
        """What is registered, the oldest first."""
        with self._reading() as model:
            return self._entries(model)

    def find(self, version: int | str) -> Entry:
        """A registered version.

        Args:
            version: its folder's number; or else its number in the registry, or an alias.

        Raises:
            RegistryError: there is none.
        """
        with self._reading() as model:
            return self._find(self._entries(model), version)

    def history(self) -> list[Step]:
        """Each change of who answers, the oldest first."""
        with self._reading() as model:
            return self._steps(model)

    def serving(self) -> Traffic | None:
        """Who answers now: what the traffic file says, or else the newest version; None where there is none.

        Raises:
            TrafficError: the file cannot be followed.
        """
        return answering(self.folder)

    # --- changes

    def promote(self, version: int | str, *, why: str = "", who: str = "") -> Step | None:
        """Makes a version the champion, which answers all requests but those of a challenger.

        Args:
            version: as `find` takes it.
            why: is kept with the step.
            who: asks for it; empty for the user of this process.

        Returns:
            The step; None where the version is the champion already.

        Raises:
            RegistryError: it cannot be; the message says why. `Busy`: another command is at work.
        """
        return self._change(
            "promote", version, lambda now, one: dataclasses.replace(_without(now, one), champion=one), why, who
        )

    def challenge(self, version: int | str | None, share: float = 0.1, *, why: str = "", who: str = "") -> Step | None:
        """Gives a version a share of the requests; with None, the champion answers all again. Else as `promote`."""

        def changed(now: Traffic, one: int | None) -> Traffic:
            if one is None:
                return dataclasses.replace(now, challenger=None, share=0.0)
            self._refuse_champion(now, one)
            return dataclasses.replace(_without(now, one), challenger=one, share=share)

        if version is not None and not 0 < share <= 1:
            raise RegistryError(f"--share {share}: write a share of the requests, above 0 and up to 1, such as 0.1.")
        return self._change("challenge", version, changed, why, who)

    def shadow(self, version: int | str | None, *, why: str = "", who: str = "") -> Step | None:
        """Has a version asked as well, without its answers being given; with None, none is. Else as `promote`."""

        def changed(now: Traffic, one: int | None) -> Traffic:
            if one is not None:
                self._refuse_champion(now, one)
                now = _without(now, one)
            return dataclasses.replace(now, shadow=one)

        return self._change("shadow", version, changed, why, who)

    def rollback(self, *, why: str = "", who: str = "") -> Step:
        """Takes back the latest step that still counts: who answered before it answers again, and the version that it brought has no part.

        A second one takes back the step before. The version is not tried: it has answered before, and haste may be needed.

        Raises:
            RegistryError: there is no step to take back, or its version is gone.
        """
        with self._changing("rollback", who) as model:
            self._agree(model)
            now = self._require_serving()
            counting: list[Step] = []
            for step in (one for one in self._steps(model) if one.state == DONE):
                counting = [*(one for one in counting if step.undoes is None or one.number < step.undoes)]
                counting += [step] if step.undoes is None else []
            for step in reversed(counting):
                back = step.before if step.version is None else _without(step.before, step.version)
                for role in ("challenger", "shadow"):
                    if (one := getattr(back, role)) is not None and one not in versions_in(self.folder):
                        back = _without(back, one)
                if back != now:
                    self._require(self._entries(model), back)
                    return self._carry_out(model, "rollback", now.champion, now, back, why, who, step.number)
            raise RegistryError(f"There is no step to take back: version {now.champion} is all that has answered.")

    def sync(self, lineage: Lineage, pipeline: str = "", metrics: Metrics | None = None) -> list[Entry]:
        """Registers each version that a pipeline has pushed and that is not registered yet; the aliases follow the traffic file.

        Args:
            lineage: of the metadata store that the pipeline's runs were recorded in.
            pipeline: only what this one has pushed; empty: all of the store.
            metrics: gives those in the folder of an evaluation.

        Returns:
            What is new, the oldest first.
        """
        with self._changing("sync") as model:
            known = {entry.version for entry in self._entries(model) if entry.is_recorded}
            new: set[int] = set()
            for push in lineage.versions(pipeline):
                if push.version in known:
                    continue
                known.add(push.version)
                place = self.folder / push.version
                if not place.is_dir():
                    self._tell(f"Version {push.version} was pushed, and is gone from {self.folder}: not registered.")
                    continue
                found = lineage.version(push.version, pipeline or push.step.pipeline)
                trained = Path(found.model.uri) / SERVING
                held = checksum(place)
                if trained.is_dir() and checksum(trained) != held:
                    self._tell(
                        f"Version {push.version}: the files in {place} are not those of model {push.model}, which was pushed: not registered."
                    )
                    continue
                told = {"version": push.version, CHECKSUM: held} | lineage_tags(found, metrics)
                new.add(model.register(place.as_uri(), told))
            self._agree(model)
            return [entry for entry in self._entries(model) if entry.number in new]

    # --- disagreements

    def check(self, lineage: Lineage | None = None, pipeline: str = "") -> list[str]:
        """Where aliases, traffic file, folder and metadata store disagree: a sentence each. Changes nothing.

        Args:
            lineage: of the metadata store; None: it is not compared.
            pipeline: whose pushes belong into this registry.
        """
        with self._alone(""), self._opened() as model:
            entries, steps = self._entries(model), self._steps(model)
            return [*disagreements.find(self.name, self.folder, entries, steps, lineage, pipeline)]

    # --- how a step goes

    def _change(
        self,
        command: str,
        version: int | str | None,
        changed: Callable[[Traffic, Any], Traffic],
        why: str,
        who: str,
    ) -> Step | None:
        with self._changing(command, who) as model:
            self._agree(model)
            entries = self._entries(model)
            entry = None if version is None else self._find(entries, version)
            now = self._require_serving()
            after = changed(now, None if entry is None else int(self._placed(entry)))
            self._require(entries, after, entry)
            if traffic.read(self.folder) == after:
                self._tell(f"{shown(after)} That is so already.")
                return None
            return self._carry_out(model, command, int(entry.version) if entry else None, now, after, why, who)

    def _carry_out(
        self,
        model: RegisteredModel,
        command: str,
        version: int | None,
        now: Traffic,
        after: Traffic,
        why: str,
        who: str,
        undoes: int | None = None,
    ) -> Step:
        """The four writes, in the order that the module's text argues for."""
        number = max((one.number for one in self._steps(model)), default=0) + 1
        step = Step(number, command, version, who or user(), _now(), why, now, after, undoes=undoes)
        self._record(model, step)
        traffic.write(self.folder, after)
        self._name(model, after)
        return self._record(model, dataclasses.replace(step, state=DONE))

    def _heal(self, model: RegisteredModel) -> None:
        """Writes a traffic file again that cannot be followed; a server goes on with what it followed before."""
        try:
            traffic.read(self.folder)
        except TrafficError as error:
            done = [one for one in self._steps(model) if one.state == DONE]
            if not done:
                raise
            traffic.write(self.folder, done[-1].after)
            self._tell(f"{error} It is written again as {done[-1]} left it. {shown(done[-1].after)}")

    def _settle(self, model: RegisteredModel) -> None:
        """Finishes a step that was cut off after it came to be served, strikes out one that was cut off before."""
        for step in self._steps(model):
            if step.state != BEGUN:
                continue
            for left in self.folder.parent.glob(f".{traffic.FILE}.*"):  # half written, beside its place
                left.unlink(missing_ok=True)
            is_served = traffic.read(self.folder) == step.after
            if is_served:
                self._name(model, step.after)
            self._record(model, dataclasses.replace(step, state=DONE if is_served else INTERRUPTED))
            self._tell(
                f"{capital(str(step))} was cut off after it had come to be served: it is finished now. {shown(step.after)}"
                if is_served
                else f"{capital(str(step))} was cut off before it came to be served: it is struck out. What answered before still does."
            )

    def _agree(self, model: RegisteredModel) -> None:
        """What was done by hand: notes a traffic file that was changed, and moves aliases to what it says."""
        written = traffic.read(self.folder)
        if written is None:
            return
        done = [one for one in self._steps(model) if one.state == DONE]
        if done and done[-1].after != written:
            step = Step(
                max(one.number for one in self._steps(model)) + 1,
                BY_HAND,
                written.champion,
                "unknown",
                _now(),
                "",
                done[-1].after,
                written,
                DONE,
            )
            self._record(model, step)
            self._tell(f"{traffic.path(self.folder)} was changed by hand. {shown(written)} It is recorded as {step}.")
        for sentence in self._name(model, written):
            self._tell(sentence)

    def _name(self, model: RegisteredModel, served: Traffic) -> list[str]:
        """Moves the aliases to what is served; says which were elsewhere."""
        every, moved = self._entries(model), []
        # Of several of one folder, the one counts that says where it comes from.
        placed = {int(one.version): one for one in sorted(every, key=lambda one: one.is_recorded) if one.version}
        for role in ROLES if every else ():
            entry = placed.get(getattr(served, role))
            was = next((one for one in every if role in one.roles), None)
            if entry == was:
                continue
            model.set_alias(role, entry.number if entry else None)
            moved.append(f"Alias {role} was on {was or 'no version'}; it is on {entry or 'none'} now.")
        return moved

    def _record(self, model: RegisteredModel, step: Step) -> Step:
        model.set_tag(f"step/{step.number:06d}", step.text)
        return step

    # --- what has to be so

    def _require_serving(self) -> Traffic:
        if (now := self.serving()) is None:
            raise RegistryError(f"{self.folder}: there is no version in it. Run the pipeline first.")
        return now

    def _placed(self, entry: Entry) -> str:
        if not entry.version:
            raise RegistryError(
                f"{capital(str(entry))} has its files in {entry.source}, and a server reads {self.folder}. {LATER} Register what Pusher has written (sync)."
            )
        return entry.version

    def _require(self, entries: list[Entry], after: Traffic, entry: Entry | None = None) -> None:
        """All that are to answer are there, with the files that they had; the one that is new is tried."""
        recorded = {one.version: one for one in entries if one.is_recorded}
        for version in sorted(after.versions):
            place, known = self.folder / str(version), recorded.get(str(version))
            if not place.is_dir():
                raise RegistryError(f"Version {version} is gone from {self.folder}. {LATER}")
            if known is None and entry and entry.version == str(version):
                raise RegistryError(
                    f"{capital(str(entry))} was registered by hand, without where it comes from. {LATER} `sync` registers what a pipeline has pushed."
                )
            if known and known.checksum != checksum(place):
                raise RegistryError(f"{capital(str(known))} has other files than when it was registered. {LATER}")
        if entry and self._attempt:
            try:
                self._attempt(self.folder / entry.version)
            except Refused as why:
                raise RegistryError(f"{capital(str(entry))} cannot be served: {why}. {LATER}") from None

    def _refuse_champion(self, now: Traffic, version: int) -> None:
        if now.champion == version:
            raise RegistryError(f"Version {version} is the champion, which answers already. {LATER}")

    # --- MLflow

    def _steps(self, model: RegisteredModel) -> list[Step]:
        return [Step.of(model.tags[name]) for name in sorted(model.tags) if name.startswith("step/")]

    def _entries(self, model: RegisteredModel) -> list[Entry]:
        roles: dict[int, list[str]] = {}
        for role, number in model.aliases.items():
            roles.setdefault(number, []).append(role)
        return sorted(
            (
                Entry(
                    int(one.version),
                    self._version(one.source),
                    one.source,
                    dict(one.tags),
                    tuple(roles.get(int(one.version), ())),
                )
                for one in model.versions
            ),
            key=lambda entry: entry.number,
        )

    def _version(self, source: str) -> str:
        """The folder's name of an address within Pusher's folder; empty of any other."""
        parts = urllib.parse.urlsplit(source)
        place = Path(urllib.parse.unquote(parts.path))
        inside = parts.scheme in ("", "file") and place.name.isdecimal()
        return place.name if inside and place.parent.resolve() == self.folder.resolve() else ""

    def _find(self, entries: list[Entry], version: int | str) -> Entry:
        name = str(version)
        ways: list[Callable[[Entry], bool]] = [
            lambda one: one.version == name and one.is_recorded,
            lambda one: one.version == name,
            lambda one: str(one.number) == name,
            lambda one: name in one.roles,
        ]
        for is_meant in ways:
            if found := [one for one in entries if is_meant(one)]:
                return found[-1]
        if name.isdecimal() and (self.folder / name).is_dir():
            raise RegistryError(
                f"Version {name} lies in {self.folder} and is not registered. {LATER} `sync` registers what a pipeline has pushed."
            )
        known = ", ".join(f"{one.version or one.source} (number {one.number})" for one in entries)
        raise RegistryError(
            f"There is no version {name[:40]!r}. {f'Registered are {known}.' if known else 'None is registered yet; `sync` does it.'}"
        )

    # --- one at a time

    @contextlib.contextmanager
    def _reading(self) -> Iterator[RegisteredModel]:
        with self._alone(""), self._opened() as model:
            self._settle(model)
            yield model

    @contextlib.contextmanager
    def _changing(self, command: str, who: str = "") -> Iterator[RegisteredModel]:
        with (
            self._alone(f"{command} by {who or user()}"),
            self._opened() as model,
        ):
            self._heal(model)
            self._settle(model)
            yield model

    @contextlib.contextmanager
    def _opened(self) -> Iterator[RegisteredModel]:
        with mlflow_store.opened(self.uri, OPTION) as client:
            yield RegisteredModel(client, self.name)

    @contextlib.contextmanager
    def _alone(self, command: str) -> Iterator[None]:
        """One command at a time on a folder; a process that ends, however, gives the lock back.

        Args:
            command: what is done, for others to read; empty for looking. Who looks waits for others, and others wait for who looks.

        Raises:
            Busy: another command changes something, and so would this one.
        """
        if not self.folder.parent.is_dir():
            raise RegistryError(f"{self.folder.parent}: there is no such folder. Run the pipeline first.")
        with (self.folder.parent / LOCK).open("a+") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if command else 0))
                    break
                except BlockingIOError:
                    lock.seek(0)
                    if other := lock.read():
                        raise Busy(
                            f"{other} is at work on {self.folder} at this moment. {LATER} Look at `list`, then ask again."
                        ) from None
                    time.sleep(0.02)
            lock.truncate(0)
            lock.write(f"{command} (process {os.getpid()})" if command else "")
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)


def _without(served: Traffic, version: int) -> Traffic:
    """The same, without a version as challenger or shadow."""
    if served.challenger == version:
        served = dataclasses.replace(served, challenger=None, share=0.0)
    return dataclasses.replace(served, shadow=None) if served.shadow == version else served


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def user() -> str:
    """Who this process belongs to."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return "unknown"
