"""Hyperparameter search: what may be tried, and `tuner_fn`, which TFX's Tuner calls.

Trials are judged on the newest quarter of the training days. The evaluation split is not touched: it belongs to the
Evaluator, and whoever chooses by it cannot be judged on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_transform as tft
from keras_tuner.engine import trial as kt_trial
from tfx import v1 as tfx

from . import model, plan
from .columns import DATE

SEARCH_SPACE: dict[str, dict[str, Any]] = {
    "learning_rate": {"low": 3e-4, "high": 1e-2, "sampling": "log"},
    "hidden_units": {"values": ["", "16", "32", "32-16", "64-32"]},
    "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
    "l2": {"low": 1e-6, "high": 1e-2, "sampling": "log"},
}
"""What may be tried of each setting: a number from `low` to `high`, perhaps in steps of `step`, evenly or by orders of
magnitude (`"sampling": "log"`); or one of `values`. Hidden layers are written "64-32", and no layer ""."""

OBJECTIVE = "val_auc"
"""What trials are compared by: the area under the ROC curve on the days that were held out, after the last epoch."""

DIRECTIONS = {plan.LOWER: "min", plan.HIGHER: "max"}
"""KerasTuner's words for the better values."""

HELD_OUT = 0.25
"""Share of the training flights that judge the trials: the newest days."""


WHOLE = ("batch_size", "train_epochs")
"""Settings that are whole numbers."""

POSSIBLE = {
    "learning_rate": lambda value: value > 0,
    "dropout": lambda value: 0 <= value < 1,
    "l2": lambda value: value >= 0,
    **dict.fromkeys(WHOLE, lambda value: value >= 1 and value == int(value)),
}
"""Which numbers each setting can be, as `config` has it."""


class SearchSpaceError(ValueError):
    """The search space cannot be searched, or there is nothing to judge by. The message names the setting."""


def hyperparameters(space: dict[str, dict[str, Any]]) -> keras_tuner.HyperParameters:
    """A search space as KerasTuner takes it.

    Raises:
        SearchSpaceError: a setting that there is not, or limits between which there is nothing.
    """
    found = keras_tuner.HyperParameters()
    if not space:
        raise SearchSpaceError("search space: there is nothing to search.")
    for name, allowed in space.items():
        if name not in model.TUNABLE:
            raise SearchSpaceError(f"search space: no setting {name}; there are {', '.join(model.TUNABLE)}.")
        if not isinstance(allowed, dict) or not isinstance(allowed.get("values", []), list | tuple):
            raise SearchSpaceError(f"search space, {name}: write {{'low': ..., 'high': ...}} or {{'values': [...]}}.")
        if unknown := set(allowed) - {"low", "high", "step", "sampling", "values"}:
            raise SearchSpaceError(f"search space, {name}: {', '.join(sorted(unknown))} means nothing here.")
        if "values" in allowed:
            if not allowed["values"]:
                raise SearchSpaceError(f"search space, {name}: there is no value to try.")
            for value in allowed["values"] if name == "hidden_units" else []:
                if not isinstance(value, str) or not re.fullmatch(r"|[1-9]\d*(-[1-9]\d*)*", value):
                    raise SearchSpaceError(f"search space, {name}: {value!r}: write layers as 64-32.")
            _refuse_impossible(name, allowed["values"])
            kind = str if name == "hidden_units" else int if name in WHOLE else float  # KerasTuner wants them alike
            found.Choice(name, [kind(value) for value in allowed["values"]])
            continue
        if name == "hidden_units":
            raise SearchSpaceError(f"search space, {name}: layers are no range. Write {{'values': ['16', '64-32']}}.")
        low, high = allowed.get("low", math.nan), allowed.get("high", math.nan)
        sampling = allowed.get("sampling", "linear")
        if sampling not in ("linear", "log"):
            raise SearchSpaceError(f"search space, {name}: sampling {sampling!r}: choose 'linear' or 'log'.")
        if isinstance(low, str) or isinstance(high, str) or not low < high or (sampling == "log" and low <= 0):
            raise SearchSpaceError(
                f"search space, {name}: from {low} to {high}: `low` must be less than `high`, and for log greater than 0."
            )
        _refuse_impossible(name, [low, high])
        step = allowed.get("step")
        if step is not None and not (plan.is_number(step) and step > 0):
            raise SearchSpaceError(f"search space, {name}: step {step!r}: a number greater than 0.")
        if name in WHOLE:
            found.Int(name, int(low), int(high), step=step and int(step), sampling=sampling)
        else:
            found.Float(name, low, high, step=step, sampling=sampling)
    return found


def _refuse_impossible(name: str, values: Sequence[Any]) -> None:
    """Refuses numbers that a setting cannot be, and what is no number."""
    for value in values if name in POSSIBLE else ():
        if not plan.is_number(value) or not POSSIBLE[name](value):
            raise SearchSpaceError(f"search space, {name}: it cannot be {value!r}.")


