"""Metrics of a model by slice, from TFMA's evaluation, and whether they meet the demands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from course import style
from course.display import FigureView
from course.views.html import View, badge, escape, heading, note, panel, stack, table
from course.views.source import source
from flights import verdict

EVERYTHING = "all examples"


@dataclass(frozen=True)
class Scores:
    """Metrics of the slices of one evaluation.

    Attributes:
        values: by slice, then by metric. The slice of everything comes first.
        changes: the same for the difference to the baseline; empty where there was no baseline.
    """

    values: dict[str, dict[str, float]]
    changes: dict[str, dict[str, float]]

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics: the number of examples, then the others by the alphabet."""
        names = dict.fromkeys(name for of in self.values.values() for name in of)
        return sorted(names, key=lambda name: (name != "example_count", name))


def metrics(thing: Any, metric: str | None = None) -> View | FigureView:
    """How good the model is, for each slice of the data; beside each value, the change against the baseline if there was one.

    Args:
        thing: a ModelEvaluation artifact, its channel, its folder, or an `EvalResult` of TFMA.
        metric: one metric, as a figure, such as `auc`. Without it, a table of all.

    Raises:
        KeyError: no such metric; the message names those that there are.
    """
    import tensorflow_model_analysis as tfma

    folder = None if hasattr(thing, "slicing_metrics") else source(thing).folder
    result = thing if folder is None else tfma.load_eval_result(str(folder))
    scores = read(result.slicing_metrics)
    if metric is not None:
        return draw(scores, metric)
    judged = folder is not None and any(folder.glob("validations*"))
    demands = tfma.load_validation_result(str(folder)) if judged else None
    return stack(tabled(scores), *([] if demands is None else [demanded(demands)]))


def read(slicing_metrics: list[tuple[Any, Any]]) -> Scores:
    """Takes TFMA's list of slices apart. Only single numbers are kept; plots and matrices have views of their own."""
    values: dict[str, dict[str, float]] = {}
    changes: dict[str, dict[str, float]] = {}
    for key, outputs in sorted(slicing_metrics, key=lambda one: (len(one[0]), str(one[0]))):
        name = slice_name(key)
        for output, sub_keys in outputs.items():
            for sub, found in sub_keys.items():
                for metric, value in found.items():
                    single = value.get("doubleValue", value.get("boundedValue", {}).get("value"))  # with an interval
                    if single is None:
                        continue
                    plain = metric.removesuffix("_diff")
                    side = changes if plain != metric else values
                    label = plain + (f" ({sub_name(sub)})" if sub else "")  # a class of several
                    undefined = side is values and is_undefined(plain, float(single))
                    side.setdefault(name, {})[f"{output}: {label}" if output else label] = (
                        math.nan if undefined else float(single)
                    )
    # The difference of two undefined values is 0 to TFMA, and is none.
    for name, of in changes.items():
        changes[name] = {m: v for m, v in of.items() if not math.isnan(values.get(name, {}).get(m, math.nan))}
    return Scores(values, changes)


def is_undefined(metric: str, value: float) -> bool:
    """Whether TFMA's number stands for none: it writes an AUC of exactly 0 where all labels are alike."""
    return not value and metric.split(": ")[-1].startswith("auc")


def sub_name(text: str) -> str:
    """A class, or the like, of which a metric is, in words."""
    for tail, words in (("classId:", "class "), ("topK:", "top "), ("k:", "k = ")):
        text = text.replace(tail, words)
    return text


def slice_name(key: Any) -> str:
    """A slice as text: `origin = JFK`, or that it is everything."""
    return ", ".join(f"{feature} = {value}" for feature, value in key) or EVERYTHING


