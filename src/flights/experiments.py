"""Experiments: runs of the pipeline logged to MLflow, and compared.

The store is a SQLite file or a server; nothing is sent anywhere else. MLflow is imported only when it is used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from engines import mlflow_store, places

KEY = "evaluation"
"""The tag that tells runs apart: of one evaluation there is one run, however often it is logged."""

NOT_IN_NAMES = r"[^\w\-. ]"
"""What MLflow does not allow in the name of a metric, and ours use as separators."""


TrackingError = mlflow_store.MlflowStoreError


def log_run(
    tracking_uri: str,
    name: str,
    *,
    settings: dict[str, Any],
    metrics: dict[str, float],
    history: dict[str, Sequence[float]] | None = None,
    tags: dict[str, str] | None = None,
    experiment: str = __package__,
) -> str:
    """Logs a run that has ended.

    Args:
        tracking_uri: the store, for example `sqlite:///out/mlflow.db`.
        name: of the run.
        settings: logged as parameters.
        metrics: by name, for example `auc` or `auc/origin:JFK`.
        history: metrics by epoch.
        tags: what else is to be known of it, such as months and blessing. A run with the same tag `evaluation` is replaced.
        experiment: the experiment it belongs to; made when there is none.

    Returns:
        MLflow's id of the run.

    Raises:
        TrackingError: MLflow cannot use the store.
    """
    tags = dict(tags or {})
    with mlflow_store.opened(tracking_uri) as client:
        from mlflow.entities import Metric, Param, RunTag

        found = client.get_experiment_by_name(experiment)
        number = found.experiment_id if found else client.create_experiment(experiment)
        for run in client.search_runs([number]) if KEY in tags else []:
            if run.data.tags.get(KEY) == tags[KEY]:
                client.delete_run(run.info.run_id)
        run_id = client.create_run(number, run_name=name).info.run_id
        now = int(time.time() * 1000)
        steps = [
            Metric(f"epoch/{metric}", float(value), now, step)
            for metric, values in (history or {}).items()
            for step, value in enumerate(values)
        ]
        client.log_batch(
            run_id,
            metrics=[Metric(metric, float(value), now, 0) for metric, value in metrics.items()] + steps,
            params=[Param(setting, str(value)) for setting, value in settings.items()],
            tags=[RunTag(tag, value) for tag, value in tags.items()],
        )
        client.set_terminated(run_id)
        return run_id


def compare(tracking_uri: str, names: Iterable[str] | None = None, experiment: str = __package__) -> pd.DataFrame:
    """Runs side by side: a row each, by name.

    Args:
        tracking_uri: the store.
        names: of the runs, in the order of the rows; all of the experiment, oldest first, when none are given. Of several runs with
            one name it is the newest.
        experiment: in which they are.

    Returns:
        Months, the settings in which the runs differ, metrics over all flights, and whether the model was blessed.

    Raises:
        KeyError: there is no such experiment, or no such run; says which there are.
        TrackingError: MLflow cannot use the store.
    """
    with mlflow_store.opened(tracking_uri) as client:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            raise KeyError(f"no experiment {experiment!r} in {places.without_secret(tracking_uri)}.")
        runs = {
            run.info.run_name: run
            for run in sorted(client.search_runs([found.experiment_id]), key=lambda run: run.info.start_time)
            if run.info.status == "FINISHED"
        }
    wanted = list(runs if names is None else names)
    if missing := [name for name in wanted if name not in runs]:
        raise KeyError(f"no run {', '.join(missing)}; there are {', '.join(runs)}.")
    if not wanted:
        return pd.DataFrame(columns=["months", "blessed"])
    settings = pd.DataFrame({name: runs[name].data.params for name in wanted}).T
    differing = [name for name in settings if settings[name].nunique(dropna=False) > 1 and name != "source"]
    metrics = pd.DataFrame({name: runs[name].data.metrics for name in wanted}).T
    overall = [name for name in metrics if "/" not in name]
    tags = pd.DataFrame({name: runs[name].data.tags for name in wanted}).T.reindex(columns=["months", "blessed"])
    return pd.concat([tags["months"], settings[differing], metrics[overall], tags["blessed"]], axis=1)


def metrics_of(evaluation_uri: str) -> dict[str, float]:
    """The metrics of an evaluation: `auc` over all flights, `auc/origin:JFK` in a slice. Those of a baseline are left out."""
    import tensorflow_model_analysis as tfma

    found = {}
    for key, outputs in tfma.load_eval_result(evaluation_uri).slicing_metrics:
        where = "".join(f"/{column}:{re.sub(NOT_IN_NAMES, '_', str(value))}" for column, value in key)
        for name, value in outputs[""][""].items():
            if "doubleValue" in value:
                found[f"{name}{where}"] = value["doubleValue"]
    return found
