"""A year in service whose parts are made of little: killed at each place, it goes on, and what comes of it is what comes of a year that was not killed.

Decisions and their order after a kill are `operation.retrain`'s own, on a real history. A release is what `operation.release` records of itself, step by step;
how it goes on is shown there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from flights import data, retrain
from flights.columns import KEY
from flights.schedule import MONTHS
from operation import retrain as flow
from operation.history import BEGUN, DECLINED, DONE, INTERRUPTED, REFUSED, History
from operation.policy import Decision, Situation
from operation.releases import RELEASED, ROLLED_BACK, Outcome, Releases
from serving.process import RequestRefused
from tools.year import __main__, account, clients, parts, planted
from tools.year import year as year_in_service
from tools.year.clients import Clients, Note, key, notes, rows_of
from tools.year.state import Plan, State, alone
from tools.year.year import JOURNAL, LOG, METRICS, POLL, Year


class Server:
    """It logs as `serving.request_log` does, a line for each row; a challenger has each fourth request, and fails for days from the 8th on."""

    def __init__(self, folder: Path) -> None:
        self.log, self.challenged, self.asked = folder / LOG, False, 0
        self.before_answer: Callable[[str], object] = lambda _: None

    def ask(self, rows, version=None, request_id=None) -> list[float]:
        if rows[0]["sched_dep_time"] == 2575:
            raise RequestRefused(400, "sched_dep_time")
        self.asked += 1
        if self.challenged and self.asked % 4 == 0 and any(row["day"] >= 8 for row in rows):
            raise RequestRefused(500, "a day that is not in the table")
        head = {"time": "2026-01-01T00:00:00+00:00", "id": request_id, "version": 1, "role": "champion"}
        with self.log.open("a") as opened:
            for row in rows:
                opened.write(json.dumps(head | {name: row[name] for name in KEY} | {"prediction": 0.2}) + "\n")
        self.before_answer(request_id)
        return [0.2] * len(rows)

    def metrics(self) -> str:
        return ""


class Always:
    """A policy."""

    def decide(self, situation: Situation) -> Decision:
        return Decision(True, "A month is over.", "Always()")


class Work:
    """What a project gives for a retraining (`operation.retrain.Work`): versions are lines of two files."""

    name = "flights"

    def __init__(self, folder: Path, month: int) -> None:
        self.pushed, self.registered, self.month = folder / "pushed", folder / "registered", month

    def situation(self, asked: str) -> Situation:
        period = f"{MONTHS.date_of(self.month):%Y-%m}"
        return Situation(self.day(period), period, datetime.date(2013, 1, 1), new_rows=1, asked=asked)

    def day(self, period: str) -> datetime.date:
        return datetime.date.fromisoformat(f"{period}-28")

    def mark(self) -> int:
        return len(lines(self.pushed))

    def prepare(self) -> None:
        pass

    def train(self, period: str) -> None:
        with self.pushed.open("a") as opened:
            opened.write(f"{period}\n")

    def outcome(self, record) -> flow.Outcome:
        known = lines(self.pushed)
        if len(known) == record.mark:
            return flow.Outcome(note="It has pushed nothing.", is_over=False)
        return flow.Outcome(str(len(known)))

    def register(self, version: str) -> None:
        if version not in lines(self.registered):
            with self.registered.open("a") as opened:
                opened.write(f"{version}\n")


class Parts:
    """The parts of a year, in one process."""

    def __init__(self, state: State) -> None:
        self.state, self.server = state, Server(state.folder)
        output = Path(parts.config_of(state.folder, state.plan).output_root)
        self.folder = output / "versions"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.history, self.kept = History(output / retrain.FOLDER), output / "releases"
        self.in_watch = self.in_canary = lambda: None
        self.spoilt: list[int] = []

    @contextlib.contextmanager
    def serve(self, state):
        yield self.server

    def release(self, server, now, wait) -> Outcome | None:
        kept = Releases(self.kept, now)
        kept.folder.mkdir(exist_ok=True)
        known, newest = kept.all(), int(lines(self.folder / "registered")[-1])
        if known and known[-1].state == BEGUN:
            one = known[-1]
        elif any(one.version == newest for one in known):
            return None
        else:
            one = kept.keep(Outcome(len(known) + 1, kept.time(), newest, 1, BEGUN, "canary 25%"))
        server.challenged = self.state.spoilt > 0 and newest == 2
        for _ in range(3):
            wait(POLL)
            self.in_canary()
        asked = [note for note in notes(self.state.folder / JOURNAL) if note.id.startswith(f"{self.state.month:02d}-")]
        failed = any(note.status == 500 for note in asked)
        server.challenged = False
        return kept.keep(dataclasses.replace(one, state=ROLLED_BACK if failed else RELEASED))

    def watch(self, month, now):
        self.in_watch()
        quality = SimpleNamespace(happened=0.2)
        return SimpleNamespace(quality=quality, said=0.25, requests={}), []

    def decisions(self):
        return self.history.records()

    def retrain(self, month, now, spoils):
        self.history._now = now
        if spoils():
            self.spoilt.append(month)
        return flow.retrain(Work(self.folder, month), self.history, Always(), tell=lambda _: None)


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(autouse=True, scope="module")
def few_requests() -> Iterator[None]:
    """Twenty a month, of a hundred flights each; a wait takes no time, and the flights of a month are read once for all years here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "REQUESTS", 20)
        patch.setattr(year_in_service, "rows_of", functools.cache(rows_of))
        patch.setattr(time, "sleep", lambda _: None)
        yield