def tabled(scores: Scores) -> View:
    """A row for each slice, a column for each metric."""
    names = scores.metrics
    rows = [
        (slice_, *(_cell(name, values.get(name), scores.changes.get(slice_, {}).get(name)) for name in names))
        for slice_, values in scores.values.items()
    ]
    columns = ["slice", *(spoken(name) for name in names)]
    told = note("In brackets: the change against the baseline, on the same examples.") if scores.changes else None
    return stack(
        heading("Metrics", f"{len(rows)} slice{'' if len(rows) == 1 else 's'}"),
        table(columns, rows, numbers=range(1, len(columns))),
        *([told] if told else []),
    )


def demanded(result: Any) -> View:
    """Whether all thresholds are met, and those that are not. Takes TFMA's `ValidationResult`."""
    if result.validation_ok:
        return panel(style.STATES["done"], heading("Demands", badge("all met", style.STATES["done"])))
    rows = []
    for one in verdict.missed_of(result):
        name = ", ".join(f"{column} = {value}" if value else column for column, value in one.slice) or EVERYTHING
        what = spoken(one.metric) + (", change" if one.is_change else "")
        value = f"undefined: {one.why}" if one.why else f"{one.value:+.3f}" if one.is_change else f"{one.value:.3f}"
        rows.append((name, what, value, one.limit))
    missed = badge(f"{len(rows)} missed", style.RED)
    return panel(style.RED, heading("Demands", missed), table(["slice", "metric", "found", "demanded"], rows, (2,)))


def draw(scores: Scores, metric: str) -> FigureView:
    """One metric: a point for each slice, and the baseline's beside it.

    Raises:
        KeyError: no such metric.
    """
    from matplotlib import pyplot

    if metric not in scores.metrics:
        raise KeyError(f"No metric {metric!r} here. There are: {', '.join(scores.metrics)}.")
    slices = [name for name, of in scores.values.items() if not math.isnan(of.get(metric, math.nan))]
    silent = sum(math.isnan(of.get(metric, 0.0)) for of in scores.values.values())
    found = [scores.values[name][metric] for name in slices]
    before = [
        v - scores.changes[n][metric] if metric in scores.changes.get(n, {}) else None
        for n, v in zip(slices, found, strict=True)
    ]
    figure, axes = pyplot.subplots(figsize=(8.0, max(1.8, 1.2 + 0.36 * len(slices))))
    for row, (value, base) in enumerate(zip(found, before, strict=True)):
        if base is not None:
            axes.plot([base, value], [row, row], color=style.LINE, linewidth=2, zorder=1)
            axes.scatter(
                base,
                row,
                s=60,
                facecolor=style.PAPER,
                edgecolor=style.MUTED,
                linewidth=1.6,
                zorder=2,
                label="baseline" if row == 0 else None,
            )
        axes.scatter(value, row, s=70, color=style.BLUE, zorder=3, label="this model" if row == 0 else None)
    axes.set(yticks=range(len(slices)), yticklabels=slices, xlabel=spoken(metric))
    axes.set_title(f"{spoken(metric)} by slice")
    axes.set_ylim(len(slices) - 0.5, -0.5)
    if any(base is not None for base in before):
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    words = [
        f"{name} {value:.3f}" + ("" if base is None else f" (baseline {base:.3f})")
        for name, value, base in zip(slices, found, before, strict=True)
    ]
    return FigureView(
        figure, f"{spoken(metric)} for each slice: {'; '.join(words)}.{f' No value: {silent}.' if silent else ''}"
    )


def spoken(metric: str) -> str:
    """A metric's name as a reader says it."""
    words = {"auc": "AUC", "auc_precision_recall": "AUC (precision-recall)", "example_count": "examples"}
    return words.get(metric, metric.replace("_", " "))


def _cell(metric: str, value: float | None, change: float | None) -> str | View:
    """A value, and in brackets its change. Not for the number of examples, which is the same on both sides."""
    if value is None:
        return ""
    if math.isnan(value):
        return "no value"
    if metric == "example_count":
        return f"{value:,.0f}"
    if change is None:
        return f"{value:.3f}"
    text = f"{value:.3f} ({change:+.3f})"
    return View(f'<span style="white-space: nowrap;">{escape(text)}</span>', text)
