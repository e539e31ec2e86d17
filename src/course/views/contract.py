"""Views of the schema, and of what breaks it."""

from __future__ import annotations

from typing import Any

from course import style
from course.views import protos
from course.views.html import View, badge, heading, panel, stack, table

_MOST = 6
"""Values of a domain that are listed before "and so many more"."""


def schema(thing: Any) -> View:
    """The contract for the data: for each feature its type, presence, and the values that are right.

    Args:
        thing: a Schema artifact, its channel, a `schema.pbtxt`, or the proto.
    """
    rows = [(name, *aspects.values()) for name, aspects in described(protos.schema(thing)).items()]
    return stack(
        heading("Schema", f"{len(rows)} features"),
        table(["feature", "type", "presence", "values", "remarks"], rows),
    )


def described(message: Any) -> dict[str, dict[str, str]]:
    """Each feature of a schema in words: its type, presence, values and remarks."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    shared = {domain.name: domain for domain in message.string_domain}
    return {
        feature.name: {
            "type": schema_pb2.FeatureType.Name(feature.type).lower(),
            "presence": _presence(feature),
            "values": _domain(feature, shared),
            "remarks": _where(feature),
        }
        for feature in message.feature
    }


def _presence(feature: Any) -> str:
    """How often the feature must be there, and with how many values."""
    if not feature.HasField("presence") and not feature.HasField("shape"):
        return "not demanded"
    least = feature.presence.min_fraction if feature.HasField("presence") else 1.0
    if least >= 1:
        often = "always"
    elif least > 0:
        often = f"at least {least:.0%}"
    else:
        often = "may be missing"
    counts = feature.value_count
    many = feature.HasField("value_count") and counts.max != 1
    return f"{often}, {counts.min} to {counts.max or 'any number of'} values" if many else often


def _domain(feature: Any, shared: dict[str, Any]) -> str:
    """The values that are right."""
    kind = feature.WhichOneof("domain_info")
    if kind == "domain":
        return _listed(list(shared[feature.domain].value)) if feature.domain in shared else feature.domain
    if kind == "string_domain":
        return _listed(list(feature.string_domain.value))
    if kind in ("int_domain", "float_domain"):
        domain = getattr(feature, kind)
        low, high = (_bound(domain, side) for side in ("min", "max"))
        if low and high:
            return f"{low} to {high}"
        return f"at least {low}" if low else f"at most {high}" if high else "any number"
    return "true or false" if kind == "bool_domain" else ""


def _bound(domain: Any, side: str) -> str:
    """A bound of a range, or nothing. In proto3 an integer domain cannot tell 0 from "not set": 0 counts as set there."""
    value = getattr(domain, side)
    if domain.DESCRIPTOR.fields_by_name[side].has_presence:
        return f"{value:g}" if domain.HasField(side) else ""
    return f"{value:g}"


def _where(feature: Any) -> str:
    """In which environments the feature is absent, and the limits of drift and skew."""
    remarks = [f"not in {', '.join(feature.not_in_environment)}"] if feature.not_in_environment else []
    for field, name in (("drift_comparator", "drift"), ("skew_comparator", "skew")):
        if feature.HasField(field):
            comparator = getattr(feature, field)
            for measure in ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference"):
                if comparator.HasField(measure):
                    remarks.append(f"{name} at most {getattr(comparator, measure).threshold:g}")
    return "; ".join(remarks)


def _listed(values: list[str]) -> str:
    more = len(values) - _MOST
    return ", ".join(values[:_MOST]) + (f" and {more} more" if more > 0 else "")


def anomalies(thing: Any, examples: Any = None, rows: int = 3, split: str | None = None) -> View:
    """What in the data breaks the contract, split by split: feature, kind of anomaly, and what exactly.

    Args:
        thing: an ExampleAnomalies artifact, its channel, or the proto.
        examples: the data: an Examples artifact, its channel or folder, or a pandas or pyarrow table. With them, the first
            rows that show an anomaly are under it, where rows can show it.
        rows: how many rows of each anomaly to show.
        split: which split of the examples, where `thing` is a proto of one split.
    """
    return stack(*(_split(split, message) for split, message in protos.anomalies(thing).items()))


def count(message: Any, split: str = "") -> View:
    """How many anomalies, as a badge."""
    found = len(_rows(message))
    words = "no anomalies" if not found else f"{found} anomal{'y' if found == 1 else 'ies'}"
    return badge(f"{split}: {words}" if split else words, style.RED if found else style.STATES["done"])


def _split(split: str, message: Any) -> View:
    rows = _rows(message)
    title = heading(split, count(message))
    if not rows:
        return panel(style.STATES["done"], title)
    return panel(style.RED, title, table(["feature", "anomaly", "what was found"], rows))


def _rows(message: Any) -> list[tuple[str, str, str]]:
    """Feature, kind and description of each anomaly, those of the whole data first."""
    rows = [(name, info.short_description, info.description) for name, info in sorted(message.anomaly_info.items())]
    if message.HasField("dataset_anomaly_info"):
        info = message.dataset_anomaly_info
        rows.insert(0, ("(all the data)", info.short_description, info.description))
    return rows
