"""Data held against the contract, with controls: a feature's values beside what the schema allows; the anomalies one by one."""

from __future__ import annotations

import math
from typing import Any

from course import style
from course.controls import Explorer
from course.display import FigureView, Report
from course.views import anomalies_view, distribution, histogram_bins, protos, schema_constraints
from course.views.contract import described
from course.views.html import View, heading, note, panel, stack, table
from course.views.numbers import missing_share, percent, plain, readable, shares

_EVERY = "all features"


def explore_schema(schema: Any, statistics: Any = None, feature: str | None = None, split: str | None = None) -> None:
    """The contract of one feature, and the data beside it, with controls to choose the feature and the split or month.

    Args:
        schema: a Schema artifact, its channel, a `schema.pbtxt`, or the proto.
        statistics: of the data that are held against it, by month if there are several; without them, the contract only.
        feature: the one to start from; the first by default.
        split: the split or month to start from; the first by default.

    Raises:
        ValueError: the schema has no feature, or not that one.
    """
    message = protos.schema(schema)
    features = [one.name for one in message.feature]
    _check("feature", feature, features, "This schema has no feature.")
    found = protos.statistics(statistics) if statistics is not None else {}

    def drawn(feature: str, data: str = next(iter(found), "")) -> Any:
        contract = next(one for one in message.feature if one.name == feature)
        words = table(["", ""], [(k, v) for k, v in described(message)[feature].items() if v])
        title = heading(plain(feature), "what the contract says")
        if not found:
            return panel(style.BLUE, title, words)
        dataset, shared = found[data], schema_constraints.shared_domains(message)
        told = note(verdict(dataset, contract, shared, data))
        if protos.feature(dataset, feature) is None:
            return Report(stack(), panel(style.BLUE, title, words, told))
        figure, alt = distribution.draw({data: dataset}, feature)
        _mark(figure, protos.feature(dataset, feature), contract, shared)
        return Report(FigureView(figure, f"{alt} {told.text}"), panel(style.BLUE, title, words, told))

    controls: dict[str, Any] = {"feature": features}
    start = {"feature": feature or features[0]}
    if len(found) > 1:
        _check("split", split, list(found), "")
        controls["data"], start["data"] = list(found), split or next(iter(found))
    Explorer(drawn, None, controls, start).display()


def explore_anomalies(
    thing: Any,
    examples: Any = None,
    rows: int = 3,
    feature: str | None = None,
    schema: Any = None,
    month: str | None = None,
) -> None:
    """The anomalies of one feature and the rows that show them, with controls to choose the month, the split, the feature.

    Args:
        thing: as for `views.anomalies`; several months as `{"January": anomalies, "February": anomalies}`.
        examples: as for `views.anomalies`, by the same names where `thing` is several.
        rows: how many rows of each anomaly to show.
        feature: the one to start from; all by default.
        schema: as for `views.anomalies`.
        month: the one to start from; the first with an anomaly by default.
    """
    months = {
        str(name): protos.anomalies(one) for name, one in (thing if isinstance(thing, dict) else {"": thing}).items()
    }
    data = examples if isinstance(examples, dict) else dict.fromkeys(months, examples)
    splits = list(dict.fromkeys(split for found in months.values() for split in found))
    features = sorted(
        {one.feature for m in months.values() for s in m.values() for one in anomalies_view.listed(s) if one.feature}
    )
    _check("feature", feature, [_EVERY, *features], "")
    _check("month", month, list(months), "There are no anomalies to look at: not even an empty proto was given.")
    known: dict[tuple[str, str], anomalies_view.Found] = {}

    def drawn(feature: str, month: str = next(iter(months), ""), split: str = splits[0] if splits else "") -> View:
        message = months[month].get(split)
        if message is None:
            return note(f"{month} has no split {split}.")
        if (month, split) not in known:
            known[month, split] = anomalies_view.judged(split, message, data.get(month), rows, split, schema)
        chosen = [(one, view) for one, view in known[month, split] if feature in (_EVERY, one.feature)]
        if feature != _EVERY and not chosen:
            return panel(
                style.STATES["done"],
                heading(split, anomalies_view.count(message)),
                note(f"Nothing is wrong with {feature}."),
            )
        return anomalies_view.shown(split, message, chosen)

    controls: dict[str, Any] = {"feature": [_EVERY, *features]}
    start = {"feature": feature or _EVERY}
    if len(months) > 1:
        bad = [
            name for name, found in months.items() if any(anomalies_view.listed(message) for message in found.values())
        ]
        controls["month"], start["month"] = tuple(months), month or next(iter(bad), next(iter(months)))
    if len(splits) > 1:
        bad = [
            split
            for split in splits
            if any(anomalies_view.listed(found[split]) for found in months.values() if split in found)
        ]
        controls["split"], start["split"] = splits, next(iter(bad), splits[0])
    Explorer(drawn, None, controls, start).display()


