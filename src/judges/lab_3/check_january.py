"""Judges January's run: task 2 of lab 3."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from course import checks
from judges.lab_3 import months, runs
from judges.lab_3.runs import Runs
from judges.shared import workspace_files
from judges.shared.metadata_store import Execution, Run

FUNCTIONS = {
    "Transform": ("preprocessing_fn", "my_flights.features.preprocessing_fn"),
    "Trainer": ("run_fn", "my_flights.model.run_fn"),
}
LEAST_JUDGED, MOST_MODEL = 100, 20_000_000
CHANCE, MOST_LOSS = 0.5, 0.2
"""The area under the ROC curve of a coin, and what a candidate may lose against a baseline if that is to mean something."""
LABEL = "late"
ASKED = re.compile(rb"(?:dense|sparse)_keys\x12\x05Const(.*?)ParseExampleV2", re.DOTALL)
"""In the file of a model: the node with the names of columns that a serialised flight is asked for, up to the next of its kind."""


def judge_january(lab: checks.Lab, store: Any, version: Any) -> None:
    """Two points for a whole run with the package's functions, two for the version that it pushed.

    Raises:
        checks.Wrong: something is missing.
    """
    own = Runs(lab, store)
    found = own.of(1)
    if not found:
        raise checks.Wrong("No run in your store has read January, and nothing else: look at `months` and `data_root`.")
    whole = [run for run in found if not runs.missing(run)]
    if not whole:
        raise checks.Wrong(f"No run on January is whole: {runs.missing(found[-1])}")
    told = {run.name: _flights(own, run) or _named(run) or _asks(lab, run) or _demands(run) for run in whole}
    right = [run for run in whole if not told[run.name]]
    if not right:
        raise checks.Wrong(told[whole[-1].name])
    _pushed(lab, right, version)


def _flights(own: Runs, run: Run) -> str:
    splits = own.splits(runs.source(run))
    total = sum(counted.total() for counted in splits.values())
    if total != months.ROWS:
        return f"January has {months.ROWS:,} flights, and the examples of your run are {total:,}."
    learned, judged = runs.learned_from(run), runs.judged_on(run)
    if own.held(run, judged).total() < LEAST_JUDGED or own.held(run, learned).total() < LEAST_JUDGED:
        return (
            f"The model learned from {own.held(run, learned).total():,} flights and was judged on {own.held(run, judged).total():,}: "
            "look at the splits of the examples, and at those that Trainer and Evaluator are told."
        )
    if set(learned) & set(judged):
        return f"The model is judged on flights that it learned from (split {', '.join(judged)[:60]}): it knows the answers."
    return ""


def _named(run: Run) -> str:
    for kind, (setting, wanted) in FUNCTIONS.items():
        properties = run.find(kind).properties
        if properties.get("module_file") or properties.get("module_path"):
            return f"{kind} was given a file of code. Name the function instead, by its package: then it is found wherever the package is."
        if str(properties.get(setting, "")).strip('"') != wanted:
            return f"{kind} did not run your package: its `{setting}` is {str(properties.get(setting))[:60]!r}, and should be {wanted!r}."
    return ""


def _asks(lab: checks.Lab, run: Run) -> str:
    """What the exported model asks a flight for, and nobody can know in service."""
    model = run.find("Trainer").one("outputs", "model")
    content = _model(lab, f"{model.uri}/Format-Serving") if model else None
    name = f"B{chr(len(LABEL))}{LABEL}".encode()  # as a graph holds a text
    if any(name in columns for columns in ASKED.findall(content or b"")):
        return (
            f"The exported model asks each flight for `{LABEL}`, which is not known before it has landed: the label has no place in what "
            "`serving_default` parses, and none among the features."
        )
    return ""


def _demands(run: Run) -> str:
    """What the Evaluator does not demand, as a sentence."""
    values, changes = _thresholds(run.find("Evaluator"))
    if not values:
        return "Your Evaluator demands no value of any metric (`value_threshold`): the first model would be blessed whatever it is worth."
    if not any(
        not (is_auc and is_upper) and (limit > (CHANCE - 1e-9 if is_auc else CHANCE) or is_upper)
        for limit, is_upper, is_auc in values
    ):
        return (
            "What your Evaluator demands of a model (`value_threshold`) a worthless one has as well: with any numbers "
            f"whatever, the area under the ROC curve is about {CHANCE}. Look at `min_auc`."
        )
    if not changes:
        return "Your Evaluator demands nothing against the baseline (`change_threshold`): a worse model would follow a good one."
    if min(map(abs, changes)) > MOST_LOSS:
        return f"Your Evaluator lets a model follow that loses {min(map(abs, changes)):g} against the baseline: nearly any does. Look at `max_auc_loss`."
    return ""


def _thresholds(evaluator: Execution) -> tuple[list[tuple[float, bool, bool]], list[float]]:
    """What is demanded.

    Returns:
        For each limit of a value: the number, whether it is an upper one, whether it is of the area under the curve; and each change that is allowed.
    """
    values: list[tuple[float, bool, bool]] = []
    changes: list[float] = []
    try:
        left = [(json.loads(str(evaluator.properties.get("eval_config", ""))), False)]
    except (ValueError, RecursionError):
        left = []
    while left:
        part, is_auc = left.pop()
        if isinstance(part, list):
            left += [(one, is_auc) for one in part]
        if not isinstance(part, dict):
            continue
        named = {str(key).replace("_", "").lower(): value for key, value in part.items()}
        if named.get("classname") == "ExampleCount":
            # How many flights there are says nothing about a model.
            continue
        slices = named.get("slicingspecs")
        if "threshold" in named and isinstance(slices, list) and slices and all(slices):
            # Of some flights alone; a slice without features is all of them.
            continue
        is_auc = is_auc or named.get("classname") == "AUC"
        for key, value in named.items():
            limits = (
                {str(name).replace("_", "").lower(): number for name, number in value.items()}
                if isinstance(value, dict)
                else {}
            )
            if key == "valuethreshold":
                values += [
                    (limits[name], name == "upperbound", is_auc)
                    for name in ("lowerbound", "upperbound")
                    if _is_number(limits.get(name))
                ]
            elif key == "changethreshold" and is_auc and limits.get("direction") in ("LOWER_IS_BETTER", 1):
                continue
            elif key == "changethreshold":
                changes += [limits[name] for name in ("absolute", "relative") if _is_number(limits.get(name))]
            else:
                left.append((value, is_auc))
    return values, changes


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _pushed(lab: checks.Lab, found: list[Run], version: Any) -> None:
    pushed: dict[str, tuple[Any, Execution]] = {}
    for run in found:
        pusher = run.find("Pusher")
        for artifact in (artifact for given in pusher.outputs.values() for artifact in given):
            if artifact.properties.get("pushed") == 1:
                pushed[str(artifact.properties.get("pushed_version"))] = (artifact, pusher)
    if not pushed:
        raise checks.Wrong(
            "January's run is whole, and its model was not pushed. Was it blessed? The Evaluator's blessing, and its metrics, say what it missed.",
            points=2,
        )
    given = Path(str(version)).name
    if given not in pushed:
        raise checks.Wrong(
            f"January's run is whole. `VERSION` is {str(version)[:40]!r}, which none of January's runs has pushed: it is the name of a folder in `serving`.",
            points=2,
        )
    artifact, pusher = pushed[given]
    blessing = pusher.one("inputs", "model_blessing")
    if blessing is None or blessing.properties.get("blessed") != 1:
        raise checks.Wrong(
            f"Version {given} was pushed without a blessing: your Pusher, which is not given one, pushes whatever was trained. "
            "What the Evaluator says has to reach it.",
            points=2,
        )
    model = pusher.one("inputs", "model")
    served = _model(lab, str(artifact.properties.get("pushed_destination") or artifact.uri))
    trained = _model(lab, f"{model.uri}/Format-Serving") if model else None
    if not served or served != trained:
        raise checks.Wrong(f"Version {given} in your workspace is not the model that was trained.", points=2)


def _model(lab: checks.Lab, uri: str) -> bytes | None:
    path = workspace_files.inside(lab, uri) / "saved_model.pb"
    return path.read_bytes() if path.is_file() and path.stat().st_size < MOST_MODEL else None
