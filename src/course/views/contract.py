"""Views of the schema: the contract for the data."""

from __future__ import annotations

import math
from typing import Any

from course.views import protos, schema_constraints
from course.views.html import View, heading, stack, table

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

    shared = schema_constraints.shared_domains(message)
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
        often = f"at least {100 * least:.3g}%"  # 0.995 is not "100%"
    else:
        often = "may be missing"
    counts = feature.value_count
    many = feature.HasField("value_count") and counts.max != 1
    return f"{often}, {counts.min} to {counts.max or 'any number of'} values" if many else often


def _domain(feature: Any, shared: dict[str, list[str]]) -> str:
    """The values that are right."""
    kind = feature.WhichOneof("domain_info")
    if kind == "domain":
        return _listed(shared[feature.domain]) if feature.domain in shared else feature.domain
    if kind == "string_domain":
        return _listed(list(feature.string_domain.value))
    if kind in ("int_domain", "float_domain"):
        return number_range(feature)
    return "true or false" if kind == "bool_domain" else ""


def number_range(feature: Any) -> str:
    """The numbers that are right."""
    low, high = (f"{end:g}" if math.isfinite(end) else "" for end in schema_constraints.bounds(feature))
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else "any number"


def _where(feature: Any) -> str:
    """In which environments the feature is absent, what is tolerated, the limits of drift and skew, and the rules in its tags."""
    remarks = [f"not in {', '.join(feature.not_in_environment)}"] if feature.not_in_environment else []
    if outside := schema_constraints.tolerated(feature):
        remarks.append(f"{outside:.4g} of the values may be others")
    remarks += [f"{name} at most {limit:g}" for name, limit in limits(feature).items()]
    if feature.annotation.tag:
        remarks.append(f"rules: {', '.join(feature.annotation.tag)}")
    return "; ".join(remarks)


def limits(feature: Any) -> dict[str, float]:
    """How far the feature may move: the thresholds of drift and skew, by name."""
    found = {}
    for field, name in (("drift_comparator", "drift"), ("skew_comparator", "skew")):
        comparator = getattr(feature, field)
        for measure in ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference"):
            if comparator.HasField(measure):
                found[f"{name}, {measure.replace('_', ' ')}" if name in found else name] = getattr(
                    comparator, measure
                ).threshold
    return found


def _listed(values: list[str]) -> str:
    more = len(values) - _MOST
    return ", ".join(values[:_MOST]) + (f" and {more} more" if more > 0 else "")
