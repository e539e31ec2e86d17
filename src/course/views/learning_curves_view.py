"""Learning curves, from the event files that TensorBoard reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from course import style
from course.display import FigureView, Report
from course.views.html import note
from course.views.numbers import plain, readable
from course.views.source import source

_FEW = 6
"""Runs that get a colour each; of more, the best is told from the others."""
_SPLITS = {
    "train": "training",
    "training": "training",
    "validation": "validation",
    "val": "validation",
    "eval": "validation",
}
_LINES = {"training": (0, (4, 2)), "validation": "-"}

Curve = list[tuple[int, float]]
Curves = dict[str, dict[str, Curve]]
"""By run, then by split: steps with values."""


class LearningCurves(Report):
    """Curves by run and split: displays itself as a figure and a sentence; `table()` gives the numbers.

    Attributes:
        curves: by run, then by split, a list of (epoch or step, value).
        best: by run, the best (epoch or step, value) on the validation split, or on the only one.
    """

    def __init__(self, curves: Curves, metric: str, tag: str) -> None:
        """Draws the figure."""
        self.curves = curves
        low = lower_is_better(metric)
        pick = min if low else max
        self.best = {
            run: pick(
                (point for point in _judged(splits) if math.isfinite(point[1])),
                key=lambda p: p[1],
                default=(0, math.nan),
            )
            for run, splits in curves.items()
        }
        unit = "epoch" if tag.startswith("epoch_") else "step"
        super().__init__(FigureView(*_draw(self, metric, unit, low)), note(_sentence(self, metric, unit, low)))

    def table(self) -> Any:
        """The values as a pandas DataFrame: a row for each epoch or step, a column for each run and split."""
        import pandas as pd

        columns = {(run, split): dict(curve) for run, splits in self.curves.items() for split, curve in splits.items()}
        return pd.DataFrame(columns).sort_index()


def learning_curves(model_run: Any, metric: str = "loss") -> LearningCurves:
    """A metric while it was learned, for training and validation. From TensorBoard's event files.

    Args:
        model_run: a ModelRun artifact, its channel, or a folder with event files, also in folders inside of it (such as Keras's
            `train` and `validation`); several runs as `{"January": model_run, "February": model_run}`.
        metric: such as `loss` or `auc`, as Keras names it, or the whole tag, such as `epoch_loss`.

    Returns:
        A view: figure and sentence. Its `best` is a dict of numbers, its `table()` a pandas DataFrame.

    Raises:
        FileNotFoundError: there are no event files.
        KeyError: no such metric; the message names those that there are.
    """
    given = model_run if isinstance(model_run, dict) else {"": model_run}
    read = {name: events(thing) for name, thing in given.items()}
    tags = sorted({tag for runs in read.values() for splits in runs.values() for tag in splits})
    tag = _tag(metric, tags)
    curves: Curves = {}
    for name, folders in read.items():
        for folder, found in sorted(folders.items()):
            if tag not in found:
                continue
            run, split = _named(folder)
            curves.setdefault(", ".join(part for part in (name, run) if part) or "run", {})[split] = found[tag]
    return LearningCurves(curves, metric, tag)


def events(thing: Any) -> dict[str, dict[str, Curve]]:
    """The scalars in event files: by folder (relative to the top), then by tag.

    Raises:
        FileNotFoundError: there are no event files; the message says how to write some.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    top = source(thing).folder
    folders = sorted({path.parent for path in top.rglob("*tfevents*")})
    if not folders:
        raise FileNotFoundError(
            f"There are no TensorBoard events in {top.name}. Give the Trainer's output model_run, and write to it in run_fn: "
            "model.fit(…, callbacks=[keras.callbacks.TensorBoard(log_dir=fn_args.model_run_dir)])."
        )
    read = {}
    for folder in folders:
        accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        accumulator.Reload()
        found: dict[str, Curve] = {}
        for tag in accumulator.Tags()["scalars"]:
            found[tag] = [(one.step, one.value) for one in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["tensors"]:
            if accumulator.SummaryMetadata(tag).plugin_data.plugin_name != "scalars":
                continue
            found[tag] = [(one.step, float(make_ndarray(one.tensor_proto))) for one in accumulator.Tensors(tag)]
        read[str(folder.relative_to(top)) if folder != top else ""] = found
    return read


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is better, as far as its name tells."""
    parts = ("loss", "error", "mse", "mae", "rmse", "entropy", "brier", "perplexity", "false_", "cost", "fpr", "fnr")
    return any(part in metric.lower() for part in parts)


def _tag(metric: str, tags: list[str]) -> str:
    """The tag of a metric: itself, as Keras writes it after each epoch, or the end of it.

    Raises:
        KeyError: no such metric.
    """
    for wanted in (metric, f"epoch_{metric}"):
        if wanted in tags:
            return wanted
    ends = [tag for tag in tags if tag.split("/")[-1] == metric]
    if len(ends) == 1:
        return ends[0]
    names = [tag.removeprefix("epoch_") for tag in tags]
    raise KeyError(f"No metric {metric!r} in these events. There are: {', '.join(names) or 'none'}.")


def _named(folder: str) -> tuple[str, str]:
    """Run and split of a folder of events."""
    parts = [part for part in Path(folder).parts if part != "."]
    if parts and parts[-1].lower() in _SPLITS:
        return "/".join(parts[:-1]), _SPLITS[parts[-1].lower()]
    if parts and parts[-1].lower().startswith("eval"):
        return "/".join(parts[:-1]), "validation"
    return "/".join(parts), "training"


def _judged(splits: dict[str, Curve]) -> Curve:
    return splits.get("validation") or next(iter(splits.values()), [])


def _draw(found: LearningCurves, metric: str, unit: str, low: bool) -> tuple[Any, str]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(style.WIDTH, 4.0))
    runs = list(found.curves)
    many = len(runs) > _FEW
    pick = min if low else max
    with_best = [run for run in runs if math.isfinite(found.best[run][1])]
    best = pick(with_best, key=lambda run: found.best[run][1], default=None)
    one = len(runs) == 1
    for place, run in enumerate(runs):
        for split, curve in found.curves[run].items():
            if many and split == "training" and len(found.curves[run]) > 1:
                continue
            colour = style.CYCLE[place % len(style.CYCLE)] if not many else style.BLUE if run == best else style.LINE
            if one:
                colour = style.BLUE if split == "validation" else style.MUTED
            label = split if one else run if split == _main(found.curves[run]) else None
            label = None if many and run != best else label
            axes.plot(*zip(*_shifted(curve, unit), strict=True), color=colour, linestyle=_LINES.get(split, "-"),
                      linewidth=2 if split == "validation" or many else 1.5, zorder=3 if run == best else 2,
                      marker="o" if len(curve) < 3 else None, label=readable(label, 26) if label else None)  # fmt: skip
        if math.isfinite(found.best[run][1]) and (not many or run == best):
            at = _shifted([found.best[run]], unit)[0]
            axes.plot([at[0]], [at[1]], marker="D", markersize=7, lw=0, zorder=4,
                      color=style.RED if one else style.CYCLE[place % len(style.CYCLE)] if not many else style.BLUE,
                      label=f"{'lowest' if low else 'highest'}: {at[1]:.4g}" if one else None)  # fmt: skip
    if not one and not many and any(len(splits) > 1 for splits in found.curves.values()):
        axes.plot([], [], color=style.MUTED, linestyle=_LINES["training"], lw=1.5, label="dashed: training")
    axes.set(xlabel=unit, ylabel=readable(metric))
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"{readable(metric)} while learning" + (f", {len(runs)} runs" if not one else ""), pad=28)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=10, borderaxespad=0.2)
    words = [
        f"{plain(run)} {split}: from {curve[0][1]:.4g} to {curve[-1][1]:.4g} in {len(curve)} {unit}s"
        for run, splits in found.curves.items()
        for split, curve in splits.items()
    ]
    return figure, f"{metric} by {unit}. {'; '.join(words[:20])}."


def _main(splits: dict[str, Curve]) -> str:
    return "validation" if "validation" in splits else next(iter(splits))


def _shifted(curve: Curve, unit: str) -> Curve:
    """Keras counts epochs from 0, readers from 1."""
    return [(step + 1, value) for step, value in curve] if unit == "epoch" else curve


def _sentence(found: LearningCurves, metric: str, unit: str, low: bool) -> str:
    word = "lowest" if low else "highest"
    known = {run: point for run, point in found.best.items() if math.isfinite(point[1])}
    if not known:
        return f"{metric} is not a number in any run."
    pick = min if low else max
    run = pick(known, key=lambda name: known[name][1])
    at = _shifted([known[run]], unit)[0]
    split = _main(found.curves[run])
    last = found.curves[run][split][-1]
    name = "" if len(found.curves) == 1 else f"{plain(run)}: "
    words = f"{name}{word} {metric} on {split} {at[1]:.4g}, at {unit} {at[0]}"
    words += f"; at the end {last[1]:.4g}." if last[0] != known[run][0] else ", the last one."
    return words
