"""The registry: versions registered as the metadata store tells them, names and traffic moved together, disagreements named."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
import signal
import sqlite3
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lineage_store
import pytest
from lineage_store import FIRST_VERSION, checksum

from engines import mlflow_store
from engines.lineage import Lineage
from serving import registered, traffic
from serving.models import Refused
from serving.registry import Busy, Registry, RegistryError
from serving.traffic import Traffic, TrafficError

ONE, TWO, THREE, FOUR = range(FIRST_VERSION, FIRST_VERSION + 4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store in which pipeline `delays` has pushed four versions; models by name."""
    return lineage_store.make(tmp_path_factory.mktemp("lineage"))


@pytest.fixture(scope="module")
def at(made):
    return made[1]


@pytest.fixture(scope="module")
def lineage(made):
    return Lineage.of_file(made[0].path)


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One store of MLflow for all tests: each registers a model of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/registry.db"


@pytest.fixture
def folder(tmp_path):
    """The four versions as Pusher left them."""
    return make_versions(tmp_path / "serving")


def make_versions(folder: Path) -> Path:
    for version in (ONE, TWO, THREE, FOUR):
        (folder / str(version)).mkdir(parents=True)
        (folder / str(version) / "saved_model.pb").write_text(f"model {version}")
    return folder


@pytest.fixture
def said():
    return []


@pytest.fixture
def empty(uri, folder, request, said):
    return Registry(uri, f"{request.node.name[:200]}", folder, tell=said.append)


@pytest.fixture(scope="module")
def synced(uri, lineage, tmp_path_factory):
    registry = Registry(uri, "synced", make_versions(tmp_path_factory.mktemp("synced") / "serving"))
    registry.sync(lineage, "delays")
    return registry


@pytest.fixture
def registry(empty, synced):
    """With the four versions: what MLflow has written of them for `synced`, under another name and with another folder."""
    with sqlite3.connect(synced.uri.removeprefix("sqlite:///")) as store:
        for table in ("registered_models", "model_versions", "model_version_tags"):
            columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
            others = {"name": ":name", "source": "replace(source, :from, :to)"}
            store.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) "
                f"SELECT {', '.join(others.get(one, one) for one in columns)} FROM {table} WHERE name = :synced",
                {"name": empty.name, "synced": synced.name}
                | {"from": synced.folder.as_uri(), "to": empty.folder.as_uri()},
            )
    store.close()
    return empty


def test_the_registry_of_these_tests_is_one_that_was_synced(registry, lineage):
    assert [(one.number, one.source) for one in registry.versions()] == [
        (number, (registry.folder / str(version)).as_uri())
        for number, version in enumerate((ONE, TWO, THREE, FOUR), start=1)
    ]
    assert registry.sync(lineage, "delays") == []
    assert registry.check(lineage, "delays") == []


def roles(registry) -> dict[str, int]:
    """What is named, in the registry."""
    return {role: int(entry.version) for entry in registry.versions() for role in entry.roles}


def served(registry) -> Traffic | None:
    return traffic.read(registry.folder)


# --- registering ------------------------------------------------------------------------------------------------------


def test_each_pushed_version_is_registered_once_where_it_lies(empty, lineage):
    new = empty.sync(lineage, "delays")
    assert [(one.number, one.version) for one in new] == [(1, str(ONE)), (2, str(TWO)), (3, str(THREE)), (4, str(FOUR))]
    assert new[2].source == (empty.folder / str(THREE)).as_uri()
    assert empty.sync(lineage, "delays") == []
    assert empty.versions() == new
    assert served(empty) is None, "to register is not to serve"


def test_a_version_is_registered_with_where_it_comes_from(empty, lineage, at):
    first, _, warm, again = empty.sync(lineage, "delays", lambda folder: {"auc": 0.7123456789, "auc/origin:JFK": 0.6})
    [use] = json.loads(first.tags["trained_on"])
    assert use == {"path": "span-01/flights.csv", "span": 1, "checksum": checksum(1), "splits": ["train"]}
    assert [use["span"] for use in json.loads(first.tags["judged_on"])] == [2]
    assert json.loads(first.tags["code"])["Trainer"] == "code of Trainer"
    assert json.loads(first.tags["settings"]) == {"learning_rate": 0.003}
    assert (first.tags["model"], first.tags["run"], first.tags["pipeline"]) == (str(at["first"]), "delays-1", "delays")
    assert (first.tags["schema"], first.tags["blessed_by"]) == ("0abc", "Evaluator")
    assert not {"baseline", "base_model", "inherited", "trial"} & first.tags.keys()
    assert first.metrics == {"auc": 0.712346, "auc/origin:JFK": 0.6}
    assert (warm.tags["baseline"], warm.tags["base_model"]) == (str(at["first"]), str(at["first"]))
    assert json.loads(warm.tags["trial"]) == {"dropout": 0.2}
    assert [use["span"] for use in json.loads(warm.tags["trained_on"])] == [2]
    assert [use["span"] for use in json.loads(warm.tags["inherited"])] == [1]
    assert warm.spans == [1, 2]
    assert again.spans == [1], "the baseline's months are not its own"


