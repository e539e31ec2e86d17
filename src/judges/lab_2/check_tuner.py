"""Judges the search for hyperparameters by what KerasTuner and TFX have written: task 3 of lab 2."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from course import checks
from judges.shared import answer_forms, workspace_files

FEWEST_TRIALS, FEWEST_PARAMETERS, MOST_TRIALS = 6, 3, 300
RATE = "learning_rate"
SPAN = 10
"""Largest by smallest learning rate, at least."""
SENSIBLE = (1e-3, 1e-2)
"""A range for the learning rate of Adam reaches into this one."""
LARGER = {
    "auc",
    "auroc",
    "auprc",
    "aupr",
    "pr",
    "prc",
    "roc",
    "ap",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "f1",
    "acc",
    "accuracy",
}
"""Words in the name of a metric of which more is better. Its class is written down nowhere, and KerasTuner knows a metric by its full name alone, F1 as an error."""
BEST_FILE = "best_hyperparameters.txt"

Trial = dict[str, Any]


def judge_search(lab: checks.Lab, trials: Any, best: Any) -> None:
    """Two points for the space, two for trials whose best one was chosen by a validation metric.

    Raises:
        checks.Wrong: something is missing.
    """
    done = _completed(lab, trials)
    values = best_values(lab, best)
    answer_forms.parts([(2, lambda: _space(done)), (2, lambda: _chosen(done, values))])


def _completed(lab: checks.Lab, given: Any) -> list[Trial]:
    """The trials that were completed, each as `space`, `values`, `metrics` (KerasTuner's own object) and `score`."""
    folder = workspace_files.folder(lab, given, "TRIALS", "the folder in which KerasTuner has written its trials")
    found = sorted(folder.glob("**/trial.json"))
    if not found or len(found) > MOST_TRIALS:
        raise checks.Wrong(
            f"`TRIALS` holds {len(found)} files `trial.json`, of which KerasTuner writes one for each trial, and has to hold 1 to {MOST_TRIALS}. "
            "Which `directory` and `project_name` has your tuner?"
        )
    root = lab.workspace.resolve()
    read = [_trial(lab, path.relative_to(root).as_posix(), f"{path.parent.name}/trial.json") for path in found]
    done = [trial for trial in read if trial]
    different = {json.dumps(trial["values"], sort_keys=True) for trial in done}
    if len(different) < FEWEST_TRIALS:
        raise checks.Wrong(
            f"{len(different)} trials with different hyperparameters were completed (of {len(read)}). Try {FEWEST_TRIALS} at least."
        )
    return done


def _trial(lab: checks.Lab, path: str, shown: str) -> Trial | None:
    from keras_tuner.engine import trial as keras_tuner_trial

    state = workspace_files.mapping(workspace_files.text(lab, path), shown)
    try:
        if state["status"] != "COMPLETED":
            return None
        metrics = keras_tuner_trial.Trial(None).metrics.from_config(state["metrics"])
        score = float(state["score"])
        for name in metrics.metrics:
            float(metrics.get_best_value(name))
        values = dict(state["hyperparameters"]["values"])
        space = {str(one["config"]["name"]): one for one in state["hyperparameters"]["space"]}
        if not math.isfinite(score) or any(not isinstance(one["config"], dict) for one in space.values()):
            raise ValueError("a score or a space that is none")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise checks.Wrong(f"`{shown}` is not as KerasTuner writes it.") from error
    return {"space": space, "values": values, "metrics": metrics, "score": score}


def best_values(lab: checks.Lab, given: Any) -> dict[str, Any]:
    """The hyperparameters that the Tuner has handed on.

    Raises:
        checks.Wrong: the artifact is not there, or not as TFX writes it.
    """
    folder = workspace_files.folder(lab, given, "BEST", "the `uri` of the Tuner's output `best_hyperparameters`")
    path = (folder / BEST_FILE).relative_to(lab.workspace.resolve()).as_posix()
    content = workspace_files.text(lab, path, "`BEST` is the `uri` of `best_hyperparameters`.")
    values = workspace_files.mapping(content, BEST_FILE).get("values")
    if not isinstance(values, dict):
        raise checks.Wrong(f"`{BEST_FILE}` is not as TFX's Tuner writes it.")
    return values


def _space(trials: list[Trial]) -> None:
    space = {name: one for trial in trials for name, one in trial["space"].items()}
    several = [name for name in space if len({json.dumps(trial["values"].get(name)) for trial in trials}) > 1]
    if len(several) < FEWEST_PARAMETERS:
        raise checks.Wrong(
            f"{len(several)} hyperparameters differ between your trials ({', '.join(several) or 'none'}). Search over {FEWEST_PARAMETERS} at least; "
            "a `Fixed` one, or one with a single value, is none."
        )
    if RATE not in space:
        raise checks.Wrong(f"The space has no hyperparameter `{RATE}`.")
    kind, config = space[RATE].get("class_name"), space[RATE]["config"]
    is_choice = kind == "Choice"
    given = config.get("values") if is_choice else [config.get("min_value"), config.get("max_value")]
    values = [one for one in given or [] if isinstance(one, int | float) and 0 < one < math.inf]
    if kind not in ("Choice", "Float") or len(values) < (3 if is_choice else 2):
        raise checks.Wrong(f"`{RATE}` has to be a `Float`, or a `Choice` of three at least, of numbers above 0.")
    low, high = min(values), max(values)
    if not is_choice and config.get("sampling") != "log":
        raise checks.Wrong(
            f"Between {low:g} and {high:g} the values of `{RATE}` are drawn evenly: nine tenths of them are above {low + (high - low) / 10:g}. "
            "What counts for a learning rate is its order of magnitude: look at `sampling`."
        )
    if high / low < SPAN * 0.999 or high < SENSIBLE[0] or low > SENSIBLE[1] or high > 1:
        raise checks.Wrong(
            f"`{RATE}` goes from {low:g} to {high:g}. Before you have searched, you do not know it to a tenth; and with Adam, a small network "
            "learns nothing far below 0.001, and forgets as fast as it learns far above 0.01."
        )


def _chosen(trials: list[Trial], best: dict[str, Any]) -> None:
    name, direction = _objective(trials)
    scores = [trial["score"] for trial in trials]
    top = max(scores) if direction == "max" else min(scores)
    if best not in [trial["values"] for trial in trials if trial["score"] == top]:
        raise checks.Wrong(
            f"`BEST` does not hold the hyperparameters of the best of these trials (`{name}` {top:.4f}). Are both of the same run of the Tuner?"
        )


def _objective(trials: list[Trial]) -> tuple[str, str]:
    """The metric that the scores are, and whether `max` or `min` of it is best, as KerasTuner has written it down."""
    fitting = [name for name in trials[0]["metrics"].metrics if all(_is_score(trial, name) for trial in trials)]
    validation = [name for name in fitting if name.startswith("val_")]
    if not validation:
        by = f" They are its `{fitting[0]}`, measured on what it learned from." if fitting else ""
        raise checks.Wrong(
            f"The scores of your trials are of no validation metric.{by} A tuner that looks at the training metric prefers what learns by heart: "
            "which `objective` has yours?"
        )
    directions = {name: trials[0]["metrics"].get_direction(name) for name in validation}
    right = [name for name in validation if _better(name) in (None, directions[name])]
    if not right:
        [name, *_] = validation
        raise checks.Wrong(
            f"The scores are those of `{name}`, and the trial with the {'largest' if directions[name] == 'max' else 'smallest'} counts as best. Is it better then?"
        )
    return right[0], directions[right[0]]


def _better(name: str) -> str | None:
    """Whether `max` or `min` of a metric is best, by its name; None where that does not say it."""
    from keras_tuner.engine.metrics_tracking import infer_metric_direction

    words = set(re.findall(r"[a-z]+[0-9]?", name.lower())) - {"val"}
    return "max" if words & LARGER and "loss" not in words else infer_metric_direction(name)


def _is_score(trial: Trial, name: str) -> bool:
    metrics = trial["metrics"]
    return metrics.exists(name) and math.isclose(
        metrics.get_best_value(name), trial["score"], rel_tol=1e-6, abs_tol=1e-9
    )
