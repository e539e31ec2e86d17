"""Views of what breaks the contract: the anomalies, and the rows that show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from course import style
from course.views import failing_rows, protos, row_sources, schema_constraints
from course.views.html import View, badge, escape, heading, note, panel, stack, table
from course.views.numbers import plain

_WHOLE = "(all the data)"
_BESIDE = 5
"""Other columns that are shown of an offending row."""


@dataclass(frozen=True)
class Anomaly:
    """One thing that is wrong with one feature.

    Attributes:
        feature: its name; empty for the data as a whole.
        kind: TFDV's name of the reason, one of `AnomalyInfo.Type`; empty where it gives none.
        short: what is wrong, in three words.
        long: what exactly.
    """

    feature: str
    kind: str
    short: str
    long: str


def anomalies(thing: Any, examples: Any = None, rows: int = 3, split: str | None = None, schema: Any = None) -> View:
    """What in the data breaks the contract, split by split: feature, kind of anomaly, and what exactly.

    Args:
        thing: an ExampleAnomalies artifact, its channel, or the proto; or several by name, `{"January": …, "February": …}`.
        examples: the data: an Examples artifact, its channel or folder, a pandas or pyarrow table, or a CSV or Parquet file.
            By the same names where `thing` is several. With them, the first rows that show an anomaly are under it, where rows can show it.
        rows: how many rows of each anomaly to show.
        split: one split only. Where `thing` is a proto, or its splits are not those of the examples: which of the
            examples' splits to look at.
        schema: the contract that was broken; TFDV writes it into the anomalies, so that it is seldom needed.

    Raises:
        KeyError: no such split.
        TypeError: `examples` is no data.
    """
    if isinstance(thing, dict):
        data = examples if isinstance(examples, dict) else dict.fromkeys(thing, examples)
        views = ((name, anomalies(one, data.get(name), rows, split, schema)) for name, one in thing.items())
        return stack(*(stack(heading(name), view) for name, view in views))
    found = protos.anomalies(thing)
    if split is not None and split in found:
        found = {split: found[split]}
    elif split is not None and (examples is None or split not in row_sources.splits(examples)):
        raise KeyError(f"No split {split!r} here. There are: {', '.join(found)}.")
    parts = []
    for name, message in found.items():
        parts.append(shown(name, message, judged(name, message, examples, rows, split, schema)))
    return stack(*parts)


def count(message: Any, split: str = "") -> View:
    """How many anomalies, as a badge."""
    found = len(listed(message))
    words = "no anomalies" if not found else f"{found} anomal{'y' if found == 1 else 'ies'}"
    return badge(f"{split}: {words}" if split else words, style.RED if found else style.STATES["done"])


def listed(message: Any) -> list[Anomaly]:
    """Each reason of each anomaly, those of the whole data first, then by feature."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    infos = [("", message.dataset_anomaly_info)] if message.HasField("dataset_anomaly_info") else []
    infos += sorted(message.anomaly_info.items())
    found = []
    for name, info in infos:
        # The key of the map may be quoted; the path is the feature's name as the data have it.
        feature = ".".join(info.path.step) or name
        for reason in info.reason or [info]:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type) if info.reason else ""
            short = reason.short_description or info.short_description
            found.append(Anomaly(feature, kind, short, reason.description or info.description or short))
    return found


Found = list[tuple[Anomaly, View | None]]
"""Anomalies, each with the rows that show it where there are examples."""


def judged(name: str, message: Any, examples: Any, rows: int, split: str | None, schema: Any) -> Found:
    """The anomalies of one split, with the rows of the examples that show them. Arguments as for `anomalies`."""
    found = listed(message)
    if examples is None or not found:
        return [(one, None) for one in found]
    there = row_sources.splits(examples)
    wanted = split if split in there else name if name in there else None
    if wanted is None and len(there) > 1:
        words = f"Which split of the examples shows the anomalies of {name!r}?"
        raise KeyError(f"{words} Give split=, one of: {', '.join(there)}.")
    contract = protos.schema(schema) if schema is not None else message.baseline
    return list(zip(found, _with_rows(found, contract, row_sources.read(examples, wanted), rows), strict=True))