def test_what_is_gone_or_is_not_what_was_trained_is_not_registered(empty, lineage, made, at, said):
    shutil.rmtree(empty.folder / str(ONE))
    trained = Path(lineage.model(at["again"]).uri) / "Format-Serving"
    trained.mkdir()
    try:
        (trained / "saved_model.pb").write_text("another model")
        assert [one.version for one in empty.sync(lineage, "delays")] == [str(TWO), str(THREE)]
    finally:
        shutil.rmtree(trained)
    assert said == [
        f"Version {ONE} was pushed, and is gone from {empty.folder}: not registered.",
        f"Version {FOUR}: the files in {empty.folder}/{FOUR} are not those of model {at['again']}, which was pushed: not registered.",
    ]


def test_a_server_of_mlflow_is_refused_as_it_takes_no_folder(folder):
    with pytest.raises(ValueError, match=r"http://localhost:5000: a server of MLflow registers no folder"):
        Registry("http://localhost:5000", "model", folder)


def test_a_folder_whose_name_has_spaces_and_signs_is_the_same_when_read_back(uri, folder, lineage):
    folder = folder.rename(folder.parent / "häuser & 50% #1?")
    registry = Registry(uri, "signs", folder)
    assert [one.version for one in registry.sync(lineage, "delays")] == [str(ONE), str(TWO), str(THREE), str(FOUR)]
    assert registry.promote(ONE).after == Traffic(ONE)


# --- steps ------------------------------------------------------------------------------------------------------------


def test_a_promotion_moves_name_and_traffic_and_is_recorded(registry):
    step = registry.promote(THREE, why="better at JFK", who="ann")
    assert served(registry) == Traffic(THREE)
    assert roles(registry) == {"champion": THREE}
    assert registry.history() == [step]
    assert (step.number, step.command, step.version, step.who, step.why) == (
        1,
        "promote",
        THREE,
        "ann",
        "better at JFK",
    )
    assert (step.before, step.after, step.state) == (Traffic(FOUR), Traffic(THREE), "done")
    assert step.when.endswith("+00:00")