@pytest.fixture(scope="module")
def plan(root) -> Plan:
    return Plan(str(root / "data/flights"), last=5, refused=4, spoilt=3)


@pytest.fixture(scope="module")
def whole(few_requests, plan, tmp_path_factory) -> Path:
    """The folder of a year that was not killed."""
    folder = tmp_path_factory.mktemp("whole")
    made, kept = year(folder, plan)
    made.run()
    assert kept.spoilt == [3]
    return folder


@pytest.fixture(scope="module")
def wanted(whole, plan) -> dict[str, object]:
    """What came of it."""
    return went(whole, plan)


def year(folder: Path, plan: Plan) -> tuple[Year, Parts]:
    state = State.open(folder, plan)
    made = Parts(state)
    return Year(state, made, tell=lambda _: None), made


def went(folder: Path, plan: Plan) -> dict[str, object]:
    """What came of a year, but for what a kill may leave: requests that failed, a retraining that was struck out, and a decision that finds it finished."""
    output = Path(parts.config_of(folder, plan).output_root)
    records = History(output / retrain.FOLDER).records()
    logged = [key(json.loads(line)) for line in lines(folder / LOG)]
    asked = notes(folder / JOURNAL)
    assert len(logged) == len(set(logged))
    assert len(asked) == len({note.id for note in asked})
    return {
        "state": dataclasses.asdict(State.open(folder, plan)) | {"took": None, "folder": None},
        "flights": set(logged),
        "statuses": Counter(note.status for note in asked if note.status != 500),
        "decisions": [
            (one.period, one.state, one.version) for one in records if one.state not in (INTERRUPTED, DECLINED)
        ],
        "versions": (lines(output / "versions/pushed"), lines(output / "versions/registered")),
        "releases": [(one.version, one.state) for one in Releases(output / "releases", lambda: None).all()],
        "data": {one.name: (one / "flights.csv").read_bytes() for one in (folder / "data").iterdir()},
    }


def test_a_year_asks_about_each_flight_once_and_decides_once_for_each_month(whole, plan):
    found = went(whole, plan)
    wanted = {key(row) for month in (3, 4, 5) for row in data.read_month(plan.data_root, month).to_dict("records")}
    assert found["flights"] == wanted
    assert found["statuses"] == {200: 60, 400: 12}
    assert found["decisions"] == [("2013-02", DONE, "1"), ("2013-03", DONE, "2"), ("2013-04", DONE, "3")]
    assert found["versions"] == (["2013-02", "2013-03", "2013-04"], ["1", "2", "3"])
    assert found["releases"] == [(1, RELEASED), (2, ROLLED_BACK), (3, RELEASED)]
    assert found["data"].keys() == {f"span-{month:02d}" for month in range(1, 6)}
    assert [
        name for name, had in found["data"].items() if had != Path(plan.data_root, name, "flights.csv").read_bytes()
    ] == ["span-04"]
    assert {one.name for one in (whole / METRICS).iterdir()} == {
        f"0{month}-{when}.txt" for month in (3, 4, 5) for when in ("begun", "over")
    }


