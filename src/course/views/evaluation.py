"""Reads what TFMA writes, of any pipeline: metrics by slice with their intervals, of one or several models, and demands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from course.views import demands
from course.views.metrics_view import EVERYTHING, is_undefined, sub_name
from course.views.source import source

COUNT = "example_count"
ONE_KIND = "TFMA wrote an AUC of exactly 0, as it does where all labels are alike and there is nothing to rank."
Key = tuple[tuple[str, Any], ...]
Side = dict[str, dict[str, "Value"]]


class Value(NamedTuple):
    """A metric with its confidence interval; `low` and `high` are not numbers where none was computed."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether an interval was computed."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass
class Evaluation:
    """The metrics of one evaluation.

    Attributes:
        keys: the slices by name, as pairs of column and value; that of everything (an empty key) comes first.
        models: metrics by model, then by slice, then by name. The name of the only model is often empty.
        changes: metrics of the candidate less those of the baseline, where TFMA computed them.
        baseline: name of the baseline; None without one.
        config: TFMA's `EvalConfig`; None where there is none.
        silent: slices of which TFMA gives no metrics, with its reason.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    models: dict[str, Side] = field(default_factory=dict)
    changes: Side = field(default_factory=dict)
    baseline: str | None = None
    config: Any = None
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def candidate(self) -> str:
        """Name of the model that is judged: the first that is not the baseline."""
        return next((name for name in self.models if name != self.baseline), next(iter(self.models), ""))

    def side(self, model: str | None = None) -> Side:
        """The metrics of one model by slice; those of the candidate without a name.

        Raises:
            KeyError: no such model; the message names those that there are.
        """
        wanted = self.candidate if model is None else model
        if wanted not in self.models:
            there = ", ".join(name for name in self.models if name) or "one without a name"
            raise KeyError(f"No model {wanted!r} in this evaluation. There are: {there}.")
        return self.models[wanted]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, by the alphabet, without the number of examples."""
        names = {name for side in self.models.values() for of in side.values() for name in of}
        return sorted(names - {COUNT})

    def metric(self, wanted: str | None) -> str:
        """The metric to show: the one that is named, else `auc` where there is one, else the first.

        Raises:
            KeyError: no such metric; the message names those that there are.
            ValueError: there is no metric at all.
        """
        names = self.metrics
        if not names:
            raise ValueError(
                "This evaluation has no metric that is a single number. Add one to the EvalConfig, such as "
                "tfma.MetricConfig(class_name='AUC')."
            )
        if wanted is None:
            return "auc" if "auc" in names else names[0]
        if wanted not in names and wanted != COUNT:
            raise KeyError(f"No metric {wanted!r} here. There are: {', '.join(names)}.")
        return wanted

    @property
    def groups(self) -> dict[str, list[str]]:
        """Names of the slices by the columns that make them: `origin`, or `carrier × origin` for crossed ones."""
        found: dict[str, list[str]] = {}
        for name, key in self.keys.items():
            if key:
                found.setdefault(group(key), []).append(name)
        return found

    def members(self, by: str | list[str] | tuple[str, ...] | None) -> list[str]:
        """Names of the slices that these columns make; of all slices but everything, without.

        Raises:
            KeyError: nothing is sliced by these columns; the message names those that there are.
        """
        if by is None:
            return [name for name, key in self.keys.items() if key]
        wanted = sorted(part.strip() for part in by.split("×")) if isinstance(by, str) else sorted(by)
        for name, members in self.groups.items():
            if sorted(name.split(" × ")) == wanted:
                return members
        there = ", ".join(self.groups)
        raise KeyError(
            f"Nothing is sliced by {' × '.join(wanted)} here. "
            + (
                f"There are: {there}."
                if there
                else "Add tfma.SlicingSpec(feature_keys=[…]) to the slicing_specs of the EvalConfig."
            )
        )

    def count(self, name: str) -> float:
        """Number of examples of a slice; not a number where it was not counted."""
        for side in self.models.values():
            if COUNT in side.get(name, {}):
                return side[name][COUNT].value
        return math.nan

    def limits(self, metric: str, name: str) -> tuple[float, float]:
        """The lowest and the highest value that the EvalConfig allows of a slice; not numbers without a demand."""
        return demands.bounds(self.config, metric, self.keys.get(name, ()))


