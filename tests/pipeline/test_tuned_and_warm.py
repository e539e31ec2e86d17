"""Two months with all switches on: tuned, then gone on from; logged to MLflow; and a Tuner that is killed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import ledger
import numpy as np
import pytest
import records
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import store
from flights.config import Config

# Lesson 07 searches and goes on from a model for each change, and is compared with what it shows.
pytestmark = pytest.mark.long

PATIENCE = 300  # seconds that a step may take on a machine with much to do


@pytest.fixture(scope="module")
def uri(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, and what it left, read before a later run adds to the same store."""

    config: Config
    states: dict[str, str]
    past: dict
    trials: list[dict]
    model: mlmd.Artifact
    examples: str
    transform: str
    evaluation: str

    @classmethod
    def of(cls, config: Config, states: dict[str, str]) -> Run:
        """Reads what the newest run has left."""
        model = ledger.last_output(config, "Trainer", "model")
        return cls(
            config,
            states,
            json.loads((Path(model.uri) / "Format-Keras/past.json").read_text()),
            trials_of(config) if config.tune else [],
            model,
            ledger.last_output(config, "CsvExampleGen", "examples").uri,
            ledger.last_output(config, "Transform", "transform_graph").uri,
            ledger.last_output(config, "Evaluator", "evaluation").uri,
        )


def trials_of(config: Config) -> list[dict]:
    """The rows that the newest Tuner wrote, the best first."""
    results = Path(ledger.last_output(config, "Tuner", "tuner_results").uri)
    return json.loads((results / "tuner_results.json").read_text())


@pytest.fixture(scope="module")
def february(run, make_config, uri):
    """Tuned and trained on January, judged on February. Nothing is there to go on from."""
    config = make_config(months=(1, 2), train_epochs=2, tune=True, tuner_trials=3, warm_start=True, tracking_uri=uri)
    return Run.of(config, {report.node: report.state for report in run(config)})


@pytest.fixture(scope="module")
def march(run, make_config, february, uri):
    """Goes on from it with February, judged on March. With the layers that the Tuner chose for it."""
    config = make_config(
        months=(2, 3),
        train_epochs=2,
        hidden_units=tuple(february.past["settings"]["hidden_units"]),
        warm_start=True,
        tracking_uri=uri,
        run_name="warm",
    )
    return Run.of(config, {report.node: report.state for report in run(config)})


# --- The Tuner ----------------------------------------------------------------------------------------------------


def test_trainer_trains_with_the_best_of_the_trials(february):
    from flights import model

    trials, settings = february.trials, february.past["settings"]
    assert len(trials) == 3
    best = max(trials, key=lambda trial: trial["score"])
    assert best["score"] == trials[0]["score"] > 0.5
    chosen = model.as_settings({name: best[name] for name in best if name not in ("trial_id", "score")})
    assert settings | chosen == settings
    first = next(trial for trial in trials if int(trial["trial_id"]) == 0)
    assert first["hidden_units"] == "16"
    assert first["learning_rate"] == february.config.learning_rate


def test_first_model_starts_from_random_weights(february):
    assert february.past["started_from"] == ""
    assert february.states["Pusher"] == "done"
    ledger.assert_sound(february.config)  # nothing for warm starts is in the pushed model


# --- Warm start ---------------------------------------------------------------------------------------------------


def test_second_month_goes_on_from_the_blessed_model(february, march):
    assert ledger.last_input(march.config, "Trainer", "base_model").id == february.model.id
    assert march.past["started_from"] == f"{february.model.uri}/Format-Serving"
    assert march.states["Trainer"] == "done"
    ledger.assert_sound(march.config)


def test_before_training_flights_are_predicted_as_by_the_model_in_service(february, march):
    """Although February's words are in another order, and its mean and deviation are others."""
    import keras
    import tensorflow as tf
    import tensorflow_transform as tft

    from flights import model, warm_start
    from flights.predict import Predictor

    base = february.past
    transform = tft.TFTransformOutput(march.transform)
    now = warm_start.Past.of(transform, base["settings"])
    assert now.vocabularies["dest"] != base["vocabularies"]["dest"]
    assert now.moments["temp_scaled"] != pytest.approx(base["moments"]["temp_scaled"], rel=0.01)

    started = model.start(transform, base["settings"], march.past["started_from"])
    raw = records.read_split(march.examples, "month-03")[:500]
    known = [one for one in raw if not forgotten(records.as_flight(one), base["vocabularies"], now.vocabularies)]
    assert len(known) > 450
    parsed = tf.io.parse_example(known, transform.raw_feature_spec())
    scaled = transform.transform_features_layer()(parsed)
    found = started.predict({name: scaled[name] for name in started.input}, verbose=0)[:, 0]
    in_service = Predictor(Path(march.past["started_from"])).predict([records.as_flight(one) for one in known])
    np.testing.assert_allclose(found, in_service, atol=2e-4)
    assert isinstance(started, keras.Model)


