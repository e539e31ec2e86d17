"""The parts of the pipeline that watches: what of a log is read, what is known of a release, distances, and the files of a report."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from types import SimpleNamespace

import lineage_store
import numpy as np
import pandas as pd
import pytest
from parcels_project import PARCELS, line, outcome, write

from engines.errors import BadData
from engines.quiet import import_quietly
from operation import quality, released, served_log, served_rows
from operation.config import WatchConfig
from operation.report import DRIFT, SKEW

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module", autouse=True)
def _tfx():
    import_quietly()


class Artifact(SimpleNamespace):
    """What a component is given: a folder and properties."""

    split_names = ""

    def set_string_custom_property(self, name, value):
        self.properties = {**getattr(self, "properties", {}), name: value}


SCHEMA = """
feature { name: "sent" type: BYTES }
feature { name: "number" type: INT drift_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
feature { name: "depot" type: BYTES drift_comparator { infinity_norm { threshold: 0.2 } } }
feature { name: "grams" type: INT drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }
          skew_comparator { jensen_shannon_divergence { threshold: 0.9 } } }
feature { name: "lost" type: INT }
"""


class Watched(type(PARCELS)):
    """Parcels whose outcomes are files of JSON."""

    def outcomes(self, file):
        return pd.DataFrame(json.loads(file.read_text()))


WATCHED = Watched()


@pytest.fixture
def written(tmp_path):
    """Runs what `ServedExampleGen` does on lines and outcomes; gives the splits as tables, and the two artifacts."""
    from operation import served_examples

    def run(lines, outcomes=None, before=None, change=lambda file: None):
        log = lines if not isinstance(lines, list) else write(tmp_path / "log", lines)
        files = []
        for name, known in (("now", outcomes), ("before", before)):
            files.append(tmp_path / f"{name}.json")
            if known is not None:
                files[-1].write_text(json.dumps(known))
        contents, sizes = served_examples.noted([str(log)], [str(files[0])], [str(files[1])])
        change(log)
        (tmp_path / "schema").mkdir(exist_ok=True)
        (tmp_path / "schema" / "schema.pbtxt").write_text(SCHEMA)
        days = {"first": "2026-01-01", "last": "2026-01-31", "before": "2025-12-01"}
        settings = days | {"project": f"{__name__}:WATCHED", "log": json.dumps([str(log)])}
        from tfx.types import standard_artifacts

        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / "examples")
        served = Artifact(uri=str(tmp_path / "served"))
        schema = Artifact(uri=str(tmp_path / "schema"))
        served_examples.write(
            schema, examples, served, served_examples.Given(**settings, contents=contents, sizes=sizes)
        )
        return examples, served

    return run


def rows_of(examples, split):
    import tensorflow as tf

    files = tf.io.gfile.glob(f"{examples.uri}/Split-{split}/*.gz")
    found = []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP"):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        kinds = {name: one.WhichOneof("kind") for name, one in features.items()}
        values = {name: getattr(features[name], kind).value for name, kind in kinds.items() if kind}
        found.append({name: one[0] for name, one in values.items() if len(one)})
    return sorted(found, key=lambda one: one.get("number", -1))


def test_what_is_written_to_a_log_after_it_was_looked_at_is_for_the_next_watch(tmp_path):
    file = write(tmp_path / "log", [line(1), line(2)])
    size = file.stat().st_size
    with file.open("a") as opened:
        opened.write(json.dumps(line(3)) + "\n")
    found = served_log.read(file, PARCELS, sizes={str(file): size - 5})
    assert found.rows["number"].tolist() == [1]
    assert served_log.read(file, PARCELS, sizes={str(file): size}).lines.total == 2
    assert served_log.read(file, PARCELS).lines.total == 3
    assert served_log.read(file, PARCELS, sizes={}).lines.total == 0


def test_logs_of_several_servers_are_one_and_each_file_is_read_once(tmp_path):
    one, two = write(tmp_path / "one", [line(2)]), write(tmp_path / "two", [line(3)])
    full = write(tmp_path / "one.1", [line(1)])
    found = served_log.read([one, two, full], PARCELS)
    assert found.rows["number"].tolist() == [1, 2, 3]
    assert found.lines.total == 3
    with pytest.raises(FileNotFoundError, match="three: there is no log"):
        served_log.read([one, tmp_path / "three"], PARCELS)


def test_a_column_beside_the_key_is_read_where_a_line_has_it(tmp_path):
    file = write(tmp_path / "log", [line(1), line(2, grams=700)])
    assert served_log.read(file, PARCELS, further=["grams"]).rows["grams"].fillna(0).tolist() == [0, 700]
    assert "grams" not in served_log.read(file, PARCELS).rows


def test_rows_come_back_as_they_were_with_numbers_as_text_among_them(tmp_path):
    file = write(tmp_path / "log", [line(1), line("1"), "no line", line(2) | {"number": None}, line(True)])
    log = served_log.read(file, PARCELS)
    outcomes = pd.DataFrame([outcome(1, 1), outcome(2, None)])
    served_rows.save(log, outcomes, tmp_path / "kept")
    found, known = served_rows.load(tmp_path / "kept")
    pd.testing.assert_frame_equal(found.rows, log.rows)
    assert [type(one) for one in found.rows["number"]] == [int, str, bool]
    assert (found.lines, found.faults) == (log.lines, log.faults)
    pd.testing.assert_frame_equal(known, outcomes)
    served_rows.save(log, None, tmp_path / "bare")
    assert served_rows.load(tmp_path / "bare")[1] is None


def test_served_features_are_those_of_the_log_with_the_types_of_the_schema(written):
    lines = [line(1, grams="700"), line(2, grams=1.5), line(3, grams="heavy", depot="5")]
    examples, served = written([*lines, line(9, role="shadow", version=4), line(7, sent="2025-12-30", grams=300)])
    assert rows_of(examples, "served") == [
        {"sent": b"2026-01-05", "number": 1, "grams": 700},
        {"sent": b"2026-01-05", "number": 2},
        {"sent": b"2026-01-05", "number": 3, "depot": b"5"},
    ]
    assert rows_of(examples, "before") == [{"sent": b"2025-12-30", "number": 7, "grams": 300}]
    assert served.properties == {"of_outcomes": ""}
    log, outcomes = served_rows.load(served.uri)
    assert len(log.rows) == 4
    assert outcomes is None


def test_of_a_column_that_the_log_has_not_the_outcomes_that_were_asked_about_are_taken(written):
    examples, served = written(
        [line(1), line(2), line(7, sent="2025-12-30")],
        outcomes=[outcome(1, 1, depot="B"), outcome(8, 0, depot="C")],
        before=[outcome(7, 0, sent="2025-12-30", grams=900)],
    )
    assert rows_of(examples, "served") == [
        {"sent": b"2026-01-05", "number": 1, "depot": b"B", "grams": 500},
        {"sent": b"2026-01-05", "number": 2},
    ]
    assert rows_of(examples, "before")[0]["grams"] == 900
    assert served.properties == {"of_outcomes": "depot,grams"}
    held = json.loads(examples.get_string_custom_property("contents"))
    assert [len(files) for files in held.values()] == [1, 1, 1]


def test_a_log_about_other_days_is_refused_by_name(written):
    said = r"log: no line is about 2026-01-01 to 2026-01-31; 1 lines are about 2025-11-05 to 2025-11-05\."
    with pytest.raises(BadData, match=said):
        written([line(1, sent="2025-11-05")])
    with pytest.raises(BadData, match="there is no line at all"):
        written([])


@pytest.mark.parametrize(
    "lines", [["no line"], [line(1) | {"number": None}], [line(1, sent="2025-11-05"), line(1) | {"number": None}]]
)
def test_a_log_that_is_damaged_or_has_lost_its_keys_is_counted_and_read_on(written, lines):
    examples, served = written(lines)
    assert rows_of(examples, "served") == []
    found = served_rows.load(served.uri)[0].lines
    assert found.unreadable + found.without_key == 1


def test_a_log_that_is_moved_on_while_it_is_read_is_refused_and_one_that_grows_is_not(written):
    def grow(file):
        with file.open("a") as opened:
            opened.write(json.dumps(line(2)) + "\n")

    examples, _ = written([line(1)], change=grow)
    assert [one["number"] for one in rows_of(examples, "served")] == [1]
    with pytest.raises(BadData, match="log: changed while it was read"):
        written([line(1)], change=lambda file: write(file, [line(3)]))


def test_the_version_in_service_is_the_champion_that_answered_last(tmp_path):
    lines = [
        line(1, time="2026-01-01T00:00:00+00:00"),
        line(2, version=4, time="2026-01-03T00:00:00+00:00"),
        line(3, version=5, role="challenger", time="2026-01-04T00:00:00+00:00"),
        line(4, version=6, role="shadow", time="2026-01-05T00:00:00+00:00"),
    ]
    rows = served_log.read(write(tmp_path / "log", lines), PARCELS).rows
    assert released.version(rows) == "4"
    assert released.version(rows[rows["version"] > 4]) == "5"
    assert released.version(rows[rows["version"] > 5]) == ""


@pytest.fixture
def store(tmp_path):
    """A store with a version whose training examples have statistics, and whose evaluation is there."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    made = lineage_store.Store(tmp_path / "store")
    made.begin()
    examples = made.ingest("parcels", (1, 3))
    kept = made.execute("parcels", "StatisticsGen", {"examples": examples}, {"statistics": ("ExampleStatistics", {})})
    [artifact] = made.store.get_artifacts_by_id([kept["statistics"]])
    for split, rows in (("train", 20), ("eval", 10)):
        folder = lineage_store.Path(artifact.uri, f"Split-{split}")
        folder.mkdir()
        message = statistics_pb2.DatasetFeatureStatisticsList()
        message.datasets.add(num_examples=rows)
        (folder / "FeatureStats.pb").write_bytes(message.SerializeToString())
    schema = made.execute("parcels", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    _, model = made.train("parcels", examples, schema)
    blessing = made.judge("parcels", examples, model, None)
    made.push("parcels", model, {"model_blessing": blessing}, 7)
    return made, model


def test_of_a_release_the_statistics_of_the_training_split_are_found_and_what_is_gone_is_said(store, tmp_path):
    import tensorflow_data_validation as tfdv

    made, model = store
    found = released.find("7", str(made.path), "parcels", PARCELS.costs)
    assert found.model == model
    assert tfdv.load_stats_binary(str(found.statistics)).datasets[0].num_examples == 20
    assert found.notes == ("What version 7 was worth at its release is not known: its evaluation is gone.",)
    released.save(found, tmp_path / "kept")
    found.statistics.unlink()
    again = released.load(tmp_path / "kept")
    assert dataclasses.replace(again, statistics=None) == dataclasses.replace(found, statistics=None)
    assert again.statistics.is_file()
    (note, _) = released.find("7", str(made.path), "parcels", PARCELS.costs).notes
    assert note == f"Skew is not measured: the statistics of what model {model} was trained on are gone."


@pytest.mark.parametrize(
    ("version", "said"), [("", "the log has no answer"), ("8", "There is no version 8"), ("7", "no metadata store")]
)
def test_what_is_not_known_of_a_version_is_said(store, tmp_path, version, said):
    path = store[0].path if version == "8" else tmp_path / "nothing.sqlite"
    found = released.find(version, str(path), "parcels", PARCELS.costs)
    assert (found.trained, found.statistics, found.model) == (None, None, None)
    assert said in found.notes[0]


def evaluation(folder, said, happened):
    """The files of an Evaluator, written by TFMA itself, with the metrics of the pipeline."""
    import tensorflow_model_analysis as tfma

    rows = pd.DataFrame({"said": said, "happened": happened})
    plot = tfma.MetricConfig(class_name="CalibrationPlot", config='{"num_buckets": 100}')
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(prediction_key="said", label_key="happened")],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[tfma.MetricConfig(class_name="AUC"), plot])],
    )
    tfma.analyze_raw_data(rows, config, output_path=str(folder))
    return folder