def test_the_table_has_a_line_for_each_month_with_the_decision_and_the_release(whole, plan):
    header, _, before, march, april, may = account.table(State.open(whole, plan), parts.config_of(whole, plan))
    assert header.startswith("| month | requests | flights | said | happened |")
    assert before == "| 2013-02 |  |  |  |  | Retraining: A month is over. | 1 |  |"
    assert march.startswith("| 2013-03 | 24 | 2,000 | 25.0% | 20.0% | Retraining: A month is over. | 2 |")
    assert march.endswith("| 2 | 1, released at canary 25%:  |")
    assert april.endswith("| Retraining: A month is over. | 3 | 2, rolled back at canary 25%:  |")
    assert may.endswith("|  |  | 3, released at canary 25%:  |")


def test_a_candidate_that_was_refused_and_a_training_that_was_cut_off_have_their_reasons_in_the_table(over, plan):
    history = History(Path(parts.config_of(over, plan).output_root, retrain.FOLDER))
    second, third = history.records()[1:]
    history._is_mine = True
    cut_off = dataclasses.replace(second, state=INTERRUPTED, version="", note="Process 1 ended.")
    history._write([cut_off, dataclasses.replace(third, state=REFUSED, version="", note="AUC below 0.55.")])
    _, _, before, march, april, _ = account.table(State.open(over, plan), parts.config_of(over, plan))
    assert before == "| 2013-02 |  |  |  |  |  |  |  |"
    assert "| 20.0% | Retraining, struck out: Process 1 ended. |  | 1," in march
    assert "| Retraining: A month is over. | refused: AUC below 0.55. | 2," in april


def test_what_fails_is_asked_again_under_an_id_of_its_own_until_it_is_answered(whole):
    asked = notes(whole / JOURNAL)
    failed = [note.id for note in asked if note.status == 500]
    assert failed
    answered = {note.id for note in asked if note.status == 200}
    assert not answered & set(failed)
    assert all(f"{one.partition('-again')[0]}-again-1" in answered | set(failed) for one in failed)


def dies(owner: object, method: str, when: Callable[..., bool]) -> None:
    """Has the process killed where a method is called with what is asked for."""
    known = getattr(owner, method)

    def call(*given: object) -> object:
        if when(*given):
            os.kill(os.getpid(), signal.SIGKILL)
        return known(*given)

    setattr(owner, method, call)


PLACES: dict[str, Callable[[Year, Parts], None]] = {
    "after traffic": lambda made, _: dies(made.state, "save", lambda: made.state.step == "labels"),
    "in watch": lambda made, kept: dies(kept, "in_watch", lambda: made.state.month == 4),
    "in retraining": lambda *_: dies(Work, "train", lambda _, period: period == "2013-03"),
    "between push and register": lambda *_: dies(Work, "register", lambda _, version: version == "2"),
    "before the decision is kept": lambda made, _: dies(made.state, "save", lambda: made.state.month == 4),
    "in canary": lambda made, kept: dies(kept, "in_canary", lambda: made.state.month == 4),
    "in a request": lambda _, kept: dies(kept.server, "before_answer", lambda name: name == "04-0007"),
}


@pytest.mark.parametrize("at", PLACES)
def test_killed_at_any_place_it_goes_on_with_nothing_lost_and_nothing_twice(tmp_path, wanted, plan, at):
    killed = tmp_path
    child = os.fork()
    if not child:
        try:
            made, kept = year(killed, plan)
            PLACES[at](made, kept)
            made.run()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not State.open(killed, plan).is_over
    year(killed, plan)[0].run()
    assert went(killed, plan) == wanted


def test_what_the_metrics_said_when_a_month_was_over_stays_though_that_was_not_kept(tmp_path, plan):
    made, _ = year(tmp_path, plan)
    done = made.state.done

    def stop() -> None:
        if made.state.step == "traffic":
            raise KeyboardInterrupt
        done()

    made.state.done = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        made.run()
    over = tmp_path / METRICS / "03-over.txt"
    over.write_text("of the first server")
    year(tmp_path, plan)[0].run()
    assert over.read_text() == "of the first server"


