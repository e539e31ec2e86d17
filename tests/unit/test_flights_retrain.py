"""`flights retrain` on a metadata store whose runs are known by construction: what is decided, what is trained on, what is registered, and what a kill leaves."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lineage_store import FIRST_VERSION, Store

from engines import mlflow_store, store
from engines.common import one_at_a_time
from engines.errors import AlreadyRunningError, BadData
from engines.lineage import LineageError
from flights import cli, registry, verdict
from flights import retrain as ours
from flights.config import CHAMPION, Config
from flights.data import DataError
from operation import history as kept
from operation import retrain as flow
from operation.history import BEGUN, DECLINED, DONE, FAILED, INTERRUPTED, REFUSED, Busy
from operation.policy import Calendar, CalibrationGap, Drift, Guards, Loss, Never
from serving import traffic
from serving.traffic import Traffic

ONE, TWO, THREE = (str(FIRST_VERSION + number) for number in range(3))
MONTHLY = Calendar(1), Guards()


@dataclasses.dataclass
class Pipeline:
    """What stands for the pipeline: it records its runs as TFX does, and holds a candidate against the model in service, as `serving.baseline` does."""

    config: Config
    refuse: bool = False
    breaks: bool = False
    against: int | None = None
    ran: list[tuple[int, int]] = dataclasses.field(default_factory=list)

    def __call__(self, config: Config) -> None:
        """One run."""
        assert config.baseline == CHAMPION
        with one_at_a_time(Path(config.output_root)):
            store.repair(config)
            self.ran.append(config.months)
            if self.breaks:
                raise OSError("No space left on device.")
            self._record(config)

    def _record(self, config: Config) -> None:
        opened = Store(Path(config.output_root))
        opened.serving = lambda _: Path(config.serving_root)
        opened.runs = len(opened.store.get_executions())
        opened.begin()
        examples = opened.ingest("flights", config.months)
        found = opened.store.get_artifacts_by_type("Schema") if opened.runs > 1 else []
        schema = (
            found[0].id
            if found
            else opened.execute("flights", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
        )
        _, model = opened.train("flights", examples, schema)
        served = self.against or ours.Retraining(config)._in_service()
        baseline = served if isinstance(served, int) or served is None else served.push.model
        blessing = opened.judge("flights", examples, model, baseline, blessed=not self.refuse)
        versions = [int(one.name) for one in Path(config.serving_root).glob("*")]
        version = None if self.refuse else max(versions, default=FIRST_VERSION - 1) + 1
        opened.push("flights", model, {"model_blessing": blessing}, version)
        if version:
            Path(config.serving_root, str(version), "saved_model.pb").write_text("what Pusher writes last")


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory) -> Path:
    """MLflow's tables, which take it a second to make."""
    file = tmp_path_factory.mktemp("registry") / registry.DEFAULT
    mlflow_store.client(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="module")