def forgotten(flight: dict, then: dict, now: dict) -> bool:
    """Whether a word of it was known then, and is not now: February had no such flight."""
    return any(flight[column] in then[column] and flight[column] not in now[column] for column in now)


def test_moments_of_the_graph_are_those_of_the_flights(march):
    import tensorflow_transform as tft

    from flights import features, warm_start

    rows = [records.decode(one) for one in records.read_split(march.examples, "month-02")]
    moments = warm_start.moments_of(tft.TFTransformOutput(march.transform))
    for name, missing in features.NUMERIC.items():
        values = np.array([row.get(name, [missing])[0] for row in rows], float)
        assert moments[features.scaled(name)] == pytest.approx((values.mean(), values.std()), rel=1e-3, abs=1e-3), name
    clock = np.array([row["sched_dep_time"][0] for row in rows], float)
    minutes = clock // 100 * 60 + clock % 100
    found = moments[features.scaled(features.DEPARTURE)]
    assert found == pytest.approx((minutes.mean(), minutes.std()), rel=1e-3)


def test_other_layers_stop_the_run_and_say_what_to_ask_for(run_until, make_config, march):
    from flights.warm_start import BaseModelError

    other = make_config(months=(2, 3), train_epochs=2, hidden_units=(5, 5), warm_start=True)
    with pytest.raises(BaseModelError, match=r"this run asks for \[5, 5\]. Ask for .* --warm-start"):
        run_until(other, "Trainer")
    store.repair(other)
    ledger.assert_sound(march.config)


# --- MLflow -------------------------------------------------------------------------------------------------------


def test_runs_are_logged_with_the_numbers_of_their_evaluation(february, march, uri):
    import tensorflow_model_analysis as tfma

    from flights import experiments

    found = experiments.compare(uri, ["months 1-2", "warm"])
    assert found["months"].tolist() == ["1-2", "2-3"]
    assert found["blessed"].tolist()[0] == "yes"
    for done, name in ((february, "months 1-2"), (march, "warm")):
        result = tfma.load_eval_result(done.evaluation)
        assert found.loc[name, "auc"] == result.get_metrics_for_slice()["auc"]["doubleValue"]
        jfk = result.get_metrics_for_slice((("origin", "JFK"),))["auc"]["doubleValue"]
        assert logged(uri, name, "auc/origin:JFK") == [jfk]
        assert logged(uri, name, "epoch/val_auc") == done.past["history"]["val_auc"]


def logged(uri: str, name: str, metric: str) -> list[float]:
    """The values of a metric in the store, read without MLflow."""
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as opened:
        rows = opened.execute(
            "select value from metrics join runs using (run_uuid) where name = ? and key = ? order by step",
            (name, metric),
        )
        return [value for (value,) in rows]


# --- Killed, and run again ----------------------------------------------------------------------------------------


def test_killed_in_tuner_the_next_run_tries_the_same_again(february, run_until, make_config, forked, uri):
    """No trial is lost or counted twice: the search begins anew, with the same seed."""
    config = make_config(months=(1, 2), train_epochs=2, tune=True, tuner_trials=4)
    options = ["--months", "1-2", "--train-epochs", "2", "--tune", "--tuner-trials", "4"]
    options += ["--data-root", config.data_root, "--output-root", config.output_root]
    folder = Path(config.pipeline_root) / "Tuner"
    before = set(folder.glob("best_hyperparameters/*"))
    process, end = forked(["run", *options]), time.monotonic() + PATIENCE
    while len(list(folder.glob(".system/**/trial_*/trial.json"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < end, "no trial ended"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert ledger.last_states(config)["Tuner"] == "RUNNING"

    store.repair(config)
    assert set(folder.glob("best_hyperparameters/*")) == before
    assert not list(folder.glob(".system/**/trial.json"))
    run_until(config, "Tuner")
    again = trials_of(config)
    assert sorted(int(trial["trial_id"]) for trial in again) == [0, 1, 2, 3]
    by_id = {int(trial["trial_id"]): trial["score"] for trial in again}
    assert {int(trial["trial_id"]): trial["score"] for trial in february.trials} == {
        number: pytest.approx(by_id[number], abs=1e-6) for number in (0, 1, 2)
    }
    ledger.assert_sound(config)
