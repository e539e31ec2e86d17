"""Experiments: runs of the pipeline logged to MLflow, and compared.

The store is a SQLite file or a server; nothing is sent anywhere else. MLflow is imported only when it is used.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from engines import places

KEY = "evaluation"
"""The tag that tells runs apart: of one evaluation there is one run, however often it is logged."""

NOT_IN_NAMES = r"[^\w\-. ]"
"""What MLflow does not allow in the name of a metric, and ours use as separators."""


class TrackingError(RuntimeError):
    """MLflow cannot use its store; the message names it, and says why."""


def _client(tracking_uri: str):
    """MLflow's client. Its telemetry is off: what is run here is nobody's business."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    import mlflow

    for name in ("mlflow", "alembic"):  # a table made is not news
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # an error is told once, by `_opened`
    return mlflow.MlflowClient(tracking_uri=tracking_uri)


@contextmanager
def _opened(tracking_uri: str) -> Iterator[Any]:
    """MLflow's client; of the processes that use an SQLite file in this way, one after another.

    Of several that open a new file at once, each would create all of MLflow's tables, and all but one would fail.

    Raises:
        TrackingError: the store is locked by another program, damaged, of another version, or cannot be reached.
    """
    file = Path(tracking_uri.removeprefix("sqlite:///")).absolute() if tracking_uri.startswith("sqlite:///") else None
    if file and file.is_dir():  # MLflow would try it again and again, for minutes
        raise TrackingError(f"{file} is a folder. Name a file for --track, for example sqlite:///out/mlflow.db.")
    try:
        with _alone(file) if file else nullcontext():
            yield _client(tracking_uri)
    except Exception as error:
        no_driver = isinstance(error, ModuleNotFoundError)
        if not no_driver and not type(error).__module__.startswith(("mlflow.", "sqlalchemy.")):
            raise
        shown = file or places.without_secret(tracking_uri)
        reason = re.sub(r"^\([\w.]+\) ", "", next(iter(str(error).splitlines()), type(error).__name__))
        advice = "Move it away, or name another --track"
        if "locked" in reason:
            advice = "End the program that uses it"
        elif no_driver:
            advice = "Install that module"
        raise TrackingError(f"{shown}: MLflow cannot use it ({reason}). {advice}, and run again.") from error


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Waits until no other process has the lock that belongs to a file; a process that ends gives it back."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    with _opened(tracking_uri) as client:
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
    with _opened(tracking_uri) as client:
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