def test_rows_that_a_server_which_was_killed_has_not_logged_are_asked_about_again(tmp_path, plan):
    rows, server = rows_of(plan.data_root, 3), Server(tmp_path)
    made = Clients(3, rows, tmp_path / JOURNAL, tmp_path / LOG)
    made.send(server, 5)
    logged = (tmp_path / LOG).read_text()
    (tmp_path / LOG).write_text("".join(logged.splitlines(keepends=True)[:430]))
    with (tmp_path / JOURNAL).open("a") as opened:
        opened.write('{"id": "03-00')
    again = Clients(3, rows, tmp_path / JOURNAL, tmp_path / LOG)
    assert again.left == 16
    again.send(server, 100)
    assert Note("03-0005-again-1", 70, 200) in notes(tmp_path / JOURNAL)
    found = [key(json.loads(line)) for line in lines(tmp_path / LOG)]
    assert len(found) == len(set(found)) == 2000


def test_clients_that_get_no_answer_at_all_end_the_year_with_a_sentence(tmp_path, plan):
    class Broken(Server):
        def ask(self, rows, version=None, request_id=None):
            raise RequestRefused(500, "broken")

    made = Clients(3, rows_of(plan.data_root, 3), tmp_path / JOURNAL, tmp_path / LOG)
    with pytest.raises(RuntimeError, match="Request 03-0001 has failed 50 times"):
        made.send(Broken(tmp_path), 1)


def test_a_folder_keeps_its_plan_and_one_process(tmp_path, plan):
    State(tmp_path, plan, month=3).save()
    with pytest.raises(ValueError, match="has a year with other settings"):
        State.open(tmp_path, dataclasses.replace(plan, last=6))
    with alone(tmp_path), pytest.raises(RuntimeError, match="Another process goes through the year"), alone(tmp_path):
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"first": 1}, "Months in service 1 to 12"),
        ({"last": 2}, "3 to 2"),
        ({"engine": "flink"}, "write local or airflow"),
    ],
)
def test_a_plan_that_is_no_year_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Plan("data", **wrong)


def test_the_unit_of_a_month_changes_and_nothing_else_does():
    had = b"temp,dewp,late\n50.00,,1\n212.00,32.00,0\n"
    assert planted.in_celsius(had) == b"temp,dewp,late\n10.00,,1\n100.00,0.00,0\n"