def test_an_evaluation_says_what_a_model_was_worth_at_its_release(tmp_path):
    from operation import evaluated

    draw = np.random.default_rng(5)
    said = draw.random(400).round(3) * 0.98 + 0.0051
    happened = (draw.random(400) < said * 0.6).astype(int)
    wanted = quality.measure(said, happened, PARCELS.costs)
    folder = evaluation(tmp_path / "evaluation", said, happened)
    found = evaluated.read(folder, PARCELS.costs)
    assert (found.rows, found.happened) == (400, pytest.approx(wanted.happened))
    assert found.said == pytest.approx(wanted.said, abs=1e-6)
    assert found.gap.value == pytest.approx(wanted.gap.value, abs=1e-6)
    assert found.auc.value == pytest.approx(wanted.auc.value, abs=1e-3)
    assert found.cost.value == pytest.approx(wanted.cost.value, abs=1e-6)
    assert math.isnan(found.log_loss.value)
    between = SimpleNamespace(false_alarm=1.0, miss=4.0, threshold=0.2049)
    assert math.isnan(evaluated.read(folder, between).cost.value)
    assert evaluated.read(tmp_path / "nothing", PARCELS.costs) is None


def test_distances_are_those_that_the_schema_asks_for_with_its_limits():
    import tensorflow_data_validation as tfdv
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from operation import distances

    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    now = pd.DataFrame({"number": range(20), "depot": list("AAAAB") * 4, "sent": "x"})
    then = pd.DataFrame({"number": range(20), "depot": list("AABBB") * 4, "grams": range(20), "sent": "y"})
    one, other = map(tfdv.generate_statistics_from_dataframe, (now, then))
    found = {each.column: each for each in distances.between(one, other, schema, DRIFT, {"depot"})}
    assert set(found) == {"number", "depot"}
    assert found["number"].distance == pytest.approx(0)
    assert found["depot"] == distances.Distance("depot", DRIFT, pytest.approx(0.4), 0.2, True)
    (grams,) = (each for each in distances.between(other, other, schema, SKEW) if each.column == "grams")
    assert grams.limit == 0.9
    assert distances.between(one, tfdv.generate_statistics_from_dataframe(then[["grams"]]), schema, DRIFT) == []