def shown(name: str, message: Any, found: Found) -> View:
    """The view of one split."""
    title = heading(name, count(message))
    if not message.anomaly_info and not message.HasField("dataset_anomaly_info"):
        return panel(style.STATES["done"], title)
    blocks = [view for _, view in found if view is not None]
    if blocks:
        return panel(style.RED, title, *blocks)
    cells = [(plain(one.feature) if one.feature else _WHOLE, one.short, one.long) for one, _ in found]
    return panel(
        style.RED, title, table(["feature", "anomaly", "what was found"], cells) if cells else note("none of it")
    )


def _with_rows(found: list[Anomaly], contract: Any, data: Any, most: int) -> list[View]:
    """A block for each anomaly: what is wrong, and the first rows that show it."""
    known = {feature.name: feature for feature in contract.feature}
    shared = schema_constraints.shared_domains(contract)
    tests = {}
    for place, one in enumerate(found):
        test = failing_rows.test_for(one.kind, known.get(one.feature), shared)
        if test is not None:
            tests[place] = (one.feature, test)
    shown = failing_rows.find(data, tests, most)
    order = list(known)
    return [_block(one, shown.get(place), order) for place, one in enumerate(found)]


def _block(one: Anomaly, shown: failing_rows.FailingRows | None, order: list[str]) -> View:
    parts = [heading(plain(one.feature) if one.feature else _WHOLE, badge(one.short, style.RED)), note(one.long)]
    if shown is None or not shown.rows:
        return stack(*parts, note(_without_rows(one, shown)))
    columns = _context(one.feature, [row for _, row in shown.rows], order)
    cells = [
        (label, _strong(_cell(row.get(one.feature))), *(_cell(row.get(name)) for name in columns))
        for label, row in shown.rows
    ]
    parts.append(table(["row", plain(one.feature), *map(plain, columns)], cells))
    parts.append(note(_how_many(shown)))
    return stack(*parts)


def _context(feature: str, rows: list[dict[str, list[Any]]], order: list[str]) -> list[str]:
    """Other columns that help to recognise a row: those first that tell the rows from each other."""
    names = [n for n in dict.fromkeys([*order, *rows[0]]) if n != feature and n in rows[0]]
    alike = {name: all(row.get(name) == rows[0][name] for row in rows[1:]) and len(rows) > 1 for name in names}
    kept = set(sorted(names, key=lambda name: alike[name])[:_BESIDE])
    return [name for name in names if name in kept]


def _how_many(shown: failing_rows.FailingRows) -> str:
    start = f"The first {shown.looked_at:,} rows were looked at: " if shown.looked_at >= failing_rows.LOOKED_AT else ""
    rows = f"{shown.count:,} row{' shows' if shown.count == 1 else 's show'} it"
    first = "the first is" if len(shown.rows) == 1 else f"the first {len(shown.rows)} are"
    more = f", {first} above" if shown.count > len(shown.rows) else ""
    return f"{start}{rows}{more}."


def _without_rows(one: Anomaly, shown: failing_rows.FailingRows | None) -> str:
    """Why there is no row to see."""
    if one.kind == "SCHEMA_MISSING_COLUMN":
        return "No row has this column."
    if shown is not None and not shown.looked_at:
        return "There are no rows to look at."
    if shown is not None:
        return (
            f"No row of the {shown.looked_at:,} that were looked at shows it: are these the data that were validated?"
        )
    return "No single row shows it: it is seen in the statistics of all of them."


def _cell(values: list[Any] | None) -> str:
    if not values:
        return "missing"
    words = ", ".join(plain(f"{v:.6g}" if isinstance(v, float) else failing_rows.text(v)) for v in values[:4])
    return words + (" …" if len(values) > 4 else "")


def _strong(words: str) -> View:
    return View(f'<b style="color: var(--jp-error-color1, {style.RED});">{escape(words)}</b>', words)
