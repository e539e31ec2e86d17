"""A release, step by step: the real registry and the real model server's code and metrics, with versions that need no TensorFlow."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from types import SimpleNamespace

import lineage_store
import pytest
from lineage_store import FIRST_VERSION

from engines.lineage import Lineage
from operation import release as releasing
from operation.canary import Expected, Limits
from operation.release import ReleaseError, release
from operation.releases import (
    BEGUN,
    INTERRUPTED,
    NOTHING,
    REFUSED,
    RELEASED,
    ROLLED_BACK,
    TAKEN_OVER,
    Busy,
    RecordError,
    Releases,
)
from operation.staging import SmokeFailed
from serving import metrics, traffic
from serving.models import Versions
from serving.process import Client
from serving.registry import Registry
from serving.request_log import RequestLog
from serving.traffic import Traffic

pytestmark = pytest.mark.skipif(not find_spec("kserve"), reason="KServe is not installed")

ONE, TWO, THREE, FOUR = range(FIRST_VERSION, FIRST_VERSION + 4)
LIMITS = Limits(shadow=20, requests=20, deadline=60, stuck=0.2, silent=0.2, follow=1)


class Doubles:
    """A project whose rows have one column."""

    name, output, key, inputs, sample = "doubles", "half", ("x",), {"x": "FP32"}, ({"x": 1},)

    def check(self, rows):
        for number, row in enumerate(rows):
            if not isinstance(row.get("x"), int | float):
                raise ValueError(f"row {number}: no x.")
        return {"x": [row["x"] for row in rows]}

    def encode(self, columns):
        return [str(x).encode() for x in columns["x"]]


PROJECT = Doubles()


class World(Client):
    """A server in this process: each wait lets some seconds pass, in which clients ask, by ids of their own, what lies between 0 and 1."""

    def __init__(self, folder, log=None):
        from serving import server

        super().__init__("http://here", "doubles")
        self.faults, self.seconds, self.asked, self.statuses, self.each = {}, 0.0, 0, [], 25
        self.before_wait, self.is_down = lambda: None, False
        self.log = RequestLog(log) if log else None
        self.model = server.ServedModel(PROJECT, Versions(folder, self.version), self.log)
        self.look()

    def version(self, folder):
        world, number = self, int(folder.name)

        class Version:
            def predict(self, examples):
                fault = world.faults.get(number)
                world.seconds += 0.2 if fault == "slow" else 0.002
                xs = [float(one) for one in examples]
                if fault == "fails" and xs[0] > 0.8:
                    raise RuntimeError("a row that no example had")
                if fault == "nan" and xs[0] > 0.8:
                    return [math.nan for _ in xs]
                return [{"otherwise": 1 - x**4, "constant": 0.5}.get(fault, x / 2) for x in xs]

        return Version()

    def look(self):
        for _ in range(2):
            self.model.versions.look()

    def wait(self, _):
        self.seconds += 1
        self.before_wait()
        if not self.is_down:
            self.look()
            asyncio.run(self.load())
            self.model._shadow.submit(lambda: None).result()

    async def load(self):
        import httpx
        from kserve.model_repository import ModelRepository
        from starlette.applications import Starlette
        from starlette.routing import Route

        from serving import server

        app = Starlette(
            routes=[Route("/v1/models/{name:str}:predict", server._Predict)],
            exception_handlers={kind: server._refuse for kind in server.STATUS} | {Exception: server._fail},
        )
        held = ModelRepository()
        held.update(self.model)
        app.state.model, app.state.dataplane = self.model, server._DataPlane(model_registry=held)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            for _ in range(self.each):
                self.asked += 1
                row, head = {"x": self.asked * 0.618 % 1}, {"x-request-id": f"id-{self.asked}"}
                reply = await client.post("/v1/models/doubles:predict", json={"instances": [row]}, headers=head)
                self.statuses.append(reply.status_code)

    def metrics(self):
        from prometheus_client import REGISTRY, generate_latest

        if self.is_down:
            raise ConnectionRefusedError("down")
        return generate_latest(REGISTRY).decode()

    def traffic(self):
        self.look()
        served = self.model.versions.served
        return {**vars(served.traffic), "fault": served.fault}


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A registry of four versions, of which the first answers; and a copy of its database, with which each test begins."""
    store, _ = lineage_store.make(tmp_path_factory.mktemp("lineage"))
    folder = tmp_path_factory.mktemp("registry")
    for version in (ONE, TWO, THREE, FOUR):
        (folder / "serving" / str(version)).mkdir(parents=True)
        (folder / "serving" / str(version) / "saved_model.pb").write_text(f"model {version}")
    made = Registry(f"sqlite:///{folder}/registry.db", "delays", folder / "serving")
    made.sync(Lineage.of_file(store.path), "delays")
    made.promote(ONE, why="the first")
    _copy(folder / "registry.db", folder / "begin.db")
    return made


