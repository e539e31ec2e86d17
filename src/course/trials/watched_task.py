"""A task of a compiled pipeline that notes what Keras has fitted: called in place of the module that a step starts, which is its first argument."""

from __future__ import annotations

import functools
import importlib
import json
from typing import Any

FITTED = "fitted.json"


def main(arguments: list[str]) -> int:
    """Does the task, and leaves in its folder what was fitted last: epochs, loss, learning rate, and the layers that have weights."""
    import keras

    from engines.kubeflow import processes

    fit, folder = keras.Model.fit, processes.task_folder(arguments)

    @functools.wraps(fit)
    def watched(model: Any, *given: Any, **named: Any) -> Any:
        history = fit(model, *given, **named)
        layers = [_layer(layer) for layer in model.layers if layer.weights]
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        found = {
            "epochs": len(history.epoch),
            "steps": int(model.optimizer.iterations),
            "learning_rate": round(rate, 6),
        }
        found |= {"loss": str(model.loss), "layers": sorted(layers)}
        (folder / FITTED).write_text(json.dumps(found), encoding="utf-8")
        return history

    keras.Model.fit = watched
    return importlib.import_module(arguments[0]).main(arguments[1:])


def _layer(layer: Any) -> str:
    """What a layer is, whatever its name and the order of its inputs."""
    found = layer.get_config()
    penalty = (found.get("kernel_regularizer") or {}).get("config", {}).get("l2", 0)
    named = {name: found[name] for name in ("units", "input_dim", "output_dim", "activation") if name in found}
    return json.dumps({"layer": type(layer).__name__, **named, "l2": round(float(penalty), 6)})
