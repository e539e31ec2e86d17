"""The trials of a hyperparameter search: as parallel coordinates, as a table, and hyperparameter by hyperparameter."""

from __future__ import annotations

import math
from typing import Any

from course import style
from course.controls import Explorer
from course.display import FigureView, Report
from course.views import parallel_axis
from course.views.html import View, badge, folded, heading, note, stack, table
from course.views.numbers import plain, readable
from course.views.tuning_results import Search, Trial, search

_ROWS = 10
_MOST_AXES = 7
_EVERY = "all hyperparameters"


class Trials(Report):
    """The trials of a search: displays itself as figure, sentence and table.

    Attributes:
        best: the hyperparameters of the best trial.
        score: its score.
    """

    def __init__(self, found: Search, objective: str, rows: int, only: str = _EVERY, marked: int = 1) -> None:
        """Draws the figure and makes the table."""
        self._found, self._objective = found, objective
        ranked = found.ranked(objective)
        self.best = dict(ranked[0].values) if ranked else {}
        self.score = ranked[0].scores[objective] if ranked else math.nan
        chosen = ranked[min(marked, len(ranked)) - 1] if ranked else None
        text = note(_sentence(found, objective, ranked, chosen))
        if not ranked:
            super().__init__(stack(), stack(text, *([tabled(found, objective, rows)] if rows else [])))
            return
        drawn = parallel(found, objective, chosen) if only == _EVERY else scattered(found, objective, only, chosen)
        super().__init__(FigureView(*drawn), stack(text, *([tabled(found, objective, rows)] if rows else [])))

    def table(self) -> Any:
        """The trials as a pandas DataFrame, the best first, with score, status and hyperparameters."""
        import pandas as pd

        ranked = self._found.ranked(self._objective)
        every = ranked + [one for one in self._found.trials if one not in ranked]
        return pd.DataFrame(
            [{"score": one.scores.get(self._objective), "status": one.status, **one.values} for one in every],
            index=pd.RangeIndex(1, len(every) + 1, name="rank"),
        )


def trials(tuner_results: Any, objective: str | None = None, direction: str | None = None, rows: int = _ROWS) -> Trials:
    """The trials of a hyperparameter search: parallel coordinates with the best one marked, and a table, the best first.

    Args:
        tuner_results: TFX's `tuner_results` artifact, its channel, its folder or file; KerasTuner's project folder (which also
            knows of failed trials, of all metrics and of the scales); or a list of dicts with a `score`.
        objective: which metric, where KerasTuner's files have several; by default what was searched for. For TFX's results,
            which do not say it, the name to show.
        direction: `"min"` or `"max"`; by default as the files say.
        rows: rows of the table that are not folded; 0 for no table.

    Returns:
        A view. Its `best` is a dict of the best hyperparameters, its `table()` a pandas DataFrame.

    Raises:
        FileNotFoundError, ValueError: there are no trials.
        KeyError: no such objective; the message names those that there are.
    """
    found, name = _search(tuner_results, objective, direction)
    return Trials(found, name, rows)


def explore_trials(
    tuner_results: Any, objective: str | None = None, direction: str | None = None, table: bool = True
) -> None:
    """The trials with controls: which hyperparameter to hold against the score, which trial to mark, which metric.

    Args:
        tuner_results: as for `trials`, like `objective` and `direction`, to start from.
        objective: which metric.
        direction: `"min"` or `"max"`.
        table: show the table too; on a slide there is no room for both.
    """
    found, name = _search(tuner_results, objective, direction)
    count = max(1, len(found.ranked(name)))

    def drawn(show: str = _EVERY, rank: int = 1, objective: str = name) -> Report:
        return Trials(found, objective, _ROWS if table else 0, show, rank)

    controls: dict[str, Any] = {"show": [_EVERY, *found.hyperparameters]}
    if count > 1:
        controls["rank"] = (1, count, 1)
    if len(found.objectives) > 1:
        controls["objective"] = found.objectives
    Explorer(drawn, None, controls, {"show": _EVERY, "rank": 1, "objective": name}).display()