def _copy(database, to):
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


@pytest.fixture
def said():
    return []


@pytest.fixture
def registry(registered, said):
    folder = registered.folder.parent
    _copy(folder / "begin.db", folder / "registry.db")
    traffic.write(registered.folder, Traffic(ONE))
    return Registry(registered.uri, registered.name, registered.folder, tell=said.append)


@pytest.fixture
def world(registry, tmp_path, monkeypatch):
    made = World(registry.folder, tmp_path / "requests.jsonl")
    # Seconds are what versions say they take, so that nothing here depends on how busy the machine is.
    clock = SimpleNamespace(perf_counter=lambda: made.seconds, time=releasing.time.time)
    monkeypatch.setattr("serving.server.time", clock)
    yield made
    made.model.stop()


def smoke(folder, candidate, champion, project, given, rows):
    """Both versions as they say they are; the faults of these tests are in rows that no example has."""
    return Expected([x / 200 for x in range(80)], [x / 200 for x in range(80)])


@pytest.fixture
def go(registry, world, tmp_path, said):
    def run(version=TWO, **how):
        given = {"limits": LIMITS, "poll": 1, "wait": world.wait, "smoke": smoke, "log": tmp_path / "requests.jsonl"}
        given |= {"rows": [{"x": 0.5}], "folder": tmp_path / "releases", "tell": said.append, "who": "ann"}
        # One step, with half of the requests: a tenth of them has to be waited for five times as long.
        given |= {"shares": (0.5,)} | how
        return release(registry, world, f"{__name__}:PROJECT", version, **given)

    return run


@pytest.fixture
def in_canary(registry, world):
    """Has something done while a version answers half of the requests."""

    def at(act):
        world.before_wait = lambda: act() if traffic.read(registry.folder).share == 0.5 else None

    return at


def fail(error):
    raise error


def steps(registry) -> list[tuple[str, Traffic]]:
    return [(one.command, one.after) for one in registry.history() if one.state == "done"]


GOOD = [
    ("promote", Traffic(ONE)),
    ("shadow", Traffic(ONE, shadow=TWO)),
    ("challenge", Traffic(ONE, TWO, 0.1)),
    ("challenge", Traffic(ONE, TWO, 0.5)),
    ("promote", Traffic(TWO)),
]


def test_a_good_version_comes_to_all_clients_by_steps_that_are_recorded_with_their_reason(
    go, registry, world, said, tmp_path
):
    ended = go(why="better at night", shares=(0.1, 0.5))
    assert (ended.state, ended.version, ended.champion, ended.who) == (RELEASED, TWO, ONE, "ann")
    assert list(ended.found) == ["smoke", "shadow", "canary 10%", "canary 50%", "production"]
    assert steps(registry) == GOOD
    third = registry.history()[2]
    assert (third.who, third.why) == ("ann", "Release 1: canary 10%. better at night")
    assert set(world.statuses) == {200}
    assert Releases(tmp_path / "releases", lambda: None).all() == [ended]
    assert said[-1] == f"Release 1 (version {TWO}), released: Version {TWO} answers all requests."