def as_values(settings: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Settings as KerasTuner writes them: the reverse of `model.as_settings`."""
    values = {name: settings[name] for name in names}
    if "hidden_units" in values:
        values["hidden_units"] = "-".join(str(units) for units in settings["hidden_units"])
    return values


def direction(objective: str) -> str:
    """Whether the best trial has the lowest value of an objective, `min`, or the highest, `max`: as its metric has it.

    Args:
        objective: a name in Keras's history, such as `val_auc` or `val_loss`.

    Raises:
        SearchSpaceError: nothing is known of such a metric, or neither of its ends is the better one.
    """
    name = objective.removeprefix("val_").replace("_", "").lower()
    known = {metric.lower(): one.better for metric, one in plan.METRICS.items()} | {"loss": plan.LOWER}
    if known.get(name) not in DIRECTIONS:
        raise SearchSpaceError(
            f"objective {objective!r}: write val_loss, or val_ and a metric with a direction, as val_auc."
        )
    return DIRECTIONS[known[name]]


class _Oracle(keras_tuner.oracles.RandomSearchOracle):
    """Draws at random; but the first trial is that of the settings as they are, so that the best is no worse than they."""

    def __init__(self, first: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self._first = first

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if not self.start_order:
            return {"status": kt_trial.TrialStatus.RUNNING, "values": dict(self._first)}
        return super().populate_space(trial_id)


class Search(keras_tuner.Tuner):
    """Trains a model for each trial, from the same seed and on the same flights, and reports what it reached."""

    def __init__(
        self, settings: dict[str, Any], transform: tft.TFTransformOutput, base_model: str | None, **options: Any
    ):
        """Args: what every trial has in common; `options` are those of KerasTuner's `Tuner`."""
        super().__init__(**options)
        self._settings, self._transform, self._base_model = settings, transform, base_model

    def run_trial(
        self, trial: kt_trial.Trial, train: model.Columns, held_out: model.Columns, **_: Any
    ) -> dict[str, float]:
        """The metrics of the last epoch: the Trainer stops there too, and keeps no better one from before."""
        keras.backend.clear_session()
        settings = self._settings | model.as_settings(trial.hyperparameters.values)
        network = model.start(self._transform, settings, self._base_model)
        history = network.fit(
            model.batches_of(train, settings["batch_size"], settings["seed"]),
            validation_data=model.batches_of(held_out, 1024, None),
            epochs=settings["train_epochs"],
            verbose=0,
        ).history
        return {name: values[-1] for name, values in history.items()}

    def search_space_summary(self, extended: bool = False) -> None:
        """Prints nothing: TFX's Tuner asks for it in the midst of a run."""

    def results_summary(self, num_trials: int = 10) -> None:
        """Prints nothing, likewise."""


def days_of(*date: np.ndarray) -> np.ndarray:
    """A number for each row's date, which grows with time across months and years: the place of the date among all that there are.

    Args:
        date: columns of one length, the coarsest first, as `columns.DATE` names them.
    """
    return pd.DataFrame(dict(enumerate(date))).groupby(list(range(len(date)))).ngroup().to_numpy()


def hold_out(columns: model.Columns, days: np.ndarray, share: float = HELD_OUT) -> tuple[model.Columns, model.Columns]:
    """Divides flights into those before a day and those from it on, so that the later ones are `share` or a little more.

    Args:
        columns: features and label of all flights.
        days: a number for the day of each flight, which grows with time.
        share: of the flights that are held out.

    Raises:
        SearchSpaceError: there is only one day.
    """
    ordered = np.sort(days)
    first = max(ordered[int(len(days) * (1 - share))], ordered[0] + 1)
    rows = np.flatnonzero(days < first), np.flatnonzero(days >= first)
    if not len(rows[1]):
        raise SearchSpaceError("tuning: all training flights are of one day; two are needed to train and to judge.")
    earlier, newest = ({name: tf.gather(column, part) for name, column in columns.items()} for part in rows)
    return earlier, newest


def make_search(
    settings: dict[str, Any],
    space: dict[str, dict[str, Any]],
    trials: int,
    transform: tft.TFTransformOutput,
    base_model: str | None,
    directory: str,
) -> Search:
    """A search that can begin.

    Args:
        settings: of the first trial, and of all in what is not searched.
        space: as `SEARCH_SPACE`.
        trials: how many.
        transform: the output of Transform.
        base_model: what every trial goes on from, if anything.
        directory: for KerasTuner's own files.
    """
    oracle = _Oracle(
        as_values(settings, list(space)),
        objective=keras_tuner.Objective(OBJECTIVE, direction(OBJECTIVE)),
        max_trials=trials,
        seed=settings["seed"],
        hyperparameters=hyperparameters(space),
    )
    return Search(settings, transform, base_model, oracle=oracle, directory=directory, project_name="trials")


def tuner_fn(fn_args: tfx.components.FnArgs) -> tfx.components.TunerFnResult:
    """The search, ready to go; TFX's Tuner calls it.

    Args:
        fn_args: files and folders of this execution, of raw examples; `custom_config` holds what `model.run_fn` takes, and
            `tuner_trials` and `search_space`; from `base_model`, where there is one, every trial goes on.
    """
    settings = dict(fn_args.custom_config)
    space, trials = settings.pop("search_space"), settings.pop("tuner_trials")
    if fn_args.base_model:  # its weights have their places
        space = {name: allowed for name, allowed in space.items() if name != "hidden_units"}
    tf.config.experimental.enable_op_determinism()
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    columns = model.load(fn_args.train_files, fn_args.data_accessor, transform, False, keep=DATE)
    days = days_of(*(columns.pop(name).numpy()[:, 0] for name in DATE))
    train, held_out = hold_out(columns, days)
    search = make_search(settings, space, trials, transform, fn_args.base_model, fn_args.working_dir)
    fit_kwargs = {"train": train, "held_out": held_out, "verbose": 0}
    return tfx.components.TunerFnResult(tuner=search, fit_kwargs=fit_kwargs)
