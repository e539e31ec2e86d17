"""The network without its pipeline sees a flight as Transform has the pipeline's network see it, and learns the same each time."""

from __future__ import annotations

import pytest

from engines.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def january(root):
    from flights.data import read_month

    return read_month(root / "data" / "flights", 1).head(600)


def test_inputs_are_those_of_transform(january, tmp_path):
    """Against TensorFlow Transform itself, with the pipeline's `preprocessing_fn`: means, deviations, order and number of words."""
    import_quietly()
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam

    from flights import features, network
    from flights.columns import LABEL

    kinds = dict.fromkeys(features.NUMERIC, tf.float32) | dict.fromkeys(features.CATEGORICAL, tf.string)
    kinds |= dict.fromkeys([*features.CLOCK.values(), features.WEEKDAY, LABEL], tf.int64)
    spec = {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
    rows = [
        {name: [] if value != value or value is None else [value] for name, value in row.items()}
        for row in january[list(kinds)].astype(object).where(january[list(kinds)].notna(), None).to_dict("records")
    ]
    metadata = tft.DatasetMetadata.from_feature_spec(spec)
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (made, _), _ = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(features.preprocessing_fn)
    by_transform = {name: np.array([np.ravel(row[name])[0] for row in made]) for name in made[0]}
    ours = network.Prepared.of(january)(january)
    assert set(ours) == set(by_transform) - {LABEL}
    for name, values in ours.items():
        np.testing.assert_allclose(values[:, 0], by_transform[name], atol=1e-4, err_msg=name)


def test_a_training_begins_anew_whatever_was_trained_before(january, monkeypatch):
    """And no metric is counted beside the loss."""
    import_quietly()
    import keras

    from flights import network
    from flights.config import Config

    fit, told = keras.Model.fit, {}
    monkeypatch.setattr(keras.Model, "fit", lambda *args, **options: told.update(fit(*args, **options).history))
    short = Config(train_epochs=1)
    first = network.learn(january, short)
    assert list(told) == ["loss"]
    said = first(january)
    other = network.learn(january.tail(200), short)
    assert abs(other(january) - said).max() > 0.001
    assert first(january).tolist() == said.tolist()
    assert network.learn(january, short)(january).tolist() == said.tolist()


def test_a_word_that_training_did_not_have_is_an_unknown_one(january):
    import_quietly()
    from flights import features, network

    prepared = network.Prepared.of(january)
    strange = prepared(january.head(1).assign(carrier="ZZ"))[features.index("carrier")]
    assert strange.tolist() == [[len(prepared.words["carrier"])]]
