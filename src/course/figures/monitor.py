"""The charts of lesson 13: a year in service by month, alarms against what they are for, policies side by side, and labels that a model has changed.

Each carries its alt text, with the numbers that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from operation.replay import Replay

MEASURES = {"gap": "said less happened, to either side", "loss": "AUC lost since the release"}
"""What an alarm may go by: columns of the table of `alarms`."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def year(served: pd.DataFrame) -> Figure:
    """What each month in service shows: AUC, what was said and what happened, and cost.

    Args:
        served: a row for each month: `period`, `auc` with its ends, `said`, `happened`, `cost`; and `promised_auc` and `promised_cost`, which
            the predictions themselves promise.
    """
    figure, (ranks, means, costs) = _figure(8.8, 4.6, 1, 3)
    at = range(len(served))
    names = [_month(one) for one in served.period]
    ends = [served.auc - served.auc_low, served.auc_high - served.auc]
    ranks.errorbar(at, served.auc, yerr=ends, fmt="o", color=style.BLUE, capsize=3, label="measured")
    ranks.plot(at, served.promised_auc, "--", color=style.MUTED, label="promised")
    ranks.set(title="AUC", ylim=(0.5, 0.85))
    means.plot(at, served.happened, "o-", color=style.RED, label="happened")
    means.plot(at, served.said, "s--", color=style.BLUE, label="said")
    means.set(title="Late flights", ylim=(0, None))
    means.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    costs.plot(at, served.cost, "o-", color=style.RED, label="measured")
    costs.plot(at, served.promised_cost, "--", color=style.MUTED, label="promised")
    costs.set(title="Cost of a flight, in $", ylim=(0, None))
    for axes in (ranks, means, costs):
        axes.set_xticks(list(at), names, rotation=90)
        axes.set_xlabel("month of 2013")
        axes.legend(loc="lower left", frameon=False)
    told = "; ".join(
        f"{_month(row.period)}: AUC {row.auc:.2f}, said {row.said:.0%}, happened {row.happened:.0%}, cost {row.cost:.0f}, promised {row.promised_cost:.0f}"
        for row in served.itertuples()
    )
    return _say(figure, f"Three charts by month: AUC, share of late flights, cost of a flight. {told}.")


def alarms(months: pd.DataFrame, chosen: Sequence[str]) -> Callable[..., Figure]:
    """A function for `course.explore` that draws which alarms a limit gives, in the months that it is chosen on and in the others.

    Args:
        months: a row for each month and slice: `period`, the columns of `MEASURES`, `saved` (what a retraining would have saved), and `needed`,
            whether that is worth it.
        chosen: the periods on which the limit is chosen.

    Returns:
        It takes `by`, a key of `MEASURES`, and `limit`.
    """

    def draw(by: str = "gap", limit: float = 0.04) -> Figure:
        figure, panels = _figure(8.8, 4.2, 1, 2, sharex=True, sharey=True)
        is_chosen = months.period.isin(chosen)
        told = []
        for axes, name, part in zip(
            panels, ("chosen on", "tried on"), (months[is_chosen], months[~is_chosen]), strict=True
        ):
            wolf, asleep = mistakes(part, by, limit)
            rings, needs = _rings(part, by, limit), part.needed
            kinds = {
                "right": (rings == needs, style.GREEN, "o"),
                "false alarm": (rings & ~needs, style.RED, "X"),
                "asleep": (~rings & needs, style.PURPLE, "v"),
            }
            for label, (rows, colour, marker) in kinds.items():
                axes.scatter(_size(part, by)[rows], part.saved[rows], s=60, color=colour, marker=marker, label=label)
            axes.axvline(limit, color=style.INK, linestyle="--")
            axes.axhline(0, color=style.MUTED, linewidth=1)
            first, last = _month(part.period.min()), _month(part.period.max())
            axes.set_title(f"{name} {first} to {last}: {wolf} false, {asleep} asleep", fontsize=12.5)
            axes.set_xlabel(MEASURES[by])
            told.append(
                f"{name} {first} to {last}, {len(part)} points: {wolf} false alarms, {asleep} asleep of {int(needs.sum())}"
            )
        panels[0].set_ylabel("saved by a retraining,\n$ a flight")
        panels[1].legend(loc="upper right", frameon=False)
        return _say(
            figure, f"Points for months and airports, with a limit at {limit:g} on {MEASURES[by]}. {'; '.join(told)}."
        )

    return draw


def mistakes(months: pd.DataFrame, by: str, limit: float) -> tuple[int, int]:
    """How many alarms were false, and how often there was none though a retraining was needed.

    Args:
        months: as `alarms` takes them.
        by: a key of `MEASURES`.
        limit: beyond which there is an alarm.
    """
    rings = _rings(months, by, limit)
    return int((rings & ~months.needed).sum()), int((~rings & months.needed).sum())