def test_a_version_that_fails_for_rows_that_no_example_had_is_taken_back_before_a_client_sees_it(go, registry, world):
    world.faults[TWO] = "fails"
    ended = go()
    assert (ended.state, ended.step) == (ROLLED_BACK, "shadow")
    assert f"Version {TWO} failed for" in ended.reason
    assert steps(registry)[-2:] == [("shadow", Traffic(ONE, shadow=TWO)), ("rollback", Traffic(ONE))]
    assert set(world.statuses) == {200}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("fails", f"Version {TWO} failed for"),
        ("nan", "predictions that are no number"),
        ("slow", "for a request, and the champion"),
    ],
)
def test_a_version_that_fails_in_canary_is_taken_back_while_requests_go_on(fault, reason, go, registry, world):
    world.faults[TWO] = fault
    ended = go(limits=dataclasses.replace(LIMITS, shadow=0))
    assert (ended.state, ended.step) == (ROLLED_BACK, "canary 50%")
    assert reason in ended.reason
    assert traffic.read(registry.folder) == Traffic(ONE)
    assert steps(registry)[-1] == ("rollback", Traffic(ONE))
    assert registry.history()[-1].why == f"Release 1: taken back. {ended.reason}"
    assert set(world.statuses) == ({200, 500} if fault == "fails" else {200})
    before = len(world.statuses)
    world.wait(1)
    assert set(world.statuses[before:]) == {200}, "the champion answers all again"


@pytest.mark.parametrize("fault", ["otherwise", pytest.param("constant", marks=pytest.mark.long)])
def test_a_version_that_says_of_live_rows_what_it_did_not_say_of_the_examples_is_taken_back(fault, go, world):
    world.faults[TWO] = fault
    ended = go()
    assert (ended.state, ended.step) == (ROLLED_BACK, "shadow")
    assert "apart on live requests" in ended.reason
    without_log = go(log=None)
    assert (without_log.state, without_log.step) == (ROLLED_BACK, "shadow")
    assert "away from the champion's" in without_log.reason


def test_a_version_that_the_gate_knew_to_say_otherwise_is_released(go, world):
    world.faults[TWO] = "constant"
    x = [one / 200 for one in range(100)]
    assert go(smoke=lambda *_: Expected(x, [0.5] * len(x))).state == RELEASED


def test_the_distribution_of_predictions_decides_in_canary_too(go, world):
    world.faults[TWO] = "otherwise"
    ended = go(limits=dataclasses.replace(LIMITS, shadow=0, requests=100))
    assert (ended.state, ended.step) == (ROLLED_BACK, "canary 50%")
    assert "away from the champion's" in ended.reason


def test_a_version_that_does_not_pass_the_smoke_test_answers_nothing(go, registry):
    def refuse(*_):
        raise SmokeFailed("It says 0.1000 of row 3 when it is served, and 0.3000 by itself.")

    ended = go(smoke=refuse)
    assert (ended.state, ended.step, ended.reason[:7]) == (REFUSED, "smoke", "It says")
    assert steps(registry) == GOOD[:1]


def test_a_canary_without_requests_ends_by_the_clock_that_is_given(go, registry, world):
    import datetime

    world.each = 0
    days = iter(range(10_000))
    begin = datetime.datetime(2013, 1, 1, tzinfo=datetime.UTC)
    week = dataclasses.replace(LIMITS, deadline=7 * 86400)
    ended = go(now=lambda: begin + datetime.timedelta(days=next(days)), limits=week)
    assert (ended.state, ended.step, ended.at[:4]) == (ROLLED_BACK, "shadow", "2013")
    assert ended.reason.startswith("Not enough requests in 604800 seconds.")
    assert traffic.read(registry.folder) == Traffic(ONE)


def test_a_share_that_is_not_what_was_given_is_no_fair_comparison(go, world, monkeypatch):
    monkeypatch.setattr(Traffic, "choose", lambda _, name: "challenger" if name.endswith("00") else "champion")
    ended = go(limits=dataclasses.replace(LIMITS, shadow=0))
    assert (ended.state, ended.step) == (ROLLED_BACK, "canary 50%")
    assert "and was given 50%" in ended.reason


