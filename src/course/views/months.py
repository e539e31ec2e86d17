"""The drift of features over months: a small figure for each, with the threshold."""

from __future__ import annotations

import math
from typing import Any

from course import style
from course.display import FigureView
from course.views import protos
from course.views.distances import TITLES, distances, measure_of

_MOST = 12
"""Features that one figure shows; those that moved furthest come first."""


class Drift(FigureView):
    """Distances by month and feature: displays itself as small multiples; `table()` gives the numbers."""

    def __init__(
        self, values: dict[str, dict[str, float]], measures: dict[str, str], thresholds: dict[str, float], against: str
    ) -> None:
        """Takes the distances by month, then by feature."""
        self.values, self.measures, self.thresholds, self.against = values, measures, thresholds, against
        super().__init__(*_draw(self))

    def table(self) -> Any:
        """The distances as a pandas DataFrame: a row for each month, a column for each feature."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.values, orient="index", columns=list(self.measures)).rename_axis("month")


def drift(
    statistics_by_month: dict[str, Any],
    features: list[str] | None = None,
    thresholds: float | dict[str, float] | Any = None,
    against: str = "previous",
    measure: str = "auto",
    split: str | None = None,
) -> Drift:
    """How far each feature's distribution moved, month by month, as TFDV measures it.

    Args:
        statistics_by_month: statistics (artifact, channel, path or proto) by the name of the month, in order.
        features: which ones; by default those with a threshold, or all.
        thresholds: one for all features, or one for each by name, or a schema with `drift_comparator`s; none by default.
        against: what each month is held against: `"previous"`, `"first"`, or the name of a month.
        measure: `"l_infty"` (categories), `"jensen_shannon"`, or `"auto"`: what suits each feature.
        split: which split of each month, where they have several; the first by default.

    Returns:
        A view: small multiples with the threshold as a line. Its `table()` is a pandas DataFrame.

    Raises:
        ValueError, KeyError: fewer than two months; no such month, feature or measure.
    """
    months = {name: protos.one_split(thing, split) for name, thing in statistics_by_month.items()}
    if len(months) < 2:
        raise ValueError(
            "Drift needs at least two months: drift({'January': statistics, 'February': statistics, ...})."
        )
    if against not in ("previous", "first", *months):
        raise KeyError(f"against={against!r} is no month. There are: previous, first, {', '.join(months)}.")
    names = protos.feature_names(months)
    limits = _limits(thresholds, features or names)
    features = features or [name for name in names if name in limits] or names
    for name in features:
        if name not in names:
            raise KeyError(f"No feature {name!r} here. There are: {', '.join(names)}.")
    first = next(iter(months.values()))
    measures = {name: measure_of(first, name, measure) for name in features}
    values, before = {}, None
    for month, dataset in months.items():
        reference = before if against == "previous" else first if against == "first" else months[against]
        none = reference is None or reference is dataset
        values[month] = dict.fromkeys(features, math.nan) if none else distances(dataset, reference, measures)
        before = dataset
    return Drift(values, measures, limits, against)


def explore_drift(
    statistics_by_month: dict[str, Any],
    features: list[str] | None = None,
    thresholds: float | dict[str, float] | Any = None,
    against: str = "previous",
    measure: str = "auto",
    split: str | None = None,
) -> None:
    """The drift of one feature, with controls to choose the feature and what each month is held against. Arguments as for `drift`."""
    from course.controls import explore

    start = drift(statistics_by_month, features, thresholds, against, measure, split)
    names, choices = list(start.measures), ["previous", "first", *statistics_by_month]

    def chosen(feature: str = names[0], against: str = against) -> Any:
        return drift(statistics_by_month, [feature], thresholds, against, measure, split)

    explore(chosen, feature=names, against=choices)


def _limits(thresholds: Any, names: list[str]) -> dict[str, float]:
    if thresholds is None:
        return {}
    if isinstance(thresholds, int | float):
        return dict.fromkeys(names, float(thresholds))
    if isinstance(thresholds, dict):
        return {name: float(value) for name, value in thresholds.items()}
    found = {}
    for feature in protos.schema(thresholds).feature:
        for field in ("infinity_norm", "jensen_shannon_divergence"):
            if feature.drift_comparator.HasField(field):
                found[feature.name] = getattr(feature.drift_comparator, field).threshold
    return found


def _draw(found: Drift) -> tuple[Any, str]:
    from matplotlib import pyplot

    names = list(found.measures)
    furthest = {n: max((row[n] for row in found.values.values() if row[n] == row[n]), default=0.0) for n in names}
    shown = sorted(names, key=lambda n: -furthest[n])[:_MOST]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(style.WIDTH, 1.0 + 1.5 * rows), squeeze=False)
    words = []
    for axes, name in zip(grid.flat, shown, strict=False):
        heights = [row[name] for row in found.values.values()]
        axes.plot(range(len(heights)), heights, marker="o", markersize=4, color=style.BLUE)
        limit = found.thresholds.get(name)
        if limit is not None:
            axes.axhline(limit, color=style.RED, linestyle="--", linewidth=1.5)
        axes.set_ylim(0, 1.15 * max(furthest[name], limit or 0.0) or 1.0)
        axes.set_title(name, fontsize=11)
        axes.set_xticks(range(len(heights)), [month[:3] for month in found.values], fontsize=8)
        over = [month for month, row in found.values.items() if limit is not None and row[name] > limit]
        words.append(
            f"{name} at most {furthest[name]:.3g}" + (f", above {limit:g} in {', '.join(over)}" if over else "")
        )
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(False)
    kinds = " / ".join(dict.fromkeys(TITLES[found.measures[name]] for name in shown))
    figure.suptitle(f"{kinds}, by month", x=0.01, ha="left", fontweight="bold", fontsize=13)
    return figure, f"Distance of each feature by month against {found.against}. {'; '.join(words)}."
