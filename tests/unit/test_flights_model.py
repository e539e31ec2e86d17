"""The network: its training step is traced once, and its batches have the rows of all columns."""

from __future__ import annotations

import pytest

from engines.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")

SETTINGS = {"hidden_units": [2], "dropout": 0.1, "l2": 1e-3, "learning_rate": 1e-3, "seed": 3}


def test_tensorflow_traces_the_training_step_once(monkeypatch):
    import_quietly()
    import numpy as np

    from flights import features, model

    network = model.build_model(dict.fromkeys(features.CATEGORICAL, 2), SETTINGS)
    traced = []
    train_step = network.train_step
    monkeypatch.setattr(network, "train_step", lambda data: traced.append(data) or train_step(data))
    flights = {name: np.zeros((8, 1), kind.dtype) for name, kind in network.input.items()}
    network.fit(model.batches_of(flights | {model.LABEL: np.zeros((8, 1))}, 4, None), verbose=0)
    assert len(traced) == 1


def test_a_batch_has_the_same_rows_of_all_columns_in_the_order_that_the_seed_says():
    import_quietly()
    import numpy as np
    import tensorflow as tf

    from flights import model

    numbers = np.arange(10).reshape(-1, 1)
    columns = {
        "temp": tf.constant(numbers / 7, tf.float32),
        "carrier": tf.constant(numbers * 3, tf.int64),
        model.LABEL: tf.constant(numbers % 2, tf.int64),
        "wind": tf.constant(numbers / 3, tf.float32),
    }
    shuffled = tf.data.Dataset.range(10).shuffle(10, seed=5).batch(4)
    for seed, rows in (None, tf.data.Dataset.range(10).batch(4)), (5, shuffled):
        batches = model.batches_of(columns, 4, seed)
        assert batches.cardinality() == 3  # unknown, Keras ends epochs otherwise, and trainings differ
        for _ in range(2):  # epochs
            for (inputs, labels), chosen in zip(batches, rows, strict=True):
                assert set(inputs) == {"temp", "carrier", "wind"}
                for name, found in {**inputs, model.LABEL: labels}.items():
                    assert found.dtype == columns[name].dtype
                    np.testing.assert_array_equal(found, tf.gather(columns[name], chosen))