def test_a_version_that_keeps_requests_waiting_is_taken_back(go, world):
    world.each = 0
    with metrics.AT_WORK.labels(str(TWO)).track_inprogress():
        ended = go(limits=dataclasses.replace(LIMITS, shadow=0, deadline=1e9))
    assert (ended.state, ended.step) == (ROLLED_BACK, "canary 50%")
    assert "is at work on 1 requests, and has ended none" in ended.reason


def test_a_version_under_which_the_server_goes_down_is_taken_back_in_the_registry(go, registry, world, in_canary):
    in_canary(lambda: vars(world).update(is_down=True))
    ended = go()
    assert (ended.state, ended.step) == (ROLLED_BACK, "canary 50%")
    assert "no metrics for 0.2 seconds (down)" in ended.reason
    assert traffic.read(registry.folder) == Traffic(ONE)


def test_what_is_rolled_back_by_hand_meanwhile_stays_so(go, registry, in_canary):
    in_canary(lambda: registry.rollback(why="a complaint", who="bob"))
    ended = go()
    assert (ended.state, ended.step) == (TAKEN_OVER, "canary 50%")
    assert [one.who for one in registry.history()][-1] == "bob"
    assert traffic.read(registry.folder) == Traffic(ONE)


def test_a_released_version_is_taken_back_by_hand(go, registry):
    assert go().state == RELEASED
    registry.rollback(why="complaints")
    assert traffic.read(registry.folder).champion == ONE
    assert TWO not in traffic.read(registry.folder).versions


def test_without_a_version_the_newest_is_released_once(go, registry, world):
    world.faults[FOUR] = "fails"
    assert (go(None).state, go(FOUR).version) == (ROLLED_BACK, FOUR)
    again = go(None)
    assert (again.state, again.number) == (NOTHING, 0)
    assert again.reason.startswith(f"Release 2 (version {FOUR}) was rolled back: Version {FOUR} failed for")
    del world.faults[FOUR]
    assert go(FOUR).state == RELEASED
    assert (go(None).state, go(FOUR).reason) == (NOTHING, f"Version {FOUR} answers already.")
    registry.promote(TWO)
    registry.promote(FOUR)


def test_the_first_version_has_no_champion_to_be_compared_with(registry, go):
    traffic.write(registry.folder, None)
    ended = go(FOUR)
    assert (ended.state, ended.champion, list(ended.found)) == (RELEASED, None, ["smoke", "production"])
    assert traffic.read(registry.folder) == Traffic(FOUR)


def test_what_cannot_be_released_is_told_before_anything_changes(go, registry, world, tmp_path):
    with pytest.raises(ReleaseError, match=r"Shares \[0.5, 0.1\]: write rising ones"):
        go(shares=(0.5, 0.1))
    with pytest.raises(ReleaseError, match=r"Shares \[1.0\]"):
        go(shares=(1.0,))
    with pytest.raises(ReleaseError, match=r"elsewhere.jsonl: there is no log of requests"):
        go(log=registry.folder / "elsewhere.jsonl")
    registry.challenge(THREE, 0.2)
    with pytest.raises(ReleaseError, match=f"Version {THREE} is the challenger. End that first"):
        go()
    registry.challenge(None)
    before = registry.history()
    other = Client("http://127.0.0.1:9", "doubles")
    with pytest.raises(ReleaseError, match=r"No server answers at http://127\.0\.0\.1:9"):
        release(registry, other, f"{__name__}:PROJECT", TWO, rows=[], folder=tmp_path / "releases")
    world.traffic = lambda: {"champion": 7}
    with pytest.raises(ReleaseError, match="does not follow"):
        go()
    assert registry.history() == before


def test_of_two_releases_at_once_the_second_is_told(go, world):
    told = []

    def second():
        world.before_wait = lambda: None
        with pytest.raises(Busy, match=r"A release by ann \(process \d+, since .*\) is releasing. Nothing was done."):
            go(THREE)
        told.append(True)

    world.before_wait = second
    assert go().state == RELEASED
    assert told