def shared_output(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("output")


@pytest.fixture
def output(request, tmp_path, shared_output, empty_registry) -> Path:
    """A folder with nothing but these tables. It is always the same one: of each new file MLflow reads how all its tables came to be.

    A test that forks has one of its own, since no child may use a connection that its parent has opened.
    """
    folder = tmp_path / "output" if request.node.name.startswith("test_killed") else shared_output
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        elif not old.name.startswith(registry.DEFAULT):
            old.unlink()
    with closing(sqlite3.connect(empty_registry)) as source, closing(sqlite3.connect(folder / registry.DEFAULT)) as to:
        source.backup(to)
    return folder


@pytest.fixture
def config(tmp_path, output) -> Config:
    """Six months of five flights, and a version that learned from the first and was judged on the second."""
    for month in range(1, 7):
        folder = tmp_path / "data" / f"span-{month:02d}"
        folder.mkdir(parents=True)
        (folder / "flights.csv").write_text("late\n" + "0\n" * 5)
    return Config(data_root=str(tmp_path / "data"), output_root=str(output), months=(1, 2), baseline=CHAMPION)


@pytest.fixture
def pipeline(config, monkeypatch) -> Pipeline:
    """It has run once. Versions hold no model, so they are not tried, and their metrics are not read."""
    monkeypatch.setattr(registry, "_attempt", lambda _: None)
    monkeypatch.setattr(ours, "_gate", lambda _: None)
    made = Pipeline(config)
    made(config)
    made.ran.clear()
    return made


@pytest.fixture
def ask(config, pipeline) -> Callable[..., kept.Record]:
    def retrain(month: int | None = 3, policy=MONTHLY, **how) -> kept.Record:
        return ours.retrain(config, month, policy, engine=pipeline, **how)

    return retrain


def states(config: Config) -> list[str]:
    return [one.state for one in ours.history_of(config).records()]


def registered(config: Config) -> list[str]:
    return [one.version for one in registry.of(config).versions()]


def test_a_better_candidate_is_registered_and_the_one_before_goes_on_to_answer(config, pipeline, ask):
    said: list[str] = []
    record = ask(who="Ada", tell=said.append)
    assert (record.state, record.version, record.period, record.who) == (DONE, TWO, "2013-03", "Ada")
    assert pipeline.ran == [(1, 3)]
    assert registered(config) == [ONE, TWO]
    assert traffic.read(config.serving_root) == Traffic(int(ONE))
    (step,) = registry.of(config).history()
    assert (step.command, step.version) == ("promote", int(ONE))
    assert said[0] == ("2013-03: retraining. The model in service was trained 1 month ago; a training is due after 1.")
    assert flow.words(record) == (
        f"Retraining 1 (2013-03): version {TWO} is registered, and not released. Version {ONE} is in service until it is."
    )
    assert 'operation_retrainings_total{model="flights",state="done"} 1.0' in (
        Path(config.output_root, "retraining", "metrics.prom").read_text()
    )


def test_no_retraining_is_recorded_with_its_reason(config, pipeline, ask):
    record = ask(policy=(Never(), Guards()))
    assert (record.state, record.decision.reason) == (DECLINED, "No retraining is planned.")
    assert ours.history_of(config).records()[-1].policy == "Never(), Guards(cool_down=0, budget=None, days=365)"
    assert pipeline.ran == []
    assert not traffic.path(config.serving_root).exists()
    assert flow.words(record) == "Decision 1 (2013-03): nothing was trained."


def test_the_same_month_is_tried_once_and_by_hand_again(config, pipeline, ask):
    ask()
    assert ask().decision.reason.endswith("Not now: with the labels up to 2013-03 it was tried already.")
    record = ask(by_hand="The labels were mended.")
    assert (record.state, record.decision.reason) == (DONE, "Asked for by hand: The labels were mended.")
    assert pipeline.ran == [(1, 3), (1, 3)]
    assert states(config) == [DONE, DECLINED, DONE]


def test_cool_down_and_budget_go_by_the_months_of_the_data(config, pipeline, ask):
    assert [ask(month, (Calendar(1), Guards(cool_down=40))).state for month in (3, 4, 5)] == [DONE, DECLINED, DONE]
    reason = ask(6, (Calendar(1), Guards(budget=2))).decision.reason
    assert reason.endswith("Not now: 2 retrainings have used the budget of 365 days up.")
    assert pipeline.ran == [(1, 3), (2, 5)]


def test_a_refused_candidate_is_not_registered_and_its_end_says_why(config, pipeline, ask, monkeypatch):
    monkeypatch.setattr(verdict, "missed", lambda _: [])  # TFMA, which takes seconds to load, finds no evaluation here
    pipeline.refuse = True
    record = ask()
    assert (record.state, record.version) == (REFUSED, "")
    assert record.note == "Refused: the candidate missed a demand, and was not pushed."
    assert registered(config) == [ONE]


def test_a_candidate_is_held_against_the_champion_and_not_the_latest_that_was_blessed(config, pipeline, ask):
    """Month 3 gave a second version, which was never released."""
    ask(3)
    record = ask(4)
    assert record.state == DONE
    lineage = ours.Retraining(config)._lineage()
    judged = lineage.version(THREE).verdicts[0]
    assert judged.baseline == lineage.version(ONE).push.model


def test_a_candidate_that_was_held_against_another_model_is_not_registered(config, pipeline, ask):
    ask(3)
    pipeline.against = ours.Retraining(config)._lineage().version(TWO).push.model
    record = ask(4)
    assert record.state == REFUSED
    assert f"Version {THREE} was held against model {pipeline.against}" in record.note
    assert registered(config) == [ONE, TWO]


def test_a_broken_pipeline_is_recorded_and_raised(config, pipeline, ask):
    pipeline.breaks = True
    with pytest.raises(OSError, match="No space left"):
        ask()
    (record,) = ours.history_of(config).records()
    assert (record.state, record.note) == (FAILED, "OSError: No space left on device.")


def test_a_run_of_the_pipeline_at_the_same_moment_is_no_retraining(config, pipeline, ask):
    with one_at_a_time(Path(config.output_root)), pytest.raises(AlreadyRunningError):
        ask()
    assert states(config) == [INTERRUPTED]
    assert ask().state == DONE


def test_never_two_at_once(config, pipeline, ask):
    with (
        ours.history_of(config).alone("the schedule"),
        pytest.raises(Busy, match=r"the schedule \(process .*Nothing was done"),
    ):
        ask()
    assert pipeline.ran == []


def test_the_first_model_needs_no_model_before_it(config, pipeline, ask, tmp_path, empty_registry):
    fresh = dataclasses.replace(config, output_root=str(tmp_path / "fresh"))
    (tmp_path / "fresh").mkdir()
    shutil.copy(empty_registry, fresh.output_root)
    record = ours.retrain(fresh, 3, MONTHLY, engine=Pipeline(fresh))
    assert record.decision.reason == "There is no model yet."
    assert (record.state, record.version, record.note) == (DONE, ONE, "It is the first one, and answers as the newest.")
    assert registered(fresh) == [ONE]


def test_a_version_that_the_store_does_not_know_cannot_be_replaced(config, pipeline, ask):
    Path(config.serving_root, "99").mkdir()
    traffic.write(config.serving_root, Traffic(99))
    with pytest.raises(LineageError, match=r"serving/99 was pushed by no pipeline of this store"):
        ask()
    assert states(config) == []


def test_a_month_that_is_not_there_is_told(config, pipeline, ask):
    with pytest.raises(DataError, match=r"span-07/flights\.csv: no such file"):
        ask(7)


def test_without_a_month_the_newest_of_the_data_is_taken(config, pipeline, ask):
    assert ask(None).period == "2013-06"
    assert pipeline.ran == [(3, 6)]


# --- The gate of the data


@pytest.fixture
def gate(monkeypatch) -> dict[str, object]:
    """Refuses runs that read one of the months in `bad`; `asked` are the runs."""
    known: dict[str, object] = {"bad": set(), "asked": []}

    def judge(config: Config) -> None:
        first, last = config.months
        known["asked"].append((first, last))
        if found := sorted(known["bad"] & {*range(first, last + 1)}):
            raise BadData(f"The data break the contract:\n  month {found[0]} is bad.")

    monkeypatch.setattr(ours, "_gate", judge)
    return known


def test_nothing_is_trained_on_a_newest_month_that_was_refused(config, pipeline, gate, ask):
    gate["bad"] = {4}
    record = ask(4)
    assert record.state == DECLINED
    assert record.decision.reason.endswith(
        "Not now: the data of 2013-04 were refused: The data break the contract: month 4 is bad."
    )
    assert ask(4, by_hand="I want it.").state == DECLINED
    assert pipeline.ran == []
    assert gate["asked"] == [(1, 4), (1, 1), (1, 2), (1, 3)]


def test_a_month_that_was_refused_is_learned_from_by_no_later_model(config, pipeline, gate, ask):
    gate["bad"] = {4}
    record = ask(6)
    assert record.state == DONE
    assert pipeline.ran == [(5, 6)]
    gate["asked"].clear()
    assert ours.Retraining(config, 5).situation("").new_rows == 10  # of months 3 and 5
    assert gate["asked"] == [(5, 5)]


def test_a_month_that_was_delivered_again_is_judged_again(config, pipeline, gate, ask):
    gate["bad"] = {4}
    assert ask(4).state == DECLINED
    gate["bad"] = set()
    assert ask(4).state == DECLINED
    Path(config.data_root, "span-04", "flights.csv").write_text("late\n1\n")
    assert ask(4).state == DONE
    assert pipeline.ran == [(1, 4)]


# --- The report of the watch


def report_of(config: Config, month: str, version: str, gap: float) -> None:
    """A report with the fields that a decision reads, as `Report.save` writes them."""
    from test_operation_policy import worth

    from operation.labels import Matches
    from operation.quality import Expected, Part
    from operation.report import Distance, Report
    from operation.served_log import Lines

    lines = Lines(**{one.name: {} if one.name == "lost_columns" else 0 for one in dataclasses.fields(Lines)})
    matches = Matches(**{one.name: 0 for one in dataclasses.fields(Matches)})
    quality = worth(gap=gap)
    report = Report(
        "flights", f"{month}-01", f"{month}-30", "2013-07-01T00:00:00+00:00", None, lines, matches, 0.1,
        Expected(**{one.name: 0.0 for one in dataclasses.fields(Expected)}), worth(gap=0.9), worth(),
        versions=(Part("version", version, quality),),
        distances=(Distance("dest", "drift", 0.5, 0.1), Distance("carrier", "skew", 0.5, 0.1)),
    )  # fmt: skip
    Path(config.output_root, "monitoring").mkdir(exist_ok=True)
    report.save(Path(config.output_root, "monitoring", "report.json"))


GAP = CalibrationGap(0.04), Guards()


def test_the_gap_of_the_model_in_service_decides(config, pipeline, ask):
    report_of(config, "2013-03", ONE, -0.05)
    record = ask(policy=GAP)
    assert (record.state, record.decision.measured) == (DONE, pytest.approx(0.05))


@pytest.mark.parametrize(("month", "version"), [("2013-03", TWO), ("2013-03", f"{ONE} (shadow)"), ("2013-02", ONE)])
def test_what_another_version_or_another_month_was_worth_says_nothing(config, pipeline, ask, month, version):
    report_of(config, month, version, -0.3)
    for policy in (GAP[0], Loss(0.01)):
        record = ask(policy=(policy, Guards()))
        assert record.decision.reason == "No label of 2013-03 has come for the model in service."


def test_drift_is_measured_from_what_the_model_has_learned(config, pipeline, ask):
    report_of(config, "2013-03", ONE, 0.0)
    assert "1 of 1 columns have moved: carrier (0.50)" in ask(policy=(Drift(), Guards())).decision.reason


def test_a_report_that_is_damaged_is_told(config, pipeline, ask):
    report_of(config, "2013-03", ONE, 0.0)
    Path(config.output_root, "monitoring", "report.json").write_text("{}")
    with pytest.raises(ValueError, match=r"report\.json: no report of a watch"):
        ask()


# --- Killed with -9


def killed(at: Callable[[pytest.MonkeyPatch], object], retrain: Callable[[], object]) -> None:
    """Retrains in a process of its own, which a patch kills."""
    child = os.fork()
    if not child:
        try:
            at(pytest.MonkeyPatch())
            retrain()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_trainer(opened: Store, name: str, examples: int, schema: int) -> None:
    opened.execute(name, "Trainer", {"examples": examples, "schema": schema}, state="RUNNING")
    die()


def dies_after(times: int) -> Callable[[int], None]:
    """What stands for `os.fsync`: the process dies in the call after so many."""
    left = [times]

    def fsync(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            die()

    return fsync


KILLED = {
    "after the decision": (lambda patch: patch.setattr(ours.Retraining, "prepare", die), [INTERRUPTED, DONE], 2),
    "inside a step": (lambda patch: patch.setattr(Store, "train", die_in_trainer), [INTERRUPTED, DONE], 2),
    "after the push": (lambda patch: patch.setattr(ours.Retraining, "register", die), [DONE, DECLINED], 1),
    "after the registration": (lambda patch: patch.setattr(kept.History, "end", die), [DONE, DECLINED], 1),
    "while the decision is written": (lambda patch: patch.setattr(kept.os, "fsync", dies_after(0)), [DONE], 1),
    "while the end is written": (
        lambda patch: patch.setattr(kept.History, "end", lambda *a, **b: (patch.setattr(kept.os, "fsync", die), END(*a, **b))),
        [DONE, DECLINED],
        1,
    ),
}  # fmt: skip
END = kept.History.end


AT_NIGHT = ("after the decision", "after the registration")
"""Places from which it goes on as from the one after, or the one before."""


@pytest.mark.parametrize(
    "place", [pytest.param(one, marks=pytest.mark.long if one in AT_NIGHT else ()) for one in KILLED]
)
def test_killed_anywhere_the_next_call_finishes_it_or_strikes_it_out(place, config, pipeline, ask):
    at, ends, begun = KILLED[place]
    killed(at, ask)
    assert states(config) in ([], [BEGUN])
    said: list[str] = []
    ask(tell=said.append)
    assert states(config) == ends
    assert "ended without giving the lock back" in said[0]
    assert registered(config) == [ONE, TWO]
    assert sorted(one.name for one in Path(config.serving_root).iterdir()) == [ONE, TWO]
    assert traffic.read(config.serving_root) == Traffic(int(ONE))
    done = next(one for one in ours.history_of(config).records() if one.state == DONE)
    assert (done.version, done.number) == (TWO, begun)
    assert ask().state == DECLINED


# --- For a scheduler


def test_a_scheduler_asks_the_same_function_and_tells_the_end(config, pipeline, monkeypatch, tmp_path):
    monthly = tmp_path / "monthly.json"
    monthly.write_text(json.dumps({"policy": {"Calendar": {"months": 1}}}))
    monkeypatch.setenv("FLIGHTS_POLICY", str(monthly))
    of_run = dataclasses.replace(config, months=(1, 3))
    go = ours.on_schedule(of_run, "scheduled__2013-03")
    assert (go.run, go.spans) == (True, (1, 3))
    assert ours.on_schedule(of_run, "scheduled__2013-03") == go  # the task is tried again
    assert states(config) == [BEGUN]
    assert traffic.read(config.serving_root) == Traffic(int(ONE))
    pipeline(dataclasses.replace(of_run, months=go.spans))
    said = ours.on_end(of_run, "scheduled__2013-03")
    assert said.startswith(f"Retraining 1 (2013-03): version {TWO} is registered, and not released.")
    assert ours.on_end(of_run, "scheduled__2013-03") == said
    assert ours.on_schedule(of_run, "scheduled__2013-03.again").run is False
    with pytest.raises(LookupError, match=r"no retraining of run other in .*history\.jsonl to conclude"):
        ours.on_end(of_run, "other")


def test_a_run_of_a_scheduler_is_waited_for_and_struck_out_by_hand_or_by_its_next(config, pipeline, ask, monkeypatch):
    work = ours.Retraining(config, 3)
    begun = flow.begin(work, ours.history_of(config), *MONTHLY, run="a")
    assert begun.state == BEGUN
    with pytest.raises(Busy, match=r"Retraining 1 \(2013-03\) is under way in run a of a scheduler"):
        ask()
    assert ask(by_hand="Its scheduler is gone.").state == DONE
    assert states(config) == [INTERRUPTED, DONE]
    with pytest.raises(LookupError, match=r"Retraining 1 .* was struck out meanwhile"):
        flow.conclude(work, ours.history_of(config), "a")
    later = ours.Retraining(config, 4)
    flow.begin(later, ours.history_of(config), *MONTHLY, run="b")
    assert flow.begin(later, ours.history_of(config), *MONTHLY, run="c").run == "c"
    assert states(config) == [INTERRUPTED, DONE, INTERRUPTED, BEGUN]


def test_an_end_that_is_told_before_the_pipeline_has_ended_is_refused(config, pipeline):
    work = ours.Retraining(config, 3)
    flow.begin(work, ours.history_of(config), *MONTHLY, run="a")
    with pytest.raises(RuntimeError, match=r"has not come to its end: no candidate was judged on 2013-03 yet"):
        flow.conclude(work, ours.history_of(config), "a")
    assert states(config) == [BEGUN]


# --- On the command line


def test_the_command_says_decision_and_outcome(config, pipeline, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(ours, "_pipeline", pipeline)
    monkeypatch.chdir(tmp_path)
    Path("policy.json").write_text(json.dumps({"policy": {"Calendar": {"months": 1}}}))
    options = ["retrain", "--month", "3", "--data-root", config.data_root, "--output-root", config.output_root]

    def say(*more: str) -> tuple[int, list[str]]:
        return cli.main([*options, *more]), capsys.readouterr().out.splitlines()

    due = "The model in service was trained 1 month ago; a training is due after 1."
    assert say("--policy", "policy.json", "--decide-only") == (0, [f"2013-03: retraining. {due}"])
    assert states(config) == []
    status, said = say()
    assert (status, said[-1]) == (0, "Decision 1 (2013-03): nothing was trained.")
    status, said = say("--policy", "policy.json")
    assert (status, said[0]) == (0, f"2013-03: retraining. {due}")
    assert said[-1].startswith(f"Retraining 2 (2013-03): version {TWO} is registered")
    status, said = say("--by-hand", "To see it.")
    assert (status, said[0]) == (0, "2013-03: retraining. Asked for by hand: To see it.")


def test_an_error_of_the_command_is_a_sentence(config, pipeline, capsys, tmp_path):
    wrong = tmp_path / "policy.json"
    wrong.write_text('{"policy": {"Weekly": {}}}')
    options = ["--data-root", config.data_root, "--output-root", config.output_root, "--policy", str(wrong)]
    assert cli.main(["retrain", *options]) == 1
    assert capsys.readouterr().err.startswith(f"flights retrain: {wrong}: policy.Weekly is unknown; there are Never")


def test_the_policy_of_the_package_can_be_read_and_retrains_in_july():
    from test_operation_policy import NOW, worth

    from operation import policy_file

    policy, _ = policy_file.load(ours.POLICY)
    assert policy.decide(dataclasses.replace(NOW, trained=NOW.day, quality=worth(gap=-0.2))).retrain
    assert not policy.decide(dataclasses.replace(NOW, trained=NOW.day, quality=worth(gap=0.01))).retrain
    assert policy.decide(NOW).retrain  # of March, and without labels
