"""Flights served for real, logged, and watched: July, when what most dashboards show is green; what the cache and the lineage say of it.

Served are a model that the pipeline trained on January, a challenger and a shadow that know nothing. The last 200 flights of July are asked about
by a client that no longer sends the flight's number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import outcomes
import pandas as pd
import pytest
import records
import small_models

from flights import cli, data, watch
from flights.config import Config
from operation.report import Report
from serving import process, traffic
from serving.traffic import Traffic

CHALLENGER, SHADOW = 2, 3
LOST = 200


@dataclasses.dataclass
class Served:
    """What the server has left.

    Attributes:
        config: of the pipeline that trained.
        champion: the version that it pushed.
        metrics: file with what the server said at the end,
        before: and before July.
    """

    config: Config
    champion: int
    metrics: Path
    before: Path


@dataclasses.dataclass
class Watch:
    """A report, and the state of each component that made it."""

    report: Report
    states: dict[str, str]


def asked(root: str, month: int) -> list[dict[str, Any]]:
    """The flights of a month as a client sends them."""
    rows = data.read_month(root, month).drop(columns=data.LABEL).astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


@pytest.fixture(scope="module")
def served(run, make_config, tmp_path_factory) -> Served:
    config, shared = make_config(), outcomes.shared_folder(tmp_path_factory)
    assert outcomes.reference(config, run, shared)["blessed"]
    shutil.copytree(shared / outcomes.LOCAL, config.output_root)
    folder, output = Path(config.serving_root), Path(config.output_root)
    (champion,) = (int(one.name) for one in folder.iterdir())
    for version in (CHALLENGER, SHADOW):
        small_models.push(folder, version)
    traffic.write(folder, Traffic(champion, challenger=CHALLENGER, share=0.3, shadow=SHADOW))
    with process.start("flights.serving:PROJECT", folder, log=output / watch.LOG) as server:
        for month in (6, 7):
            before = server.send("GET", "/metrics").body
            rows = asked(config.data_root, month)
            if month == 7:
                rows[-LOST:] = [row | {"flight": None} for row in rows[-LOST:]]
            for start in range(0, len(rows), 100):
                server.ask(rows[start : start + 100], request_id=f"{month}-{start}")
        for _ in range(3):
            with pytest.raises(process.RequestRefused):
                server.ask([{}])
        (output / "metrics.txt").write_text(server.send("GET", "/metrics").body)
        (output / "before.txt").write_text(before)
    return Served(config, champion, output / "metrics.txt", output / "before.txt")


def watched(served: Served, labels: Path, **given: Any) -> Watch:
    states: dict[str, str] = {}
    found = watch.watch(
        served.config,
        7,
        labels=labels,
        metrics=served.metrics,
        metrics_before=served.before,
        progress=lambda node: states.update({node.node: node.state}),
        **given,
    )
    return Watch(found, states)


def made(served: Served, node: str, key: str) -> str:
    """Folder of the only output of a node of the pipeline that trained. The output folder is a copy: its store names that of the original."""
    (folder,) = (Path(served.config.pipeline_root) / node / key).iterdir()
    return str(folder)


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def unlabelled(served, labels) -> Watch:
    return watched(served, labels)


@pytest.fixture(scope="module")
def labelled(unlabelled, served, labels) -> Watch:
    shutil.copytree(Path(served.config.data_root) / "span-07", labels / "span-07")
    shutil.copytree(Path(served.config.data_root) / "span-06", labels / "span-06")
    return watched(served, labels)


def test_before_labels_have_come_there_is_a_report_without_them(unlabelled):
    found = unlabelled.report
    assert found.quality is None
    assert found.until is None
    assert found.matches.not_yet == found.matches.served - found.matches.asked_again > 2 * (2000 - LOST) - 100
    assert found.expected.auc > 0.6
    assert {(one.column, one.kind) for one in found.distances} == {
        (column, kind) for column in ("carrier", "origin", "sched_dep_time") for kind in ("skew", "drift")
    }
    assert (
        "Of dest, sched_arr_time, nothing is compared: the log has no such column, and no outcomes with it have come."
        in found.notes
    )


def test_labels_that_come_renew_the_report(unlabelled, labelled):
    assert labelled.states == {name: "done" for name in unlabelled.states} | {"ImportSchemaGen": "cached"}
    assert labelled.report.quality.rows == 2000 - LOST
    assert labelled.report.until == "2013-07-31"


def test_july_ranks_as_before_and_a_third_is_late_where_a_tenth_was_said(labelled, served):
    parts = {one.value: one.quality for one in labelled.report.versions}
    july = parts[str(served.champion)]
    assert july.auc.value > labelled.report.trained.auc.value - 0.02
    assert july.auc.high > 0.65
    assert july.happened == pytest.approx(0.31, abs=0.03)
    assert july.said < 0.2
    assert july.gap.high < -0.1
    assert labelled.report.quality.gap.high < -0.1


def test_quality_is_that_of_each_version_and_a_shadow_counts_by_itself(labelled, served):
    parts = {one.value: one.quality for one in labelled.report.versions}
    assert set(parts) == {str(served.champion), str(CHALLENGER), f"{SHADOW} (shadow)"}
    assert parts[str(served.champion)].rows + parts[str(CHALLENGER)].rows == parts[f"{SHADOW} (shadow)"].rows
    assert parts[str(served.champion)].auc.value > parts[str(CHALLENGER)].auc.value + 0.05
    assert parts[f"{SHADOW} (shadow)"].said == pytest.approx(small_models.answer(SHADOW, 1000), abs=0.001)


def test_rows_that_have_lost_a_column_of_the_key_are_counted_and_never_find_a_label(labelled):
    lines, matches = labelled.report.lines, labelled.report.matches
    assert lines.without_key == 2 * LOST  # and as often of the shadow
    assert lines.lost_columns == {"flight": 2 * LOST}
    assert (matches.answered, matches.not_asked) == (2000 - LOST, LOST)
    assert labelled.report.requests == {"answered": 20, "refused": 3}


def test_what_was_served_is_held_against_what_the_version_in_service_was_trained_on(labelled, served):
    found = labelled.report
    assert found.version == str(served.champion)
    distances = {(one.column, one.kind): one for one in found.distances}
    columns = ("carrier", "dest", "origin", "sched_arr_time", "sched_dep_time")
    assert set(distances) == {(column, kind) for column in columns for kind in ("skew", "drift")}
    assert {column for (column, _), one in distances.items() if one.of_outcomes} == {"dest", "sched_arr_time"}
    examples = records.read_split(made(served, "CsvExampleGen", "examples"), "train")
    trained = pd.Series([records.as_flight(one)["carrier"] for one in examples])
    july = data.read_month(served.config.data_root, 7)[:-LOST]["carrier"]
    shares = [carriers.value_counts(normalize=True) for carriers in (trained, july)]
    assert distances["carrier", "skew"].distance == pytest.approx(
        shares[1].sub(shares[0], fill_value=0).abs().max(), abs=1e-6
    )


def test_what_the_version_was_worth_at_its_release_is_that_of_its_evaluation(labelled, served):
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(made(served, "Evaluator", "evaluation"))
    (metrics,) = (found[""][""] for key, found in result.slicing_metrics if not key)
    trained = labelled.report.trained
    assert trained.rows == metrics["example_count"]["doubleValue"]
    assert trained.auc.value == metrics["auc"]["doubleValue"]
    assert trained.said / trained.happened == pytest.approx(metrics["calibration"]["doubleValue"])
    assert trained.cost.value > 0


def test_a_watch_that_is_made_again_is_the_same_and_comes_from_the_cache(labelled, served, labels):
    published = {one.name: one.read_bytes() for one in (Path(served.config.output_root) / watch.FOLDER).glob("*.*")}
    assert {"report.json", "report.html", "metrics.prom"} <= set(published)
    again = watched(served, labels)
    assert set(again.states.values()) == {"cached"}
    assert json.loads(published["report.json"]) == json.loads(
        (Path(served.config.output_root) / watch.FOLDER / "report.json").read_bytes()
    )


def test_lineage_says_which_log_and_which_labels_made_a_report(labelled, served, labels):
    from operation import pipeline

    log, known = Path(served.config.output_root) / watch.LOG, labels / "span-07" / "flights.csv"
    own = watch.settings(served.config, 7, labels=labels)
    assert pipeline.made_of(own) == {
        "log": {str(log): hashlib.sha256(log.read_bytes()).hexdigest()},
        "labels": {str(known): hashlib.sha256(known.read_bytes()).hexdigest()},
        "labels before": {
            str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in [labels / "span-06" / "flights.csv"]
        },
    }


def command(served, *arguments) -> list[str]:
    return ["watch", *arguments, "--output-root", served.config.output_root, "--data-root", served.config.data_root]


def test_the_command_says_what_it_found_and_which_alerts_that_sets_off(labelled, served, capsys):
    assert cli.main(command(served, "7")) == 0
    said = capsys.readouterr().out.splitlines()
    assert any("predictions are" in one and "points too low" in one for one in said)
    assert any(
        one.startswith("ticket ProbabilitiesMeanSomethingElse: What flights says and what happens are ") for one in said
    )
    assert any(one.startswith("ticket LogHasLostKeys: 5% of the lines") for one in said)
    assert not any("ReportIsOld" in one or "LabelsAreLate" in one for one in said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["5"], "no line is about 2013-05-01 to 2013-05-31; 7,600 lines are about 2013-06-01 to 2013-07-"),
        (["13"], "month 13: there are 1 to 12."),
        (["7", "--log", "no.jsonl"], "no.jsonl: there is no log of requests. Start the server with --log"),
        (["7", "--metrics", "no.txt"], "no.txt: cannot be read"),
    ],
)
def test_what_cannot_be_watched_is_told_in_a_sentence(served, capsys, arguments, said):
    assert cli.main(command(served, *arguments)) == 1
    assert said in capsys.readouterr().err


def test_a_month_whose_rows_have_all_lost_their_key_has_a_report_that_says_so(served, tmp_path):
    log = tmp_path / "requests.jsonl"
    lines = (Path(served.config.output_root) / watch.LOG).read_text().splitlines()
    log.write_text(
        "".join(json.dumps(json.loads(line) | {"carrier": None}) + "\n" for line in lines[-50:]) + "no line\n"
    )
    config = dataclasses.replace(served.config, output_root=str(tmp_path / "elsewhere"))
    found = watch.watch(config, 7, log=[log])
    assert (found.lines.rows, found.lines.without_key, found.lines.unreadable) == (0, 50, 1)
    assert (found.version, found.distances, found.trained) == ("", (), None)
    assert found.notes[0] == "Which version was in service is not known: the log has no answer."