def test_days_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="must be in this order"):
        WatchConfig("m:P", "out", ("log",), "2026-02-01", "2026-01-31")
    with pytest.raises(ValueError, match="must be in this order"):
        WatchConfig("m:P", "out", ("log",), "2026-01-01", "2026-01-31", before="2026-01-01")


def test_without_labels_a_report_is_made_whose_slices_wait(tmp_path):
    from operation import labels, report

    log = served_log.read(write(tmp_path / "log", [line(1)]), PARCELS)
    joined = labels.join(log.rows, pd.DataFrame(columns=["sent", "number", "lost"]), PARCELS)
    day = datetime.date(2026, 1, 5)
    now = datetime.datetime.now(datetime.UTC)
    made = report.make(log, joined, PARCELS, day, day, now, version="3", notes=["Unknown."])
    assert (made.slices, made.coverage, made.quality) == ((), (), None)
    assert report.Report.load(made.save(tmp_path / "report.json")).notes == ("Unknown.",)


def test_each_file_of_a_published_report_is_whole_whenever_the_process_is_killed(tmp_path, monkeypatch):
    from operation import pipeline

    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        for name in ("report.json", "report.html", "metrics.prom"):
            (folder / name).write_text(folder.name * 1000)
    pipeline.publish(old, tmp_path)

    def half(source, target):
        with open(target, "w") as opened:
            opened.write(source.read_text()[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.shutil, "copyfile", half)
        with pytest.raises(KeyboardInterrupt):
            pipeline.publish(new, tmp_path)
    assert {(tmp_path / name).read_text() for name in ("report.json", "report.html", "metrics.prom")} == {"old" * 1000}
    pipeline.publish(new, tmp_path)
    assert {(tmp_path / name).read_text() for name in ("report.json", "report.html", "metrics.prom")} == {"new" * 1000}
    assert not list(tmp_path.glob("*.unfinished"))
