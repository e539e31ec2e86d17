"""The drift of features over months, with the thresholds that would have raised an alarm."""

from __future__ import annotations

import math
from typing import Any

from course.display import FigureView, Report
from course.views import drift_figure, drift_multiples, protos
from course.views.drift_distances import distances, kind_of, limits_of, measures_of
from course.views.html import note

Statistics = protos.Statistics


class Drift(Report):
    """Distances by month and feature: displays itself as small multiples and a sentence; `table()` gives the numbers.

    Attributes:
        values: the distance by month, then by feature; not a number where there is none.
        measures: the measure of each feature, `l_infty` or `jensen_shannon`.
        thresholds: of each feature that has one.
        against: what each month is held against.
    """

    def __init__(
        self,
        values: dict[str, dict[str, float]],
        measures: dict[str, str],
        thresholds: dict[str, float],
        against: str,
    ) -> None:
        """Draws the figure."""
        self.values, self.measures, self.against = values, measures, against
        self.thresholds = {name: thresholds[name] for name in measures if name in thresholds}
        super().__init__(FigureView(*drift_multiples.multiples(self)), note(drift_multiples.sentence(self)))

    def table(self) -> Any:
        """The distances as a pandas DataFrame: a row for each month, a column for each feature."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.values, orient="index", columns=list(self.measures)).rename_axis("month")

    def alarms(self) -> dict[str, list[str]]:
        """For each feature that has a threshold, the months that are above it."""
        return {
            name: [month for month, row in self.values.items() if row[name] > limit]
            for name, limit in self.thresholds.items()
        }


def drift(
    statistics_by_month: dict[str, Any],
    features: list[str] | str | None = None,
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
        measure: `"l_infty"` (categories), `"jensen_shannon"`, or `"auto"`: what the schema says, else what suits the feature.
        split: which split of each month, where they have several; the first by default.

    Returns:
        A view: small multiples with the threshold as a line, and a sentence. Its `table()` is a pandas DataFrame, its
        `alarms()` the months above the threshold.

    Raises:
        ValueError: fewer than two months, or a measure that says nothing about a feature.
        KeyError: no such month, split or feature; the message names those that there are.
    """
    months = _months(statistics_by_month, split)
    limits, said = limits_of(thresholds, protos.feature_names(months))
    names = [features] if isinstance(features, str) else features
    measures = _measures(months, names, limits, said, measure)
    _reference(months, "", against)  # a wrong name is an error, not a column without numbers
    return Drift(_distances(months, measures, against), measures, limits, against)


def explore_drift(
    statistics_by_month: dict[str, Any],
    features: list[str] | str | None = None,
    thresholds: float | dict[str, float] | Any = None,
    against: str = "previous",
    measure: str = "auto",
    split: str | None = None,
    feature: str | None = None,
) -> None:
    """The drift of one feature, and what moved, with controls: feature, month, what it is held against, threshold.

    Args:
        statistics_by_month: as for `drift`, like `features`, `against`, `measure` and `split`.
        features: to choose from.
        thresholds: as for `drift`. Those of a dict or a schema stand; without, or with one for all, there is a control.
        against: to start from.
        measure: of all features.
        split: of all months.
        feature: to start from, which the stored notebook shows; the first by default.
    """
    from course.controls import Explorer

    months = _months(statistics_by_month, split)
    limits, said = limits_of(thresholds, protos.feature_names(months))
    names = [features] if isinstance(features, str) else features
    measures = _measures(months, names, limits, said, measure)
    _reference(months, "", against)
    known: dict[str, dict[str, dict[str, float]]] = {}

    def drawn(feature: str, month: str, against: str, threshold: float | None = None) -> Report:
        if against not in known:
            known[against] = _distances(months, measures, against)
        limit = threshold if threshold is not None else limits.get(feature)
        reference = _reference(months, month, against)
        sides = {} if reference in (None, month) else {reference: months[reference], month: months[month]}
        values = {name: row[feature] for name, row in known[against].items()}
        figure, alt, words = drift_figure.draw(feature, measures[feature], values, limit, against, sides, month)
        return Report(FigureView(figure, alt), note(words))

    if feature is not None and feature not in measures:
        raise KeyError(f"No feature {feature!r} here. There are: {', '.join(measures)}.")
    start = {"feature": feature or next(iter(measures)), "against": against}
    known[against] = _distances(months, measures, against)
    heights = {name: row[start["feature"]] for name, row in known[against].items()}
    start["month"] = max(heights, key=lambda name: -1.0 if math.isnan(heights[name]) else heights[name])
    controls: dict[str, Any] = {"feature": list(measures), "month": tuple(months)}
    controls["against"] = ["previous", "first", *months]
    if not isinstance(thresholds, dict) and not said:
        controls["threshold"], start["threshold"] = (0.0, 1.0, 0.005), 0.1 if thresholds is None else float(thresholds)
    Explorer(drawn, None, controls, start).display()


def _months(given: dict[str, Any], split: str | None) -> dict[str, Statistics]:
    if not isinstance(given, dict) or len(given) < 2:
        raise ValueError("Drift needs at least two months by name: {'January': statistics, 'February': statistics, …}.")
    return {str(name): protos.one_split(thing, split) for name, thing in given.items()}


def _reference(months: dict[str, Statistics], month: str, against: str) -> str | None:
    """Which month another one is held against; None where there is none.

    Raises:
        KeyError: `against` is no month.
    """
    names = list(months)
    if against == "previous":
        place = names.index(month) if month in names else 0
        return names[place - 1] if place else None
    if against == "first":
        return names[0]
    if against not in names:
        raise KeyError(f"against={against!r} is no month. There are: previous, first, {', '.join(names)}.")
    return against


def _distances(months: dict[str, Statistics], measures: dict[str, str], against: str) -> dict[str, dict[str, float]]:
    values = {}
    for month, dataset in months.items():
        reference = _reference(months, month, against)
        none = reference in (None, month)
        values[month] = dict.fromkeys(measures, math.nan) if none else distances(dataset, months[reference], measures)
    return values


def _measures(
    months: dict[str, Statistics], names: list[str] | None, limits: dict[str, float], said: dict[str, str], measure: str
) -> dict[str, str]:
    """The features to show, and the measure of each."""
    every = protos.feature_names(months)
    if names is None:
        # A structure has no distribution of its own; its fields have.
        drawable = [n for n in every if {kind_of(d, n) for d in months.values()} & {"num_stats", "string_stats"}]
        names = [name for name in drawable if name in limits] or drawable
    if not names:
        raise ValueError("There is no feature with a distribution in these statistics.")
    found = measures_of(months, names, measure)
    return found | {name: said[name] for name in names if name in said} if measure == "auto" else found