def read(thing: Any) -> Evaluation:
    """The metrics of an evaluation.

    Args:
        thing: a ModelEvaluation artifact, its channel, its folder, an `EvalResult` of TFMA, or an `Evaluation`.

    Raises:
        FileNotFoundError: the folder holds no evaluation.
    """
    if isinstance(thing, Evaluation):
        return thing
    if hasattr(thing, "slicing_metrics"):
        return gathered(_of_result(thing), thing.config)
    import tensorflow_model_analysis as tfma

    folder = source(thing).folder
    if not any(folder.glob("metrics*")):
        raise FileNotFoundError(
            f"There are no metrics in {folder.name}: is this the artifact of another component, or did TFMA not finish?"
        )
    config = tfma.load_eval_result(str(folder)).config if any(folder.glob("eval_config*")) else None
    return gathered(_of_protos(tfma.load_metrics(str(folder))), config)


Found = tuple[Key, str, str, bool, Value | str]
"""Slice, model, metric, whether it is a change, and its value; a text instead of a value says why there is none."""


def gathered(found: Iterator[Found], config: Any = None) -> Evaluation:
    """Sorts single values into an `Evaluation`: everything first, then by columns and values."""
    rows = sorted(found, key=lambda one: (ordered(one[0]), one[1], one[2]))
    made = Evaluation(config=config, baseline=_baseline(config))
    shared: Side = {}
    changes: dict[str, Side] = {}
    named = {model for _, model, _, _, _ in rows if model}
    for key, model, metric, change, value in rows:
        name = slice_name(key)
        made.keys.setdefault(name, key)
        if isinstance(value, str):
            made.silent[name] = f"TFMA says: {value}"
        elif not change and is_undefined(metric, value.value):
            made.silent[name] = ONE_KIND
        elif change:
            changes.setdefault(model, {}).setdefault(name, {})[metric] = value
        elif not model and named:  # what no model changes, such as the number of examples
            shared.setdefault(name, {})[metric] = value
        else:
            made.models.setdefault(model, {}).setdefault(name, {})[metric] = value
    for name, values in shared.items():
        for side in made.models.values():
            side[name] = values | side.get(name, {})
    specified = [spec.name for spec in config.model_specs] if config is not None else []
    order = sorted(made.models, key=lambda name: specified.index(name) if name in specified else len(specified))
    made.models = {name: made.models[name] for name in order} or {"": {}}
    if made.baseline not in made.models:
        made.baseline = None
    found_changes, valued = changes.get(made.candidate, {}), made.side()
    # The difference of two undefined values is 0 to TFMA, and is none.
    made.changes = {
        name: {m: v for m, v in of.items() if m in valued.get(name, {})} for name, of in found_changes.items()
    }
    return made


def group(key: Key) -> str:
    """The columns that make a slice."""
    return " × ".join(column for column, _ in key)


def slice_name(key: Key) -> str:
    """A slice as text: `origin = JFK`, or that it is everything."""
    return ", ".join(f"{column} = {value}" if column else str(value) for column, value in key) or EVERYTHING


def find(names: list[str], wanted: Any) -> str:
    """The name of a slice that is given by name, as `{"origin": "JFK"}`, or as None for everything.

    Raises:
        KeyError: no such slice; the message names some that there are.
    """
    if wanted is None or wanted == () or wanted == {}:
        name = EVERYTHING
    elif isinstance(wanted, str):
        name = " = ".join(part.strip() for part in wanted.split("=")) if wanted not in names else wanted
    else:
        pairs = tuple(wanted.items() if isinstance(wanted, dict) else wanted)
        name = slice_name(pairs)
        same = [one for one in names if sorted(one.split(", ")) == sorted(name.split(", "))]
        name = same[0] if same else name
    if name not in names:
        some = "; ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise KeyError(f"No slice {name!r} here. There are: {some or 'none'}.")
    return name


def ordered(key: Key) -> tuple[Any, ...]:
    """What slices are sorted by: few columns first, then by column, then numbers as numbers."""
    return (len(key), group(key), *(rank(value) for _, value in key))


def rank(value: Any) -> tuple[int, float, str]:
    """What values are sorted by: numbers (also those written as text) before texts."""
    try:
        return (0, float(value), "")
    except (TypeError, ValueError):
        return (1, 0.0, str(value))


def _baseline(config: Any) -> str | None:
    return next((spec.name for spec in config.model_specs if spec.is_baseline), None) if config is not None else None