def _rings(months: pd.DataFrame, by: str, limit: float) -> pd.Series:
    return _size(months, by) > limit


def _size(months: pd.DataFrame, by: str) -> pd.Series:
    """A gap counts to either side; of the AUC only a loss does."""
    return months[by].abs() if by == "gap" else months[by]


def policies(replays: Mapping[str, Replay]) -> Figure:
    """Policies one below the other: what each month cost, where each has retrained, and the year's mean.

    Args:
        replays: by the policy's name.
    """
    from matplotlib.colors import LinearSegmentedColormap

    figure, (axes,) = _figure(8.8, 0.8 + 0.55 * len(replays))
    names = [one.period for one in next(iter(replays.values())).served]
    costs = [[one.quality.cost.value for one in found.served] for found in replays.values()]
    shades = LinearSegmentedColormap.from_list("cost", [style.PAPER, style.tint(style.ORANGE, 0.9)])
    axes.imshow(costs, cmap=shades, aspect="auto", vmin=min(map(min, costs)), vmax=max(map(max, costs)))
    told = []
    for row, (name, found) in enumerate(replays.items()):
        for column, one in enumerate(found.served):
            mark = "▲ " if one.decision.retrain else ""
            axes.text(column, row, f"{mark}{one.quality.cost.value:.0f}", ha="center", va="center", fontsize=11)
        words = f"{found.cost:.2f}   {found.retrainings}"
        axes.text(len(names) - 0.3, row, words, ha="left", va="center", fontsize=12, fontweight="bold")
        when = ", ".join(_month(one.period) for one in found.served if one.decision.retrain) or "never"
        told.append(f"{name}: {found.cost:.2f}, retrained {when}")
    axes.text(len(names) - 0.3, -0.75, "mean   times", ha="left", va="center", fontsize=11)
    axes.set_yticks(range(len(replays)), list(replays))
    axes.set_xticks(range(len(names)), [_month(one) for one in names])
    axes.grid(visible=False)
    axes.set_xlim(-0.5, len(names) + 1.3)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title("Cost of a flight in $, by month in service; ▲: retrained before it")
    return _say(figure, f"Table of costs by month for {len(replays)} policies. {'; '.join(told)}.")


def measured(rows: pd.DataFrame, costs: Any) -> Figure:
    """The AUC of each month by the labels that were seen, by those of the flights that were held out, and as it is.

    Args:
        rows: with `period`, `said`, `day`, `held_out`, `late`, and `seen`: the label after the action.
        costs: of errors.
    """
    from operation import quality

    figure, (axes,) = _figure(8.6, 4.0)
    periods = sorted(rows.period.unique())
    lines: dict[str, list[Any]] = {"as it is": [], "by all labels that are seen": [], "by the flights held out": []}
    for period in periods:
        part = rows[rows.period == period]
        held = part[part.held_out]
        lines["as it is"].append(quality.measure(part.said, part.late, costs, part.day).auc)
        lines["by all labels that are seen"].append(quality.measure(part.said, part.seen, costs, part.day).auc)
        lines["by the flights held out"].append(quality.measure(held.said, held.seen, costs, held.day).auc)
    looks = {
        "as it is": ("--", "", style.MUTED),
        "by all labels that are seen": ("-", "s", style.RED),
        "by the flights held out": ("", "o", style.BLUE),
    }
    at = range(len(periods))
    for name, found in lines.items():
        dash, marker, colour = looks[name]
        ends = [[one.value - one.low for one in found], [one.high - one.value for one in found]]
        axes.errorbar(
            at,
            [one.value for one in found],
            yerr=ends if marker == "o" else None,
            linestyle=dash or "none",
            marker=marker,
            color=colour,
            capsize=3,
            label=name,
        )
    axes.axhline(0.5, color=style.LINE)
    axes.set_xticks(list(at), [_month(one) for one in periods])
    axes.set(title="The same model, by three kinds of labels", ylabel="AUC", xlabel="month of 2013")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, frameon=False)
    means = ", ".join(f"{name} {sum(one.value for one in found) / len(found):.2f}" for name, found in lines.items())
    return _say(
        figure,
        f"AUC by month, {_month(periods[0])} to {_month(periods[-1])}, by three kinds of labels. Means: {means}.",
    )


def _month(period: str) -> str:
    """Such as Jul, of `2013-07`."""
    return MONTHS[int(period[-2:]) - 1]


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, **how: Any) -> tuple[Figure, list[Any]]:
    """An empty figure in the house's style, with its axes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Made

    style.add_fonts()
    with mpl.rc_context(style.settings()):
        figure = Made(figsize=(width, height), layout="constrained")
        return figure, list(figure.subplots(rows, columns, squeeze=False, **how).ravel())


def _say(figure: Figure, words: str) -> Figure:
    """Attaches the alt text."""
    figure.course_alt = words
    return figure