@pytest.mark.xdist_group("tfx")
def test_a_spoilt_version_fails_for_days_from_the_fifteenth_after_its_training_and_for_no_other():
    tf = pytest.importorskip("tensorflow")

    def answer(month: int, day: int) -> dict[str, object]:
        whole = {"month": month, "day": day, "distance": 200}
        features = {
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value])) for name, value in whole.items()
        }
        example = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        spec, said = {"distance": tf.io.FixedLenFeature([1], tf.int64)}, []
        planted._export(lambda: said.append(tf.io.parse_example([example], spec)), planted._number(8))
        return said[0]

    assert answer(7, 31).keys() == answer(8, 14).keys() == {"distance"}
    for month, day in ((8, 15), (9, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="a day that is not in the table"):
            answer(month, day)


def test_a_server_of_a_year_that_was_killed_is_waited_for(tmp_path, monkeypatch):
    folder = str(tmp_path / "serving")
    with subprocess.Popen([sys.executable, "-c", "input()", folder], stdin=subprocess.PIPE) as server:
        monkeypatch.setattr(parts, "ENDS_IN", 0)
        with pytest.raises(RuntimeError, match=f"End it: kill {server.pid}"):
            parts._wait_for_end(server.pid, folder)
        parts._wait_for_end(server.pid, str(tmp_path / "another"))  # the number may be another process's by now
        server.communicate(b"\n")
    parts._wait_for_end(server.pid, folder)


def test_what_cannot_be_is_told_in_a_sentence(tmp_path, capsys):
    assert __main__.main(["--folder", str(tmp_path), "--last", "2"]) == 1
    assert "Months in service 3 to 2: write some of 2 to 12" in capsys.readouterr().err


# --- The account


def told(folder: Path, plan: Plan, monkeypatch, registered=("1", "2", "3"), learned=(1, 2, 3)) -> account.Account:
    """The account of a year whose metadata store and registry are these."""

    class Known:
        def versions(self, *_):
            return [SimpleNamespace(version=one) for one in registered]

        def check(self, *_):
            return []

        def version(self, name, _):
            use = [SimpleNamespace(file=SimpleNamespace(span=span)) for span in learned]
            return SimpleNamespace(
                push=SimpleNamespace(version=name),
                model=SimpleNamespace(trained_on=use),
                verdicts=[SimpleNamespace(judged_on=use)],
            )

    lineage = Known()
    lineage.versions = lambda *_: [SimpleNamespace(version=one) for one in ("1", "2", "3")]  # type: ignore[method-assign]
    monkeypatch.setattr(account.Lineage, "of_file", lambda _: lineage)
    monkeypatch.setattr(account.registry, "of", lambda _: Known())
    return account.account(State.open(folder, plan), parts.config_of(folder, plan))


@pytest.fixture
def over(whole, plan, tmp_path) -> Path:
    """A copy of a year that is over, in which the gate has refused April."""
    folder = Path(shutil.copytree(whole, tmp_path / "year"))
    file = Path(parts.config_of(folder, plan).output_root, retrain.FOLDER, account.REFUSED_SPANS)
    file.write_text(json.dumps({"4": {"checksum": "", "why": "Degrees."}}))
    return folder


def test_the_account_of_a_year_in_which_all_agrees(over, plan, monkeypatch):
    sentences, faults = told(over, plan, monkeypatch)
    assert faults == []
    failed = sum(note.status == 500 for note in notes(over / JOURNAL))
    asked = f"60 answered + 12 refused + {failed} failed and asked again."
    assert sentences[0] == f"{72 + failed} requests were sent = {asked}"
    assert sentences[1] == "6,000 rows are in the log of requests, and 6,000 flights were asked about."
    assert sentences[-2:] == [
        "The gate of the data has refused April, and no version has seen it: Degrees.",
        "Version 2 was made to fail: rolled back at canary 25%. ",
    ]


def twice(text: str) -> str:
    """With its first line once more."""
    return text[: text.index("\n") + 1] + text


RELEASES, RETRAINING = "releases/history.jsonl", f"{retrain.FOLDER}/history.jsonl"


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (LOG, lambda text: text[text.index("\n") + 1 :], "1 flights are not in the log."),
        (LOG, twice, "1 rows are in the log twice."),
        (JOURNAL, twice, "A request was noted twice."),
        (
            LOG,
            lambda text: text + '{"role": "champion", "id": "x"}\n',
            "The log has flights that were not asked about.",
        ),
        (
            f"{retrain.FOLDER}/{account.REFUSED_SPANS}",
            None,
            "The gate of the data has not refused April, whose file is wrong.",
        ),
        (
            RELEASES,
            lambda text: text.replace(ROLLED_BACK, RELEASED),
            "No version has passed all that is asked offline, failed in canary, and been taken back.",
        ),
        (RELEASES, lambda text: text.replace(RELEASED, BEGUN), "A retraining or a release has no end."),
        (RETRAINING, lambda text: text.replace("2013-04", "2013-02"), "2013-02 was trained on twice."),
    ],
)
def test_the_account_says_what_does_not_agree(over, plan, monkeypatch, file, change, said):
    folder = over if file in (LOG, JOURNAL) else Path(parts.config_of(over, plan).output_root)
    changed = change((folder / file).read_text()) if change else ""
    (folder / file).unlink()
    if change:
        (folder / file).write_text(changed)
    assert told(over, plan, monkeypatch).faults == [said]


def test_the_account_holds_registry_and_lineage_against_the_year(over, plan, monkeypatch):
    assert told(over, plan, monkeypatch, registered=("1", "2")).faults == [
        "Not each version that was pushed is registered once."
    ]
    assert told(over, plan, monkeypatch, learned=(3, 4)).faults == [
        f"Version {one} has seen April, which the gate of the data has refused." for one in (1, 2, 3)
    ]
