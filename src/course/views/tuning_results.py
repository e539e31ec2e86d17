"""Reads the trials of a hyperparameter search: TFX's tuner results, KerasTuner's folders, or a list."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.views.source import is_channel, source

_INNER = ("tuner/bracket", "tuner/round", "tuner/initial_epoch", "tuner/trial_id")
"""Values by which Hyperband keeps its own books."""


@dataclass
class Trial:
    """One trial.

    Attributes:
        name: its id.
        values: hyperparameters by name; one that does not apply to this trial (a conditional one) is not there.
        scores: by objective.
        status: such as `COMPLETED` or `FAILED`.
    """

    name: str
    values: dict[str, Any]
    scores: dict[str, float] = field(default_factory=dict)
    status: str = "COMPLETED"


@dataclass
class Search:
    """The trials of one search.

    Attributes:
        trials: in the order in which they were found.
        directions: `min` or `max` by objective, as far as it is known.
        scales: `log` by hyperparameter, as far as it is known.
        objective: what was searched for.
    """

    trials: list[Trial]
    directions: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    objective: str = "score"

    @property
    def hyperparameters(self) -> list[str]:
        """Names of all hyperparameters, in the order of the first trials."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.values))

    @property
    def objectives(self) -> list[str]:
        """Names of what was measured: the one that was searched for first."""
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.scores))
        return sorted(names, key=lambda name: name != self.objective)

    def direction(self, objective: str) -> str:
        """`min` or `max`: as it is known, else after the order of the trials or the name."""
        return self.directions.get(objective) or ("min" if _is_loss(objective) else "max")

    def ranked(self, objective: str) -> list[Trial]:
        """Trials that have a score: the best first."""
        sign = 1 if self.direction(objective) == "min" else -1
        with_score = [one for one in self.trials if math.isfinite(one.scores.get(objective, math.nan))]
        return sorted(with_score, key=lambda one: sign * one.scores[objective])


def search(thing: Any) -> Search:
    """The trials of a search.

    Args:
        thing: TFX's `tuner_results` artifact, its channel, its folder or file; a KerasTuner project's folder (with a folder for
            each trial); or a list of dicts with a `score` and the hyperparameters.

    Raises:
        FileNotFoundError: no trials there.
        ValueError: the list is empty.
    """
    if isinstance(thing, Search):
        return thing
    if isinstance(thing, list):
        return _of_records(thing)
    if hasattr(thing, "to_dict") and hasattr(thing, "columns"):
        return _of_records(thing.to_dict("records"))
    path = Path(thing) if isinstance(thing, str | Path) and not is_channel(thing) else source(thing).folder
    if path.is_file():
        return _of_records(json.loads(path.read_text()))
    results = sorted(path.rglob("tuner_results.json"))
    if results:
        return _of_records(json.loads(results[0].read_text()))
    files = sorted(path.rglob("trial.json"))
    if not files:
        raise FileNotFoundError(
            f"There are no trials in {path.name}: neither TFX's tuner_results.json nor KerasTuner's trial.json. "
            "Give the Tuner's output tuner_results, or the project folder of KerasTuner."
        )
    return _of_files(files)


def _of_records(records: list[dict[str, Any]]) -> Search:
    """TFX's tuner results: a list of dicts, the best first, without the name of the objective and of trials that failed."""
    if not records:
        raise ValueError("There is no trial in these results: every trial failed, or the search did not run.")
    trials = []
    for place, record in enumerate(records):
        values = {name: value for name, value in record.items() if name not in ("trial_id", "score", *_INNER)}
        values = {name: value for name, value in values.items() if value is not None and value == value}
        score = record.get("score")
        scores = {} if score is None else {"score": float(score)}
        trials.append(Trial(str(record.get("trial_id", place)), values, scores, "COMPLETED" if scores else "FAILED"))
    known = [trial.scores["score"] for trial in trials if trial.scores]
    directions = {}
    if len(known) > 1 and known[0] != known[-1] and known in (sorted(known), sorted(known, reverse=True)):
        directions["score"] = "min" if known[0] < known[-1] else "max"
    return Search(trials, directions)


def _of_files(files: list[Path]) -> Search:
    """KerasTuner's own files: they have all metrics, the space, and trials that failed."""
    trials, directions, scales = [], {}, {}
    objective = ""
    for path in files:
        raw = json.loads(path.read_text())
        for one in raw.get("hyperparameters", {}).get("space", []):
            scale = (one.get("config") or {}).get("sampling")
            if scale in ("log", "reverse_log"):
                scales[one["config"]["name"]] = "log"
        values = {k: v for k, v in raw.get("hyperparameters", {}).get("values", {}).items() if k not in _INNER}
        scores = {}
        for name, metric in (raw.get("metrics") or {}).get("metrics", {}).items():
            directions[name] = metric.get("direction") or ""
            found = [_mean(one.get("value")) for one in metric.get("observations", [])]
            found = [value for value in found if math.isfinite(value)]
            if found:
                scores[name] = max(found) if directions[name] == "max" else min(found)
        score = raw.get("score")
        if score is not None and not objective:
            objective = next((n for n, value in scores.items() if math.isclose(value, float(score), rel_tol=1e-6)), "")
        status = str(raw.get("status", "COMPLETED"))
        done = status == "COMPLETED"
        trials.append(Trial(str(raw.get("trial_id", path.parent.name)), values, scores if done else {}, status))
    return Search(trials, directions, scales, _objective(files[0].parent.parent, objective, directions))


def _objective(folder: Path, guessed: str, directions: dict[str, str]) -> str:
    """What was searched for: what the oracle's file says, else the metric whose value is the score."""
    file = folder / "oracle.json"
    said = json.loads(file.read_text()).get("objective") if file.is_file() else None
    if isinstance(said, dict) and said.get("name") in directions:
        directions[said["name"]] = said.get("direction") or directions[said["name"]]
        return said["name"]
    return guessed or next(iter(directions), "score")


def _mean(value: Any) -> float:
    values = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | float)]
    return sum(values) / len(values) if values else math.nan


def _is_loss(name: str) -> bool:
    return any(part in name.lower() for part in ("loss", "error", "mse", "mae", "rmse", "entropy", "brier"))
