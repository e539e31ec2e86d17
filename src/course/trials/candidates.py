"""Holds candidates against what an Evaluator demands: a step of a trial.

    main([FOLDER, FLIGHTS, OUTPUT, LABEL, BASELINE, CANDIDATE...])

FOLDER holds the metadata store in which an Evaluator has left its EvalConfig; FLIGHTS is a CSV file with a column for each slice that may be asked for, for the
label, and for what each model says. To OUTPUT goes, as JSON, what is `demanded`, and for each candidate what it has `missed`: each as kind (`value`, or `change`
against the baseline), and the demand in words.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Holds them against it."""
    import pandas as pd
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format
    from tensorflow_model_analysis.api import model_eval_lib
    from tensorflow_model_analysis.metrics import metric_specs

    folder, flights, output, label, *models = arguments
    config = json_format.Parse(_config(Path(folder)), tfma.EvalConfig(), ignore_unknown_fields=True)
    del config.model_specs[:]
    for number, name in enumerate(models):
        config.model_specs.add(name=name, label_key=label, prediction_key=name, is_baseline=number == 0)
    config.options.compute_confidence_intervals.value = False
    for spec in config.metrics_specs:
        spec.model_names[:] = models
        metrics = [one for one in spec.metrics if one.HasField("threshold") or one.per_slice_thresholds]
        del spec.metrics[:]  # what is measured and not demanded
        spec.metrics.extend(metrics)
    # It would ask for the files of a baseline.
    model_eval_lib._update_eval_config_with_defaults = lambda config, *given: config
    with tempfile.TemporaryDirectory() as place:
        tfma.analyze_raw_data(pd.read_csv(flights), config, place)
        result = tfma.load_validation_result(place)
    demanded = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    found: dict[str, Any] = {
        "demanded": [
            _words(key.name, one) for key, some in demanded.items() if key.model_name == models[1] for _, one in some
        ],
        "missed": {name: [] for name in models[1:]},
    }
    for part in result.metric_validations_per_slice:
        for one in part.failures:
            kind = "change_threshold" if one.metric_threshold.HasField("change_threshold") else "value_threshold"
            limit = getattr(one.metric_threshold, kind)
            found["missed"][one.metric_key.model_name].append(_words(one.metric_key.name, limit))
    Path(output).write_text(json.dumps(found), encoding="utf-8")


def _config(folder: Path) -> str:
    [path] = folder.glob("*.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as store:
        asked = "SELECT string_value FROM ExecutionProperty WHERE name = 'eval_config' ORDER BY execution_id LIMIT 1"
        [text] = store.execute(asked).fetchone()
    return text


def _words(metric: str, limit: Any) -> tuple[str, str]:
    """The kind of a demand, and the demand with its bounds and its direction."""
    names = ("lower_bound", "upper_bound") if hasattr(limit, "lower_bound") else ("absolute", "relative")
    bounds = [f"{name} {getattr(limit, name).value:g}" for name in names if limit.HasField(name)]
    if names[0] == "lower_bound":
        return "value", f"{metric}: {', '.join(bounds)}"
    direction = type(limit).DESCRIPTOR.fields_by_name["direction"].enum_type.values_by_number[limit.direction].name
    return "change", f"{metric} against the baseline: {', '.join([*bounds, f'direction {direction}'])}"
