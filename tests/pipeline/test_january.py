"""One month of the sample through the whole pipeline: blessed, pushed, the same when asked again; and what is done with the pushed model."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ledger
import listening
import numpy as np
import outcomes
import pytest
import records

from engines import store
from flights import columns, data

CACHED = {
    "CsvExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
}


@pytest.fixture(scope="module")
def january(run, make_config, tmp_path_factory):
    """The configuration of a run on January, and the reports of its nodes. The other engines are compared with what it comes to."""
    config, shared = make_config(), outcomes.shared_folder(tmp_path_factory)
    with outcomes.being_made(shared) as summary:
        with listening.heard() as addresses:
            reports = run(config)
        if not summary.exists():
            shutil.copytree(config.output_root, shared / outcomes.LOCAL)
        summary.write_text(json.dumps(outcomes.of_local(config)))
    assert listening.to_others(addresses) == []
    return config, reports


@pytest.fixture(scope="module")
def predictor(january):
    from flights.predict import Predictor

    return Predictor(store.latest_version(january[0]))


@pytest.fixture(scope="module")
def evaluated(january) -> list[bytes]:
    """The flights that the model was judged on."""
    return records.read_split(ledger.last_output(january[0], "CsvExampleGen", "examples").uri, "eval")


@pytest.fixture(scope="module")
def probabilities(predictor, evaluated) -> np.ndarray:
    """What the pushed model says to them."""
    return np.array(predictor.predict([records.as_flight(record) for record in evaluated]))


def test_model_is_blessed_and_pushed(january):
    config, _ = january
    assert store.latest_verdict(config) == f"Blessed and pushed: {store.latest_version(config)}"
    assert len(ledger.versions(config)) == 1


def test_every_node_ran_once_and_completed(january):
    config, reports = january
    assert [report.state for report in reports] == ["done"] * len(reports)
    assert {execution.node for execution in ledger.executions(config)} == {report.node for report in reports}
    assert {execution.state for execution in ledger.executions(config)} == {"COMPLETE"}
    assert len(ledger.executions(config)) == len(reports) == 10


def test_store_and_folders_agree(january):
    ledger.assert_sound(january[0])


def test_days_are_not_torn_apart(january, evaluated):
    examples = ledger.last_output(january[0], "CsvExampleGen", "examples").uri
    trained = [records.decode(record) for record in records.read_split(examples, "train")]
    judged = [records.decode(record) for record in evaluated]
    assert len(trained) + len(judged) == 2000
    assert not {row["day"][0] for row in trained} & {row["day"][0] for row in judged}


def test_predictions_are_probabilities_that_differ(probabilities):
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert probabilities.std() > 0.02


def test_pushed_model_is_the_one_that_was_evaluated(january, evaluated, probabilities):
    """The Evaluator's figures, computed again from the pushed model's answers to the same flights."""
    import tensorflow_model_analysis as tfma
    from sklearn.metrics import roc_auc_score

    evaluation = ledger.last_output(january[0], "Evaluator", "evaluation").uri
    metrics = tfma.load_eval_result(evaluation).get_metrics_for_all_slices()
    labels = np.array([records.decode(record)[data.LABEL][0] for record in evaluated])
    origins = np.array([records.as_flight(record)["origin"] for record in evaluated])

    slices = {(): np.full(len(labels), True)}
    slices |= {(("origin", origin),): origins == origin for origin in ("EWR", "JFK", "LGA")}
    assert set(metrics) == set(slices)
    for key, rows in slices.items():
        label, probability, found = labels[rows], probabilities[rows], metrics[key]
        said = {name: next(iter(value.values())) for name, value in found.items()}
        assert said["example_count"] == len(label)
        assert said["auc"] == pytest.approx(roc_auc_score(label, probability), abs=2e-3)  # TFMA counts in buckets
        assert said["calibration"] == pytest.approx(probability.mean() / label.mean(), rel=1e-4)


def test_unknown_destination_and_missing_weather_are_no_obstacle(predictor):
    """The contract tolerates a destination that is not in its list, in a month and in a request; a carrier it does not."""
    flight = {"weekday": 5, "sched_dep_time": 1745, "carrier": "UA", "origin": "EWR", "dest": "XXX", "distance": 500}
    (probability,) = predictor.predict([flight])
    assert 0 < probability < 1


def test_answer_does_not_depend_on_the_flights_beside_it(predictor, evaluated, probabilities):
    alone = [predictor.predict([records.as_flight(record)])[0] for record in evaluated[:20]]
    assert alone == pytest.approx(probabilities[:20].tolist(), abs=1e-6)


def test_label_in_a_request_changes_nothing(predictor, evaluated, probabilities):
    flights = [records.as_flight(record) for record in evaluated[:50]]
    unlabelled = [{name: value for name, value in flight.items() if name != data.LABEL} for flight in flights]
    assert predictor.predict(unlabelled) == pytest.approx(probabilities[:50].tolist(), abs=1e-6)


# --- Training and serving prepare a flight in the same way -------------------------------------------------------


@pytest.fixture(scope="module")
def transform(january):
    import tensorflow_transform as tft

    return tft.TFTransformOutput(ledger.last_output(january[0], "Transform", "transform_graph").uri)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_features_in_training_are_those_in_serving(split, january, transform):
    import tensorflow as tf

    config, _ = january
    raw = records.read_split(ledger.last_output(config, "CsvExampleGen", "examples").uri, split)
    examples = ledger.last_input(config, "Trainer", "examples")
    in_training = [records.decode(record) for record in records.read_split(examples.uri, split)]

    serving = transform.transform_features_layer()
    parsed = tf.io.parse_example(raw, transform.raw_feature_spec())
    in_serving = {name: column.numpy().reshape(len(raw)) for name, column in serving(parsed).items()}

    assert len(in_training) == len(raw)
    assert {name for row in in_training for name in row} == set(in_serving)
    for name, column in in_serving.items():
        trained = np.array([row[name][0] for row in in_training], column.dtype)
        # Beam may write the rows in another order.
        np.testing.assert_allclose(np.sort(trained), np.sort(column), atol=1e-6, err_msg=name)
    rows = unordered_rows(in_serving, range(len(raw)))
    trained = {name: np.array([row[name][0] for row in in_training]) for name in in_serving}
    assert unordered_rows(trained, range(len(raw))) == rows


def unordered_rows(columns: dict[str, np.ndarray], rows: range) -> list[tuple]:
    """Rounded rows in an order of their own."""
    return sorted(tuple(round(float(columns[name][row]), 4) for name in sorted(columns)) for row in rows)


def test_scale_is_that_of_the_training_flights_alone(january, transform):
    """The mean and deviation in the graph, computed again without TensorFlow."""
    import tensorflow as tf

    from flights import features

    config, _ = january
    uri = ledger.last_output(config, "CsvExampleGen", "examples").uri
    train = [records.decode(record) for record in records.read_split(uri, "train")]
    raw = records.read_split(uri, "eval")[:100]
    parsed = tf.io.parse_example(raw, transform.raw_feature_spec())
    served = transform.transform_features_layer()(parsed)
    for name, missing in features.NUMERIC.items():
        learned = np.array([row.get(name, [missing])[0] for row in train], float)
        given = np.array([records.decode(record).get(name, [missing])[0] for record in raw], float)
        expected = (given - learned.mean()) / learned.std()
        np.testing.assert_allclose(served[features.scaled(name)].numpy()[:, 0], expected, atol=2e-3, err_msg=name)


# --- The same again -----------------------------------------------------------------------------------------------


def test_repeated_run_is_taken_from_the_cache_after_a_failure_too(run, january, predictor, monkeypatch):
    """First all but the evaluation, because now there is a baseline; then everything. Only the resolver has no cache."""
    from tfx.components.evaluator import executor

    def fail(*_):
        raise ArithmeticError("the evaluation went wrong")

    config, _ = january
    (first,) = ledger.versions(config)
    assert ledger.baseline_of(ledger.last_output(config, "Evaluator", "blessing")) is None
    with monkeypatch.context() as patched:
        patched.setattr(executor.Executor, "Do", fail)
        with pytest.raises(ArithmeticError, match="the evaluation went wrong") as failed:
            run(config)
    assert failed.value.failed_node == "Evaluator"
    assert ledger.last_states(config)["Evaluator"] == "FAILED"

    second = {report.node: report.state for report in run(config)}
    assert {node for node, state in second.items() if state == "cached"} == CACHED
    blessing = ledger.last_output(config, "Evaluator", "blessing")
    assert ledger.baseline_of(blessing) == ledger.last_output(config, "Trainer", "model").id
    assert len(ledger.versions(config)) == 2

    third = {report.node: report.state for report in run(config)}
    assert {node for node, state in third.items() if state == "done"} == {"LatestBlessedModel"}
    assert len(ledger.versions(config)) == 2
    assert first == ledger.versions(config)[0]
    assert [one.node for one in ledger.executions(config) if one.state not in ("COMPLETE", "CACHED")] == ["Evaluator"]
    ledger.assert_sound(config)


@pytest.mark.long
def test_same_seed_in_a_fresh_store_gives_the_same_model(run_until, make_config, evaluated, probabilities):
    from flights.predict import Predictor

    config = make_config("fresh")
    run_until(config, "Trainer")
    again = Predictor(Path(ledger.last_output(config, "Trainer", "model").uri) / "Format-Serving")
    flights = [records.as_flight(record) for record in evaluated]
    assert again.predict(flights) == pytest.approx(probabilities.tolist(), abs=1e-6)

    other = make_config("fresh", seed=14)
    run_until(other, "Trainer")
    assert ledger.last_states(other)["Transform"] == "CACHED"
    another = Predictor(Path(ledger.last_output(other, "Trainer", "model").uri) / "Format-Serving")
    assert another.predict(flights) != pytest.approx(probabilities.tolist(), abs=1e-3)


@pytest.mark.long
def test_raw_examples_through_the_graph_train_as_good_a_model(run_until, make_config, evaluated, probabilities):
    from sklearn.metrics import roc_auc_score

    from flights.predict import Predictor

    config = make_config("raw", materialize=False)
    run_until(config, "Trainer")
    transform = Path(ledger.last_output(config, "Transform", "transform_graph").uri).parents[1]
    assert not (transform / "transformed_examples").exists()
    model = Predictor(Path(ledger.last_output(config, "Trainer", "model").uri) / "Format-Serving")
    labels = [records.decode(record)[data.LABEL][0] for record in evaluated]
    found = model.predict([records.as_flight(record) for record in evaluated])
    assert roc_auc_score(labels, found) == pytest.approx(roc_auc_score(labels, probabilities), abs=0.02)


# --- The pushed model in other places -------------------------------------------------------------------------------


def test_pushed_model_stores_each_weight_of_the_network_once(january):
    """Without the statistics of its training, too; its tables are files in `assets`."""
    import tensorflow as tf

    from flights import features, warm_start

    config, _ = january
    trained = Path(ledger.last_output(config, "Trainer", "model").uri) / "Format-Serving"
    version = store.latest_version(config)
    stored = tf.train.list_variables(str(version / "variables/variables"))
    shapes = sorted(tuple(shape) for name, shape in stored if name.endswith("VARIABLE_VALUE"))
    assert shapes == sorted(weight.shape for weight in warm_start.recall(trained).model().get_weights())
    assert {path.name for path in (version / "assets").iterdir()} == set(features.CATEGORICAL)


def test_exported_model_says_of_a_month_what_the_pushed_one_says(january, predictor, tmp_path, root):
    """December has places and planes that January did not have."""
    from flights import export
    from flights.on_device import OnDevice

    made = export.to_litert(store.latest_version(january[0]), tmp_path, data.month_path(root / "data/flights", 12))
    assert made.flights == 2000
    assert made.largest_difference < 1e-6
    flights = data.read_table(data.month_path(root / "data/flights", 7)).to_pylist()[:300]
    assert OnDevice(tmp_path).predict(flights) == pytest.approx(predictor.predict(flights), abs=1e-6)


# --- A month scored in bulk ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def march(january, tmp_path_factory):
    """March, scored: the table, and the reports of the nodes."""
    import pyarrow.parquet as pq

    from flights import score

    reports, file = [], tmp_path_factory.mktemp("scores") / "march.parquet"
    scored = score.score(january[0], 3, file, report=reports.append)
    assert (scored.file, scored.flights) == (file, 2000)
    return pq.read_table(file), reports, file


def test_each_flight_of_the_month_is_scored_once(march, january, root):
    table, reports, _ = march
    assert table.column_names == [*columns.KEY, columns.PROBABILITY, "model_version"]
    month = data.read_table(data.month_path(root / "data/flights", 3)).select(columns.KEY)
    assert table.select(columns.KEY) == month.sort_by([(name, "ascending") for name in columns.KEY]).combine_chunks()
    assert set(table["model_version"].to_pylist()) == {store.latest_version(january[0]).name}
    assert [report.state for report in reports if report.node == "BulkInferrer"] == ["done"]


def test_bulk_says_what_a_single_prediction_says(march, predictor, root):
    table, _, _ = march
    flights = data.read_table(data.month_path(root / "data/flights", 3)).to_pylist()[::20]
    said = {tuple(row[name] for name in columns.KEY): row[columns.PROBABILITY] for row in table.to_pylist()}
    in_bulk = [said[tuple(flight[name] for name in columns.KEY)] for flight in flights]
    assert in_bulk == pytest.approx(predictor.predict(flights), abs=1e-6)
    assert np.std(in_bulk) > 0.02


def test_label_is_not_looked_at_where_there_is_one(march, january, root):
    examples = ledger.last_output(january[0], "ScoringExampleGen", "examples").uri
    rows = [records.decode(record) for record in records.read_split(examples, "unlabelled")]
    assert not any(data.LABEL in row for row in rows)
    assert {name for row in rows for name in row} == {*data.COLUMN_TYPES} - {data.LABEL}


def test_store_knows_which_predictions_the_model_has_made(march, january):
    from engines.lineage import Lineage

    config, _ = january
    version = Lineage(store.open_store(config)).version(store.latest_version(config).name)
    assert version.model.predictions == (ledger.last_output(config, "BulkInferrer", "output_examples").uri,)


def test_month_that_breaks_the_contract_of_serving_is_not_scored(march, january, tmp_path, root):
    from flights import score
    from flights.gate import BadDataError

    _, _, file = march
    before = file.read_bytes()
    broken = data.month_path(tmp_path, 3)
    broken.parent.mkdir()
    lines = data.month_path(root / "data/flights", 3).read_text().replace(",UA,", ",ZZ,", 20)
    broken.write_text("".join(line.rpartition(",")[0] + "\n" for line in lines.splitlines()))  # and without labels
    assert lines.partition("\n")[0].endswith(f",{data.LABEL}")
    config = dataclasses.replace(january[0], data_root=str(tmp_path))
    with pytest.raises(BadDataError) as refused:
        score.score(config, 3, file)
    assert "unlabelled, column carrier" in str(refused.value)
    assert "ZZ" in str(refused.value)
    assert data.LABEL not in str(refused.value).split()
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    ledger.assert_sound(config)


@pytest.mark.long
def test_killed_while_it_scores_the_next_run_is_sound(january, predictor, tmp_path, root, forked):
    import pyarrow.parquet as pq

    config, file = january[0], tmp_path / "scores" / "april.parquet"
    file.parent.mkdir()
    options = ["--data-root", config.data_root, "--output-root", config.output_root, "--file", str(file)]
    words = ["score", "--month", "4", *options]
    before = set((Path(config.pipeline_root) / "BulkInferrer/output_examples").glob("*"))
    process = forked(words)
    while set((Path(config.pipeline_root) / "BulkInferrer/output_examples").glob("*")) == before:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert ledger.last_states(config)["BulkInferrer"] == "RUNNING"
    assert list(file.parent.iterdir()) == []

    command = [str(Path(sys.executable).with_name("flights")), *words]
    said = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    assert "2,000 flights, scored by version" in said
    assert list(file.parent.iterdir()) == [file]
    table = pq.read_table(file).to_pylist()
    month = data.read_table(data.month_path(root / "data/flights", 4)).to_pylist()
    known = {tuple(flight[name] for name in columns.KEY): flight for flight in month}
    flights = [known.pop(tuple(row[name] for name in columns.KEY)) for row in table]
    assert not known
    assert [row[columns.PROBABILITY] for row in table] == pytest.approx(predictor.predict(flights), abs=1e-6)
    ledger.assert_sound(config)


# --- The folder is copied elsewhere, and the original is gone: the last tests -----------------------------------------------


@pytest.fixture(scope="module")
def moved(january, run, make_config):
    """The configuration of a run in the copy, from the Trainer on, with the reports of its nodes, and the former folder."""
    former = Path(january[0].output_root)
    config = make_config("copied", train_epochs=1, min_auc=0.0, min_slice_auc=0.0, max_auc_loss=1.0)
    shutil.copytree(former, config.output_root)
    os.rename(former, f"{former}-gone")
    return config, run(config, first="Trainer"), former


@pytest.mark.long
def test_run_in_a_copy_comes_to_its_end_and_leaves_the_former_place_alone(moved):
    config, reports, former = moved
    assert {report.node: report.state for report in reports} == dict.fromkeys(
        ("Trainer", "LatestBlessedModel", "Evaluator", "Pusher"), "done"
    )
    assert store.latest_verdict(config) == f"Blessed and pushed: {store.latest_version(config)}"
    assert not former.exists()


@pytest.mark.long
def test_candidate_in_a_copy_was_held_against_the_model_that_is_there_now(moved):
    config, _, _ = moved
    baseline = Path(ledger.last_input(config, "Evaluator", "baseline_model").uri)
    assert baseline.is_dir()
    assert baseline.is_relative_to(config.pipeline_root)


@pytest.mark.long
def test_whole_run_in_a_copy_comes_to_its_end(moved, run):
    """TFX's cache compares paths: what was made before is made anew."""
    config, _, _ = moved
    states = {report.node: report.state for report in run(config)}
    assert {states[node] for node in ("StatisticsGen", "Transform", "Trainer", "Evaluator", "Pusher")} == {"done"}
    ledger.assert_sound(config)