def test_a_command_asks_mlflow_once_for_the_versions(registry, lineage, monkeypatch):
    """It reads them with all their tags, which takes longer than what the command changes."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    asked, search = [], SqlAlchemyStore.search_model_versions

    def counted(*given, **named):
        asked.append(given)
        return search(*given, **named)

    monkeypatch.setattr(SqlAlchemyStore, "search_model_versions", counted)
    for command in (
        lambda: registry.promote(ONE),
        registry.rollback,
        registry.versions,
        lambda: registry.sync(lineage),
    ):
        command()
        assert len(asked) == 1
        asked.clear()


def test_challenger_and_shadow_come_and_go_and_a_promotion_ends_the_challenge(registry):
    registry.promote(ONE)
    registry.challenge(THREE, 0.25)
    registry.shadow(FOUR)
    assert served(registry) == Traffic(ONE, THREE, 0.25, FOUR)
    assert roles(registry) == {"champion": ONE, "challenger": THREE, "shadow": FOUR}
    registry.promote("challenger")
    assert served(registry) == Traffic(THREE, shadow=FOUR)
    assert roles(registry) == {"champion": THREE, "shadow": FOUR}
    registry.challenge(FOUR)
    assert served(registry) == Traffic(THREE, FOUR, 0.1)
    registry.challenge(None)
    registry.shadow(ONE)
    registry.shadow(None)
    assert served(registry) == Traffic(THREE)
    assert roles(registry) == {"champion": THREE}


def test_a_version_is_meant_by_its_folder_first_then_by_its_number(registry):
    assert registry.find(3).version == str(THREE)
    assert registry.find(str(TWO)).number == 2
    registry.promote(4)
    assert registry.find("champion").version == str(FOUR)


def test_a_second_promotion_of_the_same_version_is_no_step(registry, said):
    registry.promote(ONE)
    assert registry.promote(ONE) is None
    assert len(registry.history()) == 1
    assert said == [f"Version {ONE} answers. That is so already."]


def test_a_roll_back_takes_back_step_after_step_and_gives_what_it_took_back_no_part(registry):
    registry.promote(ONE)
    registry.promote(THREE)
    registry.challenge(FOUR, 0.5)
    registry.promote(FOUR)
    step = registry.rollback(why="complaints")
    assert (step.command, step.version, step.why, step.undoes) == ("rollback", FOUR, "complaints", 4)
    assert served(registry) == Traffic(THREE), "not the challenge of the version that was taken back"
    registry.rollback()
    assert served(registry) == Traffic(ONE)
    assert roles(registry) == {"champion": ONE}
    registry.promote(TWO)
    registry.rollback()
    assert served(registry) == Traffic(ONE)
    registry.rollback()
    assert served(registry) == Traffic(FOUR), "the newest, which answered before there was a traffic file"
    with pytest.raises(RegistryError, match=f"no step to take back: version {FOUR} is all that has answered"):
        registry.rollback()


def test_a_roll_back_ends_a_challenge(registry):
    registry.promote(ONE)
    registry.challenge(THREE)
    registry.rollback()
    assert served(registry) == Traffic(ONE)


def test_a_roll_back_leaves_out_a_challenger_that_is_gone_and_refuses_a_champion_that_is(registry):
    registry.promote(ONE)
    registry.challenge(TWO)
    registry.promote(THREE)
    registry.challenge(None)
    registry.promote(FOUR)
    shutil.rmtree(registry.folder / str(TWO))
    registry.rollback()
    registry.rollback()
    assert served(registry) == Traffic(ONE)
    shutil.rmtree(registry.folder / str(FOUR))
    shutil.rmtree(registry.folder / str(THREE))
    with pytest.raises(RegistryError, match=f"Version {FOUR} is gone"):
        registry.rollback()
    assert served(registry) == Traffic(ONE)


# --- what cannot be ---------------------------------------------------------------------------------------------------


def by_hand(registry, version: int | str = FOUR, source: str = "", **tags: str) -> int:
    """Registers as MLflow's pages and its client do."""
    with mlflow_store.opened(registry.uri) as client:
        place = source or (registry.folder / str(version)).as_uri()
        return int(client.create_model_version(registry.name, place, tags=tags, await_creation_for=0).version)


def alias(registry, role: str, number: int) -> None:
    with mlflow_store.opened(registry.uri) as client:
        client.set_registered_model_alias(registry.name, role, str(number))


def gone(registry):
    shutil.rmtree(registry.folder / str(THREE))
    return THREE, "is gone from"


def changed(registry):
    (registry.folder / str(THREE) / "more").write_text("x")
    return THREE, r"Version \d+ \(number 3\) has other files than when it was registered"


def unknown(registry):
    return 77, "There is no version '77'. Registered are"


def unregistered(registry):
    (registry.folder / "9").mkdir()
    return 9, "Version 9 lies in .* and is not registered"


def elsewhere(registry):
    number = by_hand(registry, source="file:///tmp/copy/1700000103")
    return number, r"Version \? \(number 5\) has its files in file:///tmp/copy/1700000103, and a server reads"


def without_lineage(registry):
    (registry.folder / "9").mkdir()
    return by_hand(registry, 9), "was registered by hand, without where it comes from"


@pytest.mark.parametrize("case", [gone, changed, unknown, unregistered, elsewhere, without_lineage])
def test_what_cannot_be_promoted_changes_nothing_and_is_told(case, registry):
    registry.promote(ONE)
    version, words = case(registry)
    for change in (registry.promote, registry.challenge, registry.shadow):
        with pytest.raises(RegistryError, match=words):
            change(version)
    assert served(registry) == Traffic(ONE)
    assert roles(registry) == {"champion": ONE}
    assert len(registry.history()) == 1


def test_a_version_that_cannot_be_served_is_refused_before_it_is(registry):
    def attempt(place):
        raise Refused(f"{place.name} cannot be loaded")

    registry.promote(ONE)
    refusing = Registry(registry.uri, registry.name, registry.folder, attempt=attempt)
    with pytest.raises(
        RegistryError, match=rf"\(number 3\) cannot be served: {THREE} cannot be loaded. Nothing has changed"
    ):
        refusing.promote(THREE)
    assert served(registry) == Traffic(ONE)
    registry.promote(THREE)
    assert refusing.rollback().after == Traffic(ONE), "what has answered before is not tried again"