def verdict(dataset: protos.Statistics, contract: Any, shared: dict[str, list[str]], where: str) -> str:
    """How the data meet the contract of one feature, in a sentence."""
    one = protos.feature(dataset, contract.name)
    if one is None:
        return f"{contract.name} is not in the data ({where})."
    kind = one.WhichOneof("stats")
    if kind not in ("num_stats", "string_stats"):
        return f"{contract.name} has no distribution to hold against the contract."
    stats, parts = getattr(one, kind), []
    missing, needed = missing_share(stats.common_stats), schema_constraints.presence(contract)
    if needed:
        met = "as demanded" if 1 - missing >= needed else "less than demanded"
        share = "every example has" if not missing else f"{percent(1 - missing)} of the examples have"
        parts.append(f"{share} a value, {met}")
    values = schema_constraints.domain(contract, shared)
    if kind == "string_stats" and values is not None:
        wrong = {value: share for value, share in shares(stats).items() if value not in values}
        parts.append(_wrong_values(wrong))
    low, high = schema_constraints.bounds(contract)
    if kind == "num_stats" and (math.isfinite(low) or math.isfinite(high)) and stats.common_stats.num_non_missing:
        inside = low <= stats.min and stats.max <= high
        about = histogram_bins.outside(stats, low, high)
        share = "all" if about == 1 else "nearly all" if about > 0.999 else f"about {percent(about)} of the"
        parts.append("all values are in the range" if inside else f"{share} values are out of the range")
    return f"{where}: {'; '.join(parts) if parts else 'the contract demands nothing that the data could break'}."


def _wrong_values(wrong: dict[str, float]) -> str:
    if not wrong:
        return "all values are allowed"
    some = ", ".join(plain(value) for value in sorted(wrong)[:4]) + (" …" if len(wrong) > 4 else "")
    return f"{percent(sum(wrong.values()) / 100)} of the values are not allowed ({some})"


def _mark(figure: Any, one: Any, contract: Any, shared: dict[str, list[str]]) -> None:
    """Marks in a figure of `distribution` what the contract does not allow."""
    axes, kind = figure.axes[0], one.WhichOneof("stats")
    values = schema_constraints.domain(contract, shared)
    if kind == "string_stats" and values is not None:
        known = {readable(value) for value in values}
        for tick in axes.get_yticklabels():
            if tick.get_text() not in known:
                tick.set(color=style.RED, fontweight="bold")
    if kind != "num_stats" or histogram_bins.finite_range(one.num_stats) is None:
        return
    (low, high), (left, right) = schema_constraints.bounds(contract), axes.get_xlim()
    for end, far in ((low, left), (high, right)):
        if math.isfinite(end) and left - (right - left) < end < right + (right - left):
            axes.axvline(end, color=style.RED, linestyle="--", linewidth=1.5)
            beyond = (min(end, far), end) if end is low else (end, max(end, far))
            axes.axvspan(*beyond, color=style.RED, alpha=0.10, linewidth=0)


def _check(what: str, wanted: str | None, there: list[str], none: str) -> None:
    if not there:
        raise ValueError(none)
    if wanted is not None and wanted not in there:
        raise ValueError(f"No {what} {wanted!r} here. There are: {', '.join(there)}.")
