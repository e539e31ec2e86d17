"""The network: its training step is traced once."""

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