def test_the_champion_is_no_challenger_and_a_share_is_a_share(registry):
    registry.promote(ONE)
    for change in (registry.challenge, registry.shadow):
        with pytest.raises(RegistryError, match=f"Version {ONE} is the champion"):
            change(ONE)
    for share in (0, -0.1, 1.5, float("nan")):
        with pytest.raises(RegistryError, match="write a share of the requests"):
            registry.challenge(TWO, share)
    assert served(registry) == Traffic(ONE)


def test_nothing_registered_and_nothing_pushed_are_told(empty, uri, tmp_path):
    with pytest.raises(RegistryError, match="not registered"):
        empty.promote(ONE)
    with pytest.raises(RegistryError, match="None is registered yet"):
        empty.promote("challenger")
    assert (empty.versions(), empty.history()) == ([], [])
    with pytest.raises(RegistryError, match=r"no such folder\. Run the pipeline first"):
        Registry(uri, "none", tmp_path / "nowhere" / "serving").versions()


# --- two at once ------------------------------------------------------------------------------------------------------


def test_of_two_promotions_at_once_one_is_done_and_the_other_is_told(registry):
    begun, go_on, steps = threading.Event(), threading.Event(), []

    def attempt(place):
        begun.set()
        assert go_on.wait(60)

    slow = Registry(registry.uri, registry.name, registry.folder, attempt=attempt)
    first = threading.Thread(target=lambda: steps.append(slow.promote(THREE, who="ann")))
    first.start()
    try:
        assert begun.wait(60)
        with pytest.raises(Busy, match=r"promote by ann \(process \d+\) is at work on .*Nothing has changed"):
            registry.promote(ONE, who="ben")
        with pytest.raises(Busy):
            registry.rollback()
    finally:
        go_on.set()
        first.join(60)
    assert served(registry) == Traffic(THREE)
    assert registry.history() == steps
    assert registry.promote(ONE).number == 2


def test_a_promotion_waits_for_one_who_looks(registry):
    looking, looked, steps = threading.Event(), threading.Event(), []

    def look():
        with registry._reading():
            looking.set()
            assert looked.wait(60)

    first = threading.Thread(target=look)
    second = threading.Thread(target=lambda: steps.append(registry.promote(ONE)))
    first.start()
    try:
        assert looking.wait(60)
        second.start()
        second.join(0.2)
        assert steps == []
    finally:
        looked.set()
        first.join(60)
        second.join(60)
    assert steps == registry.history()


# --- killed -----------------------------------------------------------------------------------------------------------