def _of_protos(messages: Any) -> Iterator[Found]:
    """Takes TFMA's protos apart: they know of all models."""
    for message in messages:
        key = proto_key(message)
        for name, value in message.metrics.items():  # as old versions of TFMA wrote them, and errors
            yield key, "", name, False, value.debug_message or _single(value)
        taken = set()
        for one in message.metric_keys_and_values:
            if one.value.WhichOneof("type") not in ("double_value", "bounded_value", "debug_message", "bytes_value"):
                continue  # matrices and arrays have views of their own
            if one.value.WhichOneof("type") == "bytes_value":
                continue
            label = metric_name(one.key)
            if (one.key.model_name, label, one.key.is_diff) in taken:
                label = f"weighted {label}"
            taken.add((one.key.model_name, label, one.key.is_diff))
            value = one.value.debug_message or _single(one.value)
            interval = one.confidence_interval
            if isinstance(value, Value) and one.HasField("confidence_interval"):
                value = Value(
                    value.value, interval.lower_bound.double_value.value, interval.upper_bound.double_value.value
                )
            yield key, one.key.model_name, label, one.key.is_diff, value


def proto_key(message: Any) -> Key:
    """The slice of TFMA's protos for metrics and for plots; of two slices that are held against each other, both by name."""
    if message.HasField("cross_slice_key"):
        crossed = message.cross_slice_key
        sides = [slice_name(_pairs(side)) for side in (crossed.comparison_slice_key, crossed.baseline_slice_key)]
        return (("", " against ".join(sides)),)
    return _pairs(message.slice_key)


def _pairs(slice_key: Any) -> Key:
    return tuple((one.column, _plain(getattr(one, one.WhichOneof("kind")))) for one in slice_key.single_slice_keys)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return round(value, 6) if isinstance(value, float) else value


def metric_name(key: Any) -> str:
    """A metric as TFMA names it, with output, class and averaging where the model has several."""
    name = key.name
    if key.HasField("aggregation_type"):
        kind = key.aggregation_type
        average = next((one for one in ("micro", "macro", "weighted_macro") if getattr(kind, f"{one}_average")), "")
        name = f"{average.replace('_', ' ')} {name}".strip()
    part = class_name(key)
    name = f"{name} ({part})" if part else name
    return f"{key.output_name}: {name}" if key.output_name else name


def class_name(key: Any) -> str:
    """Of which class, or of which ranks, the metric or plot of a key is; empty where it is of all."""
    parts = (("class_id", "class {}"), ("k", "k = {}"), ("top_k", "top {}"))
    there = [(name, words) for name, words in parts if key.HasField("sub_key") and key.sub_key.HasField(name)]
    return ", ".join(words.format(getattr(key.sub_key, name).value) for name, words in there)


def _single(value: Any) -> Value:
    if value.WhichOneof("type") == "bounded_value":
        bounded = value.bounded_value
        return Value(bounded.value.value, bounded.lower_bound.value, bounded.upper_bound.value)
    return Value(value.double_value.value if value.WhichOneof("type") == "double_value" else math.nan)


def _of_result(result: Any) -> Iterator[Found]:
    """Takes an `EvalResult` apart: it holds the metrics of one model, and its changes."""
    for raw, outputs in result.slicing_metrics:
        key = result_key(raw)
        for output, sub_keys in (outputs or {}).items():
            for sub, metrics in sub_keys.items():
                for metric, value in metrics.items():
                    if not {"doubleValue", "boundedValue", "debugMessage"} & set(value):
                        continue
                    change = metric.endswith("_diff")
                    name = metric.removesuffix("_diff") + (f" ({sub_name(sub)})" if sub else "")
                    name = f"{output}: {name}" if output else name
                    yield key, "", name, change, value.get("debugMessage") or _of_dict(value)


def result_key(raw: Any) -> Key:
    """The slice of an `EvalResult`."""
    if len(raw) == 2 and not (raw[0] and isinstance(raw[0][0], str)):
        return (("", " against ".join(slice_name(result_key(side)) for side in reversed(raw))),)
    return tuple((column, _plain(value)) for column, value in raw)


def _of_dict(value: dict[str, Any]) -> Value:
    bounded = value.get("boundedValue")
    if bounded is None:
        return Value(float(value["doubleValue"]))
    parts = (bounded.get(part, math.nan) for part in ("value", "lowerBound", "upperBound"))
    return Value(*(float(part) for part in parts))
