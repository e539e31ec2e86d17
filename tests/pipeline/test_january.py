"""One month of the sample through the whole pipeline: blessed, pushed, and the same when asked again."""

from __future__ import annotations

from pathlib import Path

import ledger
import listening
import numpy as np
import pytest
import records

from engines import store
from flights import data

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
def january(run, make_config):
    """The configuration of a run on January, and the reports of its nodes."""
    config = make_config()
    with listening.heard() as addresses:
        reports = run(config)
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


def test_repeated_run_is_taken_from_the_cache(run, january, predictor):
    """First all but the evaluation, because now there is a baseline; then everything. Only the resolver has no cache."""
    config, _ = january
    (first,) = ledger.versions(config)
    assert ledger.baseline_of(ledger.last_output(config, "Evaluator", "blessing")) is None

    second = {report.node: report.state for report in run(config)}
    assert {node for node, state in second.items() if state == "cached"} == CACHED
    blessing = ledger.last_output(config, "Evaluator", "blessing")
    assert ledger.baseline_of(blessing) == ledger.last_output(config, "Trainer", "model").id
    assert len(ledger.versions(config)) == 2

    third = {report.node: report.state for report in run(config)}
    assert {node for node, state in third.items() if state == "done"} == {"LatestBlessedModel"}
    assert len(ledger.versions(config)) == 2
    assert first == ledger.versions(config)[0]
    assert {execution.state for execution in ledger.executions(config)} == {"COMPLETE", "CACHED"}
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