def forked(work: Callable[[], object]) -> tuple[int, Any]:
    """Has something done in a process of its own: how that ended, and what it gave."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, json.dumps(work()).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        given = told.read()
    return os.waitpid(pid, 0)[1], json.loads(given or "null")


def die_at(number: int) -> None:
    """This process kills itself before a file is moved or the database commits, the so manieth time."""
    import sqlalchemy

    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(connection, cursor, statement, *_):
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            connection.info["writes"] = True

    def commit(connection):
        if connection.info.pop("writes", False):
            count()

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", execute)
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "commit", commit)
    sys.addaudithook(lambda event, _: count() if event == "os.rename" else None)


@pytest.fixture
def killed(command, uri, folder, lineage, tmp_path):
    """What was found after each death, of a promotion of the third version or of a roll-back to the first; the second was the champion.

    Each process is forked from this one, which has MLflow imported, and opens a store that is not open here.
    """
    registry = Registry(uri, f"killed-{command}", folder)
    registry.sync(lineage, "delays")
    registry.promote(ONE)
    registry.promote(TWO)
    file, written = tmp_path / "copy.db", traffic.path(folder)
    shutil.copy(uri.removeprefix("sqlite:///"), file)
    kept = file.read_bytes(), written.read_bytes()

    def copy(said: list[str] | None = None) -> Registry:
        return Registry(f"sqlite:///{file}", registry.name, folder, tell=([] if said is None else said).append)

    def change(at: int) -> None:
        die_at(at)
        copy().promote(THREE) if command == "promote" else copy().rollback()

    def settle(at: int) -> None:
        die_at(at)
        copy().versions()

    def look() -> dict[str, Any]:
        said: list[str] = []
        asked = copy(said)
        return {"roles": roles(asked), "steps": [one.state for one in asked.history()], "said": said}

    def tried(at: int, again: int) -> tuple[dict[str, Any], int]:
        """A change that is cut off, perhaps a settling of it that is cut off as well, and what is found then."""
        file.write_bytes(kept[0])
        written.write_bytes(kept[1])
        status, _ = forked(lambda: change(at))
        between = traffic.read(folder).champion
        cut = forked(lambda: settle(again))[0] if again else 0
        found = forked(look)[1] | {"between": between, "after": traffic.read(folder).champion}
        left = [one.name for one in folder.parent.glob(".traffic*")]
        return found | {"left": left, "again": again, "status": status}, cut

    every = []
    for at in itertools.count(1):
        every.append(tried(at, 0)[0])
        if not every[-1]["status"]:
            return every
        for again in itertools.count(1) if every[-1]["said"] and command == "promote" else ():
            found, cut = tried(at, again)
            every.append(found)
            if not cut:
                break


@pytest.mark.parametrize(
    ("command", "after"), [pytest.param("promote", THREE, marks=pytest.mark.long), ("rollback", ONE)]
)
def test_killed_at_any_write_one_whole_version_is_served_and_the_next_command_agrees_and_says_so(
    command, after, killed
):
    """The process kills itself at each write in turn, before a file is moved or the database commits; and so does the one that settles what is left."""
    found = killed
    for one in found:
        assert one["between"] in (TWO, after)
        assert one["after"] == one["between"], "what is served goes on"
        assert one["roles"] == {"champion": one["after"]}
        assert one["left"] == []
        assert one["steps"][2:] in ([], ["done" if one["after"] == after else "interrupted"])
    once = [one for one in found if not one["again"]]
    assert [one["status"] for one in once] == [9, 9, 9, 9, 0]
    assert [one["between"] for one in once] == [TWO, TWO, after, after, after]
    said = [" ".join(one["said"]).partition(" was cut off ")[2].partition(":")[0] for one in once]
    before, behind = "before it came to be served", "after it had come to be served"
    assert said == ["", before, behind, behind, ""]
    if command == "promote":
        assert Counter(one["again"] for one in found) == {0: 5, 1: 3, 2: 3, 3: 1}
    assert all(len(one["steps"]) == 3 for one in found[1:])


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_all_that_agrees_has_no_disagreement(registry, lineage):
    assert registry.check(lineage, "delays") == []
    registry.promote(ONE)
    registry.challenge(TWO)
    registry.rollback()
    assert registry.check(lineage, "delays") == []


def copied(registry):
    by_hand(registry, source="file:///home/ann/copy/1700000103", pipeline="delays")
    return [
        "Version ? (number 5) has its files in file:///home/ann/copy/1700000103, which no server of {folder} reads: a copy, or another model."
    ]


def other_pipeline(registry):
    by_hand(registry, source="file:///other/serving/8", pipeline="cancellations")
    return [
        "Version ? (number 5) comes from pipeline cancellations, and {name} is the model of delays.",
        "Version ? (number 5) has its files in file:///other/serving/8, which no server of {folder} reads: a copy, or another model.",
    ]


def alias_moved(registry):
    alias(registry, "champion", 3)
    return [f"Alias champion is on version {THREE} (number 3), and traffic.json has version {ONE}."]


def alias_added(registry):
    alias(registry, "challenger", 2)
    return [f"Alias challenger is on version {TWO} (number 2), and traffic.json has no challenger."]


def alias_removed(registry):
    with mlflow_store.opened(registry.uri) as client:
        client.delete_registered_model_alias(registry.name, "champion")
    return [f"Alias champion is on no version, and traffic.json has version {ONE}."]


def traffic_edited(registry):
    traffic.write(registry.folder, Traffic(TWO))
    return [f"Alias champion is on version {ONE} (number 1), and traffic.json has version {TWO}."]


def traffic_removed(registry):
    traffic.write(registry.folder, None)
    return [f"Alias champion is on version {ONE} (number 1), and the newest, version {FOUR}, answers."]


def traffic_broken(registry):
    traffic.path(registry.folder).write_text("{")
    return ["The traffic file cannot be followed: "]


def folder_gone(registry):
    shutil.rmtree(registry.folder / str(ONE))
    return [
        f"Traffic.json has version {ONE} as champion, which is gone from {{folder}}.",
        f"Version {ONE} (number 1) is gone from {{folder}}.",
    ]


def files_changed(registry):
    (registry.folder / str(TWO) / "saved_model.pb").write_text("edited")
    return [f"Version {TWO} (number 2) has other files than when it was registered."]


def folder_added(registry):
    (registry.folder / "9").mkdir()
    return ["Version 9 lies in {folder}, and the metadata store has no push of it: it came by hand, or is half of one."]


def served_unregistered(registry):
    (registry.folder / "9").mkdir()
    traffic.write(registry.folder, Traffic(9))
    return [
        f"Alias champion is on version {ONE} (number 1), and traffic.json has version 9.",
        "Version 9 answers as champion, and the registry does not know where it comes from.",
        "Version 9 lies in {folder}, and the metadata store has no push of it: it came by hand, or is half of one.",
    ]


def registered_twice(registry):
    by_hand(registry, TWO)
    return [
        f"Version {TWO} (number 5) was registered by hand: the registry does not say where it comes from.",
        f"Version {TWO} (number 5) is registered twice: number 2 is the same folder.",
    ]


def deleted(registry):
    with mlflow_store.opened(registry.uri) as client:
        client.delete_model_version(registry.name, "4")
    return [f"Version {FOUR} was pushed and is not registered."]


def foreign_store(registry):
    (registry.folder / "9").mkdir()
    by_hand(registry, 9, pipeline="delays", checksum=registered.checksum(registry.folder / "9"))
    return [
        "Version 9 lies in {folder}, and the metadata store has no push of it: it came by hand, or is half of one.",
        "Version 9 (number 5) is registered as pushed, and the metadata store has no push of it.",
    ]


DISAGREEMENTS = [
    copied,
    other_pipeline,
    alias_moved,
    alias_added,
    alias_removed,
    traffic_edited,
    traffic_removed,
    traffic_broken,
    folder_gone,
    files_changed,
    folder_added,
    served_unregistered,
    registered_twice,
    deleted,
    foreign_store,
]


@pytest.mark.parametrize("spoil", DISAGREEMENTS)
def test_each_disagreement_is_named_and_nothing_else(spoil, registry, lineage):
    registry.promote(ONE)
    expected = [one.format(folder=registry.folder, name=registry.name) for one in spoil(registry)]
    before = traffic.path(registry.folder)
    written = before.read_bytes() if before.is_file() else b""
    found = registry.check(lineage, "delays")
    assert [one[: len(other)] for one, other in zip(found, expected, strict=True)] == expected
    assert (before.read_bytes() if before.is_file() else b"") == written, "to check is not to change"


def test_what_was_moved_by_hand_is_put_in_agreement_with_what_is_served_by_the_next_step(registry, lineage, said):
    registry.promote(ONE)
    alias(registry, "champion", 3)
    alias(registry, "challenger", 2)
    assert roles(registry) == {"champion": THREE, "challenger": TWO}, "to list is not to repair"
    registry.sync(lineage, "delays")
    assert roles(registry) == {"champion": ONE}
    assert said == [
        f"Alias champion was on version {THREE} (number 3); it is on version {ONE} (number 1) now.",
        f"Alias challenger was on version {TWO} (number 2); it is on none now.",
    ]


def test_a_traffic_file_that_was_edited_is_followed_recorded_and_can_be_rolled_back(registry, said):
    registry.promote(ONE)
    traffic.write(registry.folder, Traffic(TWO, FOUR, 0.5))
    registry.promote(THREE)
    assert [(one.command, one.version, one.who) for one in registry.history()][1:] == [
        ("by hand", TWO, "unknown"),
        ("promote", THREE, registry.history()[-1].who),
    ]
    assert said[0].startswith(f"{traffic.path(registry.folder)} was changed by hand. Version {TWO} answers, version ")
    assert served(registry) == Traffic(THREE, FOUR, 0.5)
    assert registry.rollback().after == Traffic(TWO, FOUR, 0.5)
    assert registry.rollback().after == Traffic(ONE)


def test_a_traffic_file_that_cannot_be_followed_is_written_again(registry, said):
    traffic.path(registry.folder).write_text("{")
    with pytest.raises(TrafficError, match=r"traffic.json: no JSON"):
        registry.promote(ONE)
    traffic.write(registry.folder, None)
    registry.promote(ONE)
    traffic.path(registry.folder).write_text('{"champion": "three"}')
    assert registry.promote(ONE) is None
    assert served(registry) == Traffic(ONE)
    assert "It is written again as step 1 (promote of version" in said[0]


def test_a_step_is_the_same_when_read_back(registry):
    step = registry.promote(ONE, why='"quotes", ümlauts\nand lines ' + "x" * 5000)
    [kept] = registry.history()
    assert kept == step == dataclasses.replace(step)