def test_a_release_that_is_stopped_takes_back_what_it_has_begun(go, registry, world, in_canary):
    in_canary(lambda: fail(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        go()
    assert traffic.read(registry.folder) == Traffic(ONE)
    world.before_wait = lambda: None
    assert go().state == RELEASED


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the release's own runs after it."""


@pytest.fixture
def kill(monkeypatch):
    """Has a release killed before the n-th of its writes: of its own record, or through the registry."""
    seen = {"left": -1}

    def watched(method):
        def call(*given, **how):
            seen["left"] -= 1
            if seen["left"] == 0:
                raise Killed
            return method(*given, **how)

        return call

    back = releasing._Release._end_back

    def unless_killed(self, one, state, reason):
        if "Killed" in reason:
            raise Killed
        return back(self, one, state, reason)

    monkeypatch.setattr(releasing._Release, "_end_back", unless_killed)
    monkeypatch.setattr(Releases, "keep", watched(Releases.keep))
    for name in ("promote", "challenge", "shadow", "rollback"):
        monkeypatch.setattr(Registry, name, watched(getattr(Registry, name)))

    return lambda number: seen.update(left=number)


@pytest.fixture
def killed_in_canary(go, world, kill, in_canary):
    """A release that was, of version 2."""
    in_canary(lambda: fail(Killed))
    with pytest.raises(Killed):
        go()
    world.before_wait = lambda: None


@pytest.mark.parametrize(
    ("fault", "places", "least"),
    [
        pytest.param("", range(1, 100), 14, id="good", marks=pytest.mark.long),
        pytest.param("fails", range(1, 100), 9, id="fails", marks=pytest.mark.long),
        pytest.param("fails", (6, 8), 8, id="fails, before it is recorded why, and before it is recorded as ended"),
    ],
)
def test_killed_at_any_of_its_writes_a_release_goes_on_and_does_nothing_twice(
    fault, places, least, go, registry, world, kill, said, tmp_path
):
    world.faults[TWO] = fault
    few = dataclasses.replace(LIMITS, shadow=0 if fault else 5, requests=5)
    expected = [("challenge", Traffic(ONE, TWO, 0.5)), ("rollback", Traffic(ONE))] if fault else [*GOOD[1:2], *GOOD[3:]]
    for number in places:
        traffic.write(registry.folder, Traffic(ONE))
        registry.challenge(None)
        before = len(registry.history())
        kill(number)
        try:
            go(limits=few)
            break
        except Killed:
            kill(-1)
            ended = go(limits=few)
            assert ended.state == (ROLLED_BACK if fault else RELEASED), number
            done = [one for one in registry.history()[before:] if one.state == "done" and one.why.startswith("Release")]
            assert [(one.command, one.after) for one in done] == expected, number
    assert number >= least
    assert all(one.state != BEGUN for one in Releases(tmp_path / "releases", lambda: None).all())


def test_a_release_that_was_killed_is_taken_back_where_another_version_is_asked_for(
    go, registry, world, killed_in_canary, said, tmp_path
):
    assert traffic.read(registry.folder) == Traffic(ONE, TWO, 0.5)
    assert go(THREE).state == RELEASED
    first, second = Releases(tmp_path / "releases", lambda: None).all()
    assert (first.state, second.version) == (INTERRUPTED, THREE)
    told = "was cut off at its step canary 50%. Another version is asked for: it is taken back."
    assert f"Release 1 (version {TWO}) {told}" in said


def test_a_release_that_was_killed_does_not_go_on_over_what_was_changed_by_hand(go, registry, killed_in_canary):
    registry.rollback(why="it failed, and no one watched", who="bob")
    ended = go(None)
    assert (ended.state, ended.number) == (TAKEN_OVER, 1)
    assert "(rollback of version" in ended.reason or "by bob" in ended.reason
    assert traffic.read(registry.folder) == Traffic(ONE)


def test_a_record_that_was_broken_by_hand_is_named(tmp_path):
    (tmp_path / "history.jsonl").write_text('{"number": 1}\n')
    with pytest.raises(RecordError, match=r"history.jsonl, line 1: no release .* Mend the line"):
        Releases(tmp_path, lambda: None).all()