def _search(thing: Any, objective: str | None, direction: str | None) -> tuple[Search, str]:
    if direction not in (None, "min", "max"):
        raise ValueError(f"direction={direction!r}: 'min' or 'max'.")
    found = search(thing)
    there = found.objectives
    if objective is not None and there == ["score"] and objective != "score":
        for trial in found.trials:
            trial.scores = {objective: trial.scores["score"]} if trial.scores else {}
        known = found.directions.get("score")
        found.directions = {objective: known} if known else {}
        found.objective, there = objective, [objective]
    if objective is not None and there and objective not in there:
        raise KeyError(f"No objective {objective!r} here. There are: {', '.join(there)}.")
    name = objective or (there[0] if there else found.objective)
    if direction is not None:
        found.directions[name] = direction
    return found, name


def parallel(found: Search, objective: str, chosen: Trial) -> tuple[Any, str]:
    """Parallel coordinates: an axis for each hyperparameter that varies, the score on the right; and the alt text."""
    from matplotlib import pyplot
    from matplotlib.colors import Normalize

    ranked = found.ranked(objective)
    names = _varied(found, ranked)[:_MOST_AXES]
    axes_of = [
        parallel_axis.of(name, [one.values.get(name) for one in ranked], found.scales.get(name)) for name in names
    ]
    scores = [one.scores[objective] for one in ranked]
    axes_of.append(parallel_axis.of(objective, scores, None))
    figure, axes = pyplot.subplots(figsize=(style.WIDTH, 3.9))
    low, high = min(scores), max(scores)
    good = Normalize(low, high) if found.direction(objective) == "max" else Normalize(-high, -low)
    colours = pyplot.get_cmap("cividis_r")
    for one in reversed(ranked):
        score = one.scores[objective]
        apart = 0.05 * (
            ranked.index(one) / max(1, len(ranked) - 1) - 0.5
        )  # or trials with the same values hide each other
        heights = [
            scale.place(one.values.get(name)) + (apart if scale.kind in ("category", "steps") else 0)
            for name, scale in zip(names, axes_of, strict=False)
        ]
        heights.append(axes_of[-1].place(score))
        marked = one is chosen
        shade = colours(0.15 + 0.85 * float(good(score if found.direction(objective) == "max" else -score)))
        colour = style.RED if marked else shade
        axes.plot(range(len(heights)), heights, color=colour, linewidth=3 if marked else 1.4, zorder=3 if marked else 2,
                  marker="D" if marked else "o", markersize=6 if marked else 3.5, alpha=1 if marked else 0.85)  # fmt: skip
    for place, scale in enumerate(axes_of):
        axes.axvline(place, color=style.MUTED, linewidth=1, zorder=1)
        lacking = place < len(names) and any(scale.name not in one.values for one in ranked)
        for height, text in [*scale.ticks(), *([(parallel_axis.UNUSED, "not used")] if lacking else [])]:
            axes.text(place - 0.05, height, text, ha="right", va="center", fontsize=9, color=style.INK,
                      bbox={"facecolor": style.PAPER, "alpha": 0.75, "pad": 0.6, "linewidth": 0}, zorder=4)  # fmt: skip
    labels = [readable(scale.name, 18) + ("\n(log scale)" if scale.kind == "log" else "") for scale in axes_of]
    axes.set_xticks(range(len(axes_of)), labels, fontsize=10)
    axes.set(xlim=(-0.45, len(axes_of) - 0.9), ylim=(parallel_axis.UNUSED - 0.06, 1.06), yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_title(
        f"{len(ranked)} trial{'' if len(ranked) == 1 else 's'}, and what each reached in {readable(objective)}", pad=26
    )
    _key(axes, ranked.index(chosen), colours if len(ranked) > 2 else None)
    best = ", ".join(f"{name} {parallel_axis.text(value)}" for name, value in chosen.values.items())
    more = len(_varied(found, ranked)) - len(names)
    rest = f" {more} more hyperparameters are not drawn." if more > 0 else ""
    return figure, (
        f"Parallel coordinates of {len(ranked)} trials over {', '.join(names)}. {objective} goes from {low:.4g} to {high:.4g}. "
        f"Marked: trial {ranked.index(chosen) + 1} with {best}: {chosen.scores[objective]:.4g}.{rest}"
    )


def _key(axes: Any, place: int, colours: Any) -> None:
    """What the colours mean."""
    from matplotlib.lines import Line2D

    marked = "best trial" if place == 0 else f"trial {place + 1} by rank"
    entries = [Line2D([], [], color=style.RED, marker="D", markersize=6, lw=3, label=marked)]
    for words, shade in (("better", 0.9), ("worse", 0.25)) if colours else ():
        entries.append(Line2D([], [], color=colours(shade), marker="o", markersize=3.5, lw=1.4, label=words))
    axes.legend(handles=entries, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=10, borderaxespad=0.2)


def scattered(found: Search, objective: str, name: str, chosen: Trial) -> tuple[Any, str]:
    """The score against one hyperparameter, and the alt text."""
    from matplotlib import pyplot

    ranked = found.ranked(objective)
    scale = parallel_axis.of(name, [one.values.get(name) for one in ranked], found.scales.get(name))
    figure, axes = pyplot.subplots(figsize=(style.WIDTH, 3.9))
    with_value = [one for one in ranked if name in one.values]
    for one in with_value:
        marked = one is chosen
        axes.plot([scale.place(one.values[name])], [one.scores[objective]], marker="D" if marked else "o", lw=0,
                  markersize=9 if marked else 7, color=style.RED if marked else style.BLUE, zorder=3 if marked else 2)  # fmt: skip
    ticks = scale.ticks()
    axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.set(
        xlabel=readable(name) + (" (log scale)" if scale.kind == "log" else ""),
        ylabel=readable(objective),
        xlim=(-0.06, 1.06),
    )
    axes.set_title(f"{readable(objective)} against {readable(name)}")
    words = "; ".join(f"{parallel_axis.text(one.values[name])}: {one.scores[objective]:.4g}" for one in with_value)
    return figure, f"{objective} of each trial against {name}: {words or 'no trial has it'}."


def tabled(found: Search, objective: str, rows: int) -> View:
    """A row for each trial, the best first, then those without a score with their state."""
    ranked = found.ranked(objective)
    names = _varied(found, ranked) or found.hyperparameters
    columns = ["", objective, *names]
    lines = []
    for place, one in enumerate(ranked):
        mark = badge("best", style.STATES["done"]) if place == 0 else str(place + 1)
        lines.append(
            [
                mark,
                f"{one.scores[objective]:.4g}",
                *(parallel_axis.text(one.values[n]) if n in one.values else "–" for n in names),
            ]
        )
    for one in found.trials:
        if one not in ranked:
            lines.append(
                [
                    badge(one.status.lower(), style.RED),
                    "no score",
                    *(parallel_axis.text(one.values[n]) if n in one.values else "–" for n in names),
                ]
            )
    numbers = range(1, 2)
    parts = [table(["", *(plain(c, 30) for c in columns[1:])], lines[:rows], numbers)]
    if len(lines) > rows:
        parts.append(folded(f"{len(lines) - rows} more trials", table(columns, lines[rows:], numbers)))
    same = {
        n: ranked[0].values[n] for n in found.hyperparameters if ranked and n not in names and n in ranked[0].values
    }
    if same:
        parts.append(
            note("The same in all trials: " + ", ".join(f"{n} {parallel_axis.text(v)}" for n, v in same.items()) + ".")
        )
    return stack(heading("Trials", f"{len(found.trials)}"), *parts)


def _varied(found: Search, ranked: list[Trial]) -> list[str]:
    """Hyperparameters that differ between trials; all where there is one trial."""
    names = found.hyperparameters
    if len(ranked) < 2:
        return names
    return [n for n in names if len({str(one.values.get(n)) for one in found.trials}) > 1]


def _sentence(found: Search, objective: str, ranked: list[Trial], chosen: Trial | None) -> str:
    failed = len(found.trials) - len(ranked)
    lost = f" Without a score: {failed} of {len(found.trials)}." if failed else ""
    if chosen is None:
        return f"No trial has a score.{lost}"
    way = "lower" if found.direction(objective) == "min" else "higher"
    place = ranked.index(chosen)
    name = "Best trial" if place == 0 else f"Trial {place + 1} by rank"
    best = ", ".join(f"{key} {parallel_axis.text(value)}" for key, value in chosen.values.items())
    middle = ranked[len(ranked) // 2].scores[objective]
    middle = f" The one in the middle reached {middle:.4g}." if len(ranked) > 2 else ""
    return f"{name} ({way} is better): {objective} {chosen.scores[objective]:.4g} with {best}.{middle}{lost}"
