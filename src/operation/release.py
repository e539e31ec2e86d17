"""A version on its way to all clients: staging with a smoke test, shadow, canary by growing shares, production; and back, when its metrics say so.

    outcome = release(registry, process.Client("http://127.0.0.1:8501", "my-model"), "my_project.serving:PROJECT", rows=rows, folder="out/releases")

Each change of who answers is a step of the registry, with the release's number in its reason. Before each, the release records which step it goes to;
so after a kill the next call finds who should answer, and either goes on (the same version) or takes back (another one), and says so. What another
command has changed meanwhile, such as a roll-back by hand, counts: the release ends then.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import http.client
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operation import canary, staging
from operation.canary import Expected, Limits, Verdict
from operation.project import load_project
from operation.releases import (
    BEGUN,
    INTERRUPTED,
    NOTHING,
    REFUSED,
    RELEASED,
    ROLLED_BACK,
    TAKEN_OVER,
    Outcome,
    Releases,
)
from operation.served_metrics import Window
from serving import request_log, traffic
from serving.models import Rows
from serving.process import Client, RequestRefused
from serving.registered import capital, shown
from serving.registry import Busy, Registry, RegistryError, user
from serving.traffic import Traffic, TrafficError

SHARES = (0.1, 0.5)
"""Of a canary: a tenth of the clients learns of a fault first, and half of them show what only load shows."""

SMOKE, SHADOW, PRODUCTION = "smoke", "shadow", "production"

NO_ANSWER = (OSError, http.client.HTTPException, RequestRefused)


class ReleaseError(RuntimeError):
    """No release can begin; nothing has changed, and the message says why."""


class _Bad(Exception):
    """The version is to be taken back; a sentence."""


class _TakenOver(Exception):
    """Another command has changed who answers; a sentence."""


def release(
    registry: Registry,
    server: Client,
    project: str,
    version: int | str | None = None,
    *,
    rows: Rows | Callable[[int], Rows],
    folder: str | Path,
    shares: Sequence[float] = SHARES,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    log: str | Path | None = None,
    why: str = "",
    who: str = "",
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    poll: float = 1.0,
    wait: Callable[[float], object] = time.sleep,
    tell: Callable[[str], object] = print,
    smoke: Callable[..., Expected] = staging.smoke,
) -> Outcome:
    """Releases a version, or takes it back; goes on with a release that was cut off.

    Args:
        registry: of the versions; its traffic file is what the server follows.
        server: that answers the clients.
        project: `MODULE:OBJECT`, what the project gives to the model server.
        version: as `Registry.find` takes it; None for the newest that is registered, if it is newer than the champion and was not refused before.
        rows: for the smoke test, or what gives them for a version.
        folder: for the record of releases.
        shares: of the requests, rising, below 1: a champion without requests can be compared with nothing.
        limits: when a version goes on, and when it goes back.
        log: the server's log of requests, in which both answers to a request are compared; None: only distributions are.
        why: is kept with the release and its steps.
        who: asks for it; empty for the user of this process.
        now: the time, with a zone, for the record and for a step's deadline; a calendar may run faster. Where a server is waited for, seconds are real ones.
        poll: seconds between two looks at the metrics.
        wait: waits so long.
        tell: is given a sentence for each step.
        smoke: the smoke test (`staging.smoke`).

    Returns:
        How it ended.

    Raises:
        ReleaseError: it cannot begin. `releases.Busy`: another process releases. `staging.StagingError`: the smoke test could not be made.
        RegistryError: a step cannot be, and the release was taken back.
    """
    if not shares or not all(0 < one < other for one, other in itertools.pairwise([*shares, 1.0])):
        raise ReleaseError(f"Shares {list(shares)}: write rising ones above 0 and below 1, such as 0.1 and 0.5.")
    if log and not request_log.files(log):
        raise ReleaseError(f"{log}: there is no log of requests. Name the one that the server writes, or none.")
    made = _Release(
        registry, server, project, rows, Releases(folder, now), tuple(shares), limits, log, poll, wait, tell, smoke
    )
    with made.kept.alone(f"A release by {who or user()}"):
        return made.run(version, why, who or user())


@dataclasses.dataclass
class _Release:
    registry: Registry
    server: Client
    project: str
    rows: Rows | Callable[[int], Rows]
    kept: Releases
    shares: tuple[float, ...]
    limits: Limits
    log: str | Path | None
    poll: float
    wait: Callable[[float], object]
    tell: Callable[[str], object]
    smoke: Callable[..., Expected]

    def run(self, version: int | str | None, why: str, who: str) -> Outcome:
        """Puts in order what was cut off, and releases."""
        done = self.kept.all()
        if done and done[-1].state == BEGUN:
            old = done[-1]
            if version is None or int(self._entry(version).version) == old.version:
                return self._go_on(old)
            self.tell(
                f"{capital(str(old))} was cut off at its step {old.step}. Another version is asked for: it is taken back."
            )
            self._end_back(old, INTERRUPTED, "It was cut off, and another version was released instead.")
        begun = self._begin(version, why, who)
        return begun if begun.state == NOTHING else self._carry_out(begun)

    # --- beginning, and going on

    def _begin(self, version: int | str | None, why: str, who: str) -> Outcome:
        """A new release, recorded; or the reason why there is none."""
        served = self.registry.serving()
        if served is None:
            raise ReleaseError(f"{self.registry.folder}: there is no version in it. Run the pipeline first.")
        is_pinned = traffic.read(self.registry.folder) is not None
        entry = self._entry(version)
        one = int(entry.version)
        known = [past for past in self.kept.all() if past.version == one]
        said = ""
        if is_pinned and one == served.champion:
            said = f"Version {one} answers already."
        elif version is None and one < served.champion:
            said = f"The newest version that is registered, {one}, is older than the champion, {served.champion}."
        elif version is None and known and known[-1].state in (REFUSED, ROLLED_BACK, TAKEN_OVER):
            said = (
                f"{capital(str(known[-1]))} was {known[-1].state}: {known[-1].reason} Name the version to try it again."
            )
        champion = None if one == served.champion else served.champion
        number = max((past.number for past in self.kept.all()), default=0) + 1
        since = max((step.number for step in self.registry.history()), default=0)
        made = Outcome(number, self.kept.time(), one, champion, BEGUN, SMOKE, since=since, who=who, why=why)
        if said:
            self.tell(said)
            return dataclasses.replace(made, number=0, state=NOTHING, step="", reason=said)
        for role in ("challenger", "shadow"):
            if (other := getattr(served, role)) is not None:
                raise ReleaseError(
                    f"Version {other} is the {role}. End that first (registry: {'challenge' if role == 'challenger' else role} none)."
                )
        if champion is not None:
            self._require_server(served)
        self.tell(f"{capital(str(made))}: {shown(served)}")
        return self.kept.keep(made)

    def _go_on(self, old: Outcome) -> Outcome:
        """The rest of a release whose process was killed."""
        self.tell(f"{capital(str(old))} was cut off at its step {old.step}; it goes on there.")
        if old.reason:
            return self._end_back(old, ROLLED_BACK, old.reason)
        steps = self._steps(old)
        names = list(steps)
        place = names.index(old.step) if old.step in steps else -1
        if place < 0:  # it had other shares
            return self._end_back(old, INTERRUPTED, f"It was cut off at {old.step}, which is no step now.")
        allowed = [steps[name] for name in names[max(0, place - 1) : place + 1]]
        done = [step for step in self.registry.history() if step.number > old.since and step.state == "done"]
        foreign = [step for step in done if not step.why.startswith(_label(old))]
        if foreign or self.registry.serving() not in allowed:
            who = (
                f"{capital(str(foreign[-1]))} has changed who answers" if foreign else "Who answers was changed by hand"
            )
            return self._end(old, TAKEN_OVER, f"{who}. {shown(self.registry.serving() or allowed[0])}")
        return self._carry_out(old)

    def _steps(self, one: Outcome) -> dict[str, Traffic]:
        """The steps of a release, each with who answers in it."""
        if one.champion is None:
            return {SMOKE: Traffic(one.version), PRODUCTION: Traffic(one.version)}
        steps = {SMOKE: Traffic(one.champion)}
        if self.limits.shadow:
            steps[SHADOW] = Traffic(one.champion, shadow=one.version)
        steps |= {f"canary {100 * share:g}%": Traffic(one.champion, one.version, share) for share in self.shares}
        return steps | {PRODUCTION: Traffic(one.version)}

    # --- the steps

    def _carry_out(self, one: Outcome) -> Outcome:
        """The steps from the one that it is in; whatever ends them early, the version is taken back."""
        steps = self._steps(one)
        names = list(steps)
        try:
            for name in names[names.index(one.step) :]:
                one = self.kept.keep(dataclasses.replace(one, step=name))
                found, one = self._step(one, name, steps[name])
                one = self.kept.keep(dataclasses.replace(one, found=one.found | {name: found}))
                self.tell(f"  {name}: {found}")
            return self._end(one, RELEASED, f"Version {one.version} answers all requests.")
        except staging.SmokeFailed as why:
            return self._end(one, REFUSED, str(why))
        except _Bad as why:
            return self._end_back(one, ROLLED_BACK, str(why))
        except _TakenOver as why:
            return self._end(one, TAKEN_OVER, str(why))
        except RegistryError as why:
            self._end_back(one, ROLLED_BACK, str(why))
            raise
        except BaseException as error:  # unwatched, a challenger has no business with clients
            self._end_back(one, INTERRUPTED, f"It was stopped ({type(error).__name__}: {error})."[:500])
            raise

    def _step(self, one: Outcome, name: str, wanted: Traffic) -> tuple[str, Outcome]:
        """One step; what it found."""
        champion, registry = one.champion, self.registry
        if name == SMOKE:
            rows = self.rows(one.version) if callable(self.rows) else self.rows
            expected = self.smoke(
                registry.folder, one.version, champion, self.project, load_project(self.project), rows
            )
            said = (expected.champion, expected.candidate)
            one = dataclasses.replace(one, expected=tuple(tuple(round(value, 6) for value in one) for one in said))
            return f"Version {one.version} answered {len(rows)} rows in staging as it does by itself.", one
        told = {"why": f"{_label(one)} {name}{f'. {one.why}' if one.why else ''}", "who": one.who}
        if name == PRODUCTION:
            self._unless_busy(functools.partial(registry.promote, one.version, **told))
            if champion is not None:
                self._follow(wanted)
            return f"{shown(wanted)}", one
        assert champion is not None
        expected = Expected(*one.expected)
        since = datetime.datetime.now(datetime.UTC)
        judge: Callable[[Window], Verdict]
        if name == SHADOW:
            self._unless_busy(functools.partial(registry.shadow, one.version, **told))

            def judge(window: Window) -> Verdict:
                is_enough = self.log and window.did(one.version, "shadow").requests >= self.limits.shadow
                apart = canary.differences(self.log, champion, one.version, since) if self.log and is_enough else None
                return canary.judge_shadow(window, champion, one.version, expected, self.limits, apart)
        else:
            self._unless_busy(functools.partial(registry.challenge, one.version, wanted.share, **told))

            def judge(window: Window) -> Verdict:
                return canary.judge_canary(window, champion, one.version, wanted.share, expected, self.limits)

        self._follow(wanted)
        return self._watch(one.version, wanted, judge), one

    def _watch(self, version: int, wanted: Traffic, judge: Callable[[Window], Verdict]) -> str:
        """Waits until a step is judged to be good; what it was judged by.

        Raises:
            _Bad: it is not.
            _TakenOver: another command has changed who answers.
        """
        window, begun = Window(self._metrics()), self.kept.now()
        ended, moved = -1, time.monotonic()
        role = "shadow" if wanted.shadow == version else "challenger"
        while True:
            self.wait(self.poll)
            self._require_unchanged(wanted)
            window.add(self._metrics())
            if window.restarts > self.limits.restarts:
                raise _Bad(f"The server was started again {window.restarts} times while version {version} took part.")
            verdict = judge(window)
            if verdict.state == "good":
                return verdict.reason
            if verdict.state == "bad":
                raise _Bad(verdict.reason)
            did = window.did(version, role)
            if did.requests != ended or not did.at_work:
                ended, moved = did.requests, time.monotonic()
            elif time.monotonic() - moved > self.limits.stuck:
                raise _Bad(
                    f"Version {version} is at work on {did.at_work} requests, and has ended none for {self.limits.stuck:g} seconds."
                )
            if (self.kept.now() - begun).total_seconds() > self.limits.deadline:
                raise _Bad(f"Not enough requests in {self.limits.deadline:g} seconds. {verdict.reason}")

    def _metrics(self) -> str:
        """The server's; one that is started again is waited for.

        Raises:
            _Bad: it does not answer for too long.
        """
        since = time.monotonic()
        while True:
            try:
                return self.server.metrics()
            except NO_ANSWER as error:
                if time.monotonic() - since > self.limits.silent:
                    raise _Bad(
                        f"The server has given no metrics for {self.limits.silent:g} seconds ({error})."
                    ) from None
            self.wait(self.poll)

    def _follow(self, wanted: Traffic) -> None:
        """Waits until the server follows the traffic file.

        Raises:
            _Bad: it does not.
        """
        since, found = time.monotonic(), ""
        while True:
            self._require_unchanged(wanted)
            try:
                answer: Any = self.server.traffic()
                if not answer.get("fault") and all(answer.get(name) == value for name, value in vars(wanted).items()):
                    return
                found = answer.get("fault") or answer.get("error") or f"it has {answer}"
            except NO_ANSWER as error:
                found = str(error)
            if time.monotonic() - since > self.limits.follow:
                raise _Bad(f"The server does not follow the traffic file: {found}")
            self.wait(min(self.poll, 0.5))

    def _require_unchanged(self, wanted: Traffic) -> None:
        try:
            now = self.registry.serving()
        except TrafficError as error:
            raise _Bad(str(error)) from None
        if now is not None and now != wanted:
            raise _TakenOver(f"Who answers was changed by another command. {shown(now)}")

    def _require_server(self, served: Traffic) -> None:
        try:
            answer: Any = self.server.traffic()
        except NO_ANSWER as error:
            raise ReleaseError(
                f"No server answers at {self.server.url} ({error}). Start it, or name another one."
            ) from None
        if answer.get("champion") != served.champion:
            raise ReleaseError(
                f"The server at {self.server.url} does not follow {traffic.path(self.registry.folder)}: it says {answer}."
            )

    # --- ending

    def _take_back(self, one: Outcome) -> None:
        """The version that answered before answers again. What another command has changed stays."""
        told = {"why": f"{_label(one)} taken back. {one.reason}", "who": one.who}
        steps = self._steps(one)
        try:
            now = self.registry.serving()
        except TrafficError:  # the registry writes it again, before it changes anything
            now = steps[one.step]
        if now is None or one.version not in (now.champion, now.challenger, now.shadow) or one.champion is None:
            return
        last = [step for step in self.registry.history() if step.state == "done"][-1:]
        if last and last[0].after == now and last[0].why.startswith(_label(one)):
            self._unless_busy(functools.partial(self.registry.rollback, **told))
        else:
            if now.challenger == one.version:
                self._unless_busy(functools.partial(self.registry.challenge, None, **told))
            if now.shadow == one.version:
                self._unless_busy(functools.partial(self.registry.shadow, None, **told))
        try:
            self._follow(steps[SMOKE])
        except (_Bad, _TakenOver) as why:
            self.tell(f"  taken back in the registry, but: {why}")

    def _end_back(self, one: Outcome, state: str, reason: str) -> Outcome:
        """Takes back, and ends; the reason is recorded first, so that a kill in between leaves to be taken back what is to be."""
        one = self.kept.keep(dataclasses.replace(one, reason=reason))
        self._take_back(one)
        return self._end(one, state, reason)

    def _end(self, one: Outcome, state: str, reason: str) -> Outcome:
        ended = self.kept.keep(dataclasses.replace(one, state=state, reason=reason))
        self.tell(f"{capital(str(ended))}, {state}{'' if state == RELEASED else f' at {one.step}'}: {reason}")
        return ended

    # --- the registry

    def _entry(self, version: int | str | None) -> Any:
        """The registered version that is meant."""
        if version is not None:
            entry = self.registry.find(version)
            if not entry.version:
                raise ReleaseError(
                    f"{entry} has its files in {entry.source}, which no server of {self.registry.folder} reads."
                )
            return entry
        placed = [one for one in self.registry.versions() if one.version and one.is_recorded]
        if not placed:
            raise ReleaseError("No version is registered yet. `registry sync` registers what a pipeline has pushed.")
        return max(placed, key=lambda one: int(one.version))

    def _unless_busy(self, step: Callable[[], object]) -> None:
        """A step, tried again while another command is at work for a moment."""
        since = time.monotonic()
        while True:
            try:
                step()
                return
            except Busy:
                if time.monotonic() - since > self.limits.follow:
                    raise
            self.wait(min(self.poll, 0.5))


def _label(one: Outcome) -> str:
    """How the registry's reasons of a release begin."""
    return f"Release {one.number}:"
