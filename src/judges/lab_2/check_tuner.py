"""Judges the search for hyperparameters by what KerasTuner and TFX have written: task 3 of lab 2."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from course import checks
from judges.shared import workspace_files

FEWEST_TRIALS, FEWEST_PARAMETERS, MOST_TRIALS = 6, 3, 300
RATE = "learning_rate"
SPAN = 10
"""Largest by smallest learning rate, at least."""
SENSIBLE = (1e-3, 1e-2)
"""A range for the learning rate of Adam reaches into this one."""
BEST_FILE = "best_hyperparameters.txt"

Trial = dict[str, Any]


def judge_search(lab: checks.Lab, trials: Any, best: Any) -> None:
    """Two points for the space, two for trials whose best one was chosen by a validation metric.

    Raises:
        checks.Wrong: something is missing.
    """
    done = read(lab, trials)
    values = best_values(lab, best)
    problems, points = [], 0.0
    for judge in (lambda: _space(done), lambda: _chosen(done, values)):
        try:
            judge()
            points += 2
        except checks.Wrong as wrong:
            problems.append(wrong.message)
    if problems:
        raise checks.Wrong("\n".join(problems), points=points)


def read(lab: checks.Lab, given: Any) -> list[Trial]:
    """The trials that were completed, each as `hyperparameters` (`space`, `values`), `metrics` and `score`.

    Raises:
        checks.Wrong: there are none, or too few.
    """
    folder = workspace_files.folder(lab, given, "TRIALS", "the folder in which KerasTuner has written its trials")
    found = sorted(folder.glob("**/trial.json"))[: MOST_TRIALS + 1]
    if not found:
        raise checks.Wrong(
            "`TRIALS` holds no `trial.json`, which KerasTuner writes for each trial. Which `directory` and `project_name` has your tuner?"
        )
    if len(found) > MOST_TRIALS:
        raise checks.Wrong(f"`TRIALS` holds more than {MOST_TRIALS} trials.")
    root = lab.workspace.resolve()
    trials = [_trial(lab, path.relative_to(root), f"{path.parent.name}/trial.json") for path in found]
    done = [trial for trial in trials if trial["status"] == "COMPLETED"]
    different = {json.dumps(trial["hyperparameters"]["values"], sort_keys=True) for trial in done}
    if len(different) < FEWEST_TRIALS:
        raise checks.Wrong(
            f"{len(different)} trials with different hyperparameters were completed (of {len(trials)}). Try {FEWEST_TRIALS} at least."
        )
    return done


def _trial(lab: checks.Lab, path: Path, shown: str) -> Trial:
    trial = workspace_files.mapping(workspace_files.text(lab, path.as_posix()), shown)
    parameters, metrics, score = (trial.get(name) for name in ("hyperparameters", "metrics", "score"))
    histories = metrics.get("metrics") if isinstance(metrics, dict) else None
    shaped = (
        _is_config(parameters)
        and isinstance(histories, dict)
        and all(_is_history(history) for history in histories.values())
        and (trial.get("status") != "COMPLETED" or _is_number(score))
    )
    if not shaped:
        raise checks.Wrong(f"`{shown}` is not as KerasTuner writes it.")
    return {"hyperparameters": parameters, "metrics": histories, "score": score, "status": trial.get("status")}


def _is_config(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
        return False
    space = found.get("space")
    return isinstance(space, list) and all(
        isinstance(one, dict) and isinstance(one.get("class_name"), str) and isinstance(one.get("config"), dict)
        for one in space
    )


def _is_history(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("observations"), list):
        return False
    return all(
        isinstance(one, dict) and isinstance(one.get("value"), list) and all(map(_is_number, one["value"]))
        for one in found["observations"]
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def best_values(lab: checks.Lab, given: Any) -> dict[str, Any]:
    """The hyperparameters that the Tuner has handed on.

    Raises:
        checks.Wrong: the artifact is not there, or not as TFX writes it.
    """
    folder = workspace_files.folder(lab, given, "BEST", "the `uri` of the Tuner's output `best_hyperparameters`")
    path = (folder / BEST_FILE).relative_to(lab.workspace.resolve()).as_posix()
    config = workspace_files.mapping(
        workspace_files.text(lab, path, "`BEST` is the `uri` of `best_hyperparameters`."), BEST_FILE
    )
    if not _is_config(config):
        raise checks.Wrong(f"`{BEST_FILE}` is not as TFX's Tuner writes it.")
    return config["values"]


def _space(trials: list[Trial]) -> None:
    space = {one["config"].get("name"): one for trial in trials for one in trial["hyperparameters"]["space"]}
    varied = {
        str(name): len({json.dumps(trial["hyperparameters"]["values"].get(name)) for trial in trials}) for name in space
    }
    several = [name for name, count in varied.items() if count > 1]
    if len(several) < FEWEST_PARAMETERS:
        raise checks.Wrong(
            f"{len(several)} hyperparameters differ between your trials ({', '.join(several) or 'none'}). Search over {FEWEST_PARAMETERS} at least; "
            "a `Fixed` one, or one with a single value, is none."
        )
    if RATE not in space:
        raise checks.Wrong(f"The space has no hyperparameter `{RATE}`.")
    kind, config = space[RATE]["class_name"], space[RATE]["config"]
    if kind == "Choice":
        values = [value for value in config.get("values") or [] if _is_number(value) and value > 0]
        low, high = (min(values), max(values)) if len(values) >= 3 else (1.0, 1.0)
        if len(values) < 3:
            raise checks.Wrong(f"`{RATE}` is a choice between fewer than three numbers above 0.")
    else:
        low, high = config.get("min_value"), config.get("max_value")
        if kind != "Float" or not _is_number(low) or not _is_number(high) or not low > 0:
            raise checks.Wrong(f"`{RATE}` has to be a `Float` (or a `Choice`) of numbers above 0.")
        if config.get("sampling") not in ("log", "reverse_log") or config.get("sampling") == "reverse_log":
            raise checks.Wrong(
                f"Between {low:g} and {high:g} the values of `{RATE}` are drawn evenly: nine tenths of them lie in the upper nine tenths of the range. "
                "What counts for a learning rate is its order of magnitude: look at `sampling`."
            )
    if high / low < SPAN * 0.999:
        raise checks.Wrong(
            f"`{RATE}` goes from {low:g} to {high:g}. Before you have searched, you do not know it that well."
        )
    if high < SENSIBLE[0] or low > SENSIBLE[1] or high > 1:
        raise checks.Wrong(
            f"`{RATE}` goes from {low:g} to {high:g}. With Adam, a small network learns nothing there, or forgets as fast as it learns."
        )


def _chosen(trials: list[Trial], best: dict[str, Any]) -> None:
    name, largest = _objective(trials)
    scores = [trial["score"] for trial in trials]
    top = max(scores) if largest else min(scores)
    winners = [trial["hyperparameters"]["values"] for trial in trials if trial["score"] == top]
    if best not in winners:
        raise checks.Wrong(
            f"`BEST` does not hold the hyperparameters of the best of these trials (`{name}` {top:.4f}). Are both of the same run of the Tuner?"
        )


def _objective(trials: list[Trial]) -> tuple[str, bool]:
    """The metric that the scores are, and whether more of it is better."""
    fitting = []
    for name in trials[0]["metrics"]:
        for largest in (True, False):
            if all(_is_score(trial, name, largest) for trial in trials):
                fitting.append((name, largest))
    validation = [(name, largest) for name, largest in fitting if name.startswith("val_")]
    if not validation:
        by = f" They are its `{fitting[0][0]}`, measured on what it learned from." if fitting else ""
        raise checks.Wrong(
            f"The scores of your trials are of no validation metric.{by} A tuner that looks at the training metric prefers what learns by heart: "
            "which `objective` has yours?"
        )
    right = [(name, largest) for name, largest in validation if largest == _larger_is_better(name)]
    if not right:
        name, largest = validation[0]
        raise checks.Wrong(
            f"The scores are those of `{name}`, and the trial with the {'largest' if largest else 'smallest'} counts as best. Is it better then?"
        )
    return right[0]


def _larger_is_better(name: str) -> bool:
    """As KerasTuner takes it; of a metric that it does not know, by its name."""
    from keras_tuner.engine.metrics_tracking import infer_metric_direction

    known = infer_metric_direction(name)
    return known == "max" if known else not any(word in name for word in ("loss", "entropy", "error", "brier"))


def _is_score(trial: Trial, name: str, largest: bool) -> bool:
    history = trial["metrics"].get(name)
    if not history or not history["observations"]:
        return False
    direction = history.get("direction")
    if direction in ("min", "max") and (direction == "max") != largest:
        return False
    means = [sum(one["value"]) / len(one["value"]) for one in history["observations"] if one["value"]]
    return bool(means) and math.isclose((max if largest else min)(means), trial["score"], rel_tol=1e-6, abs_tol=1e-9)
