"""What a schema allows of a feature, as values of Python."""

from __future__ import annotations

import math
from typing import Any


def bounds(feature: Any) -> tuple[float, float]:
    """The lowest and highest number that the schema allows; infinite where it does not say."""
    kind = feature.WhichOneof("domain_info")
    if kind == "bool_domain":
        return 0, 1
    if kind not in ("int_domain", "float_domain"):
        return -math.inf, math.inf
    ends = getattr(feature, kind)
    return (_end(ends, "min", -math.inf), _end(ends, "max", math.inf))


def _end(ends: Any, side: str, without: float) -> float:
    """A bound. Where the proto cannot tell 0 from "not set", 0 counts as set."""
    if ends.DESCRIPTOR.fields_by_name[side].has_presence and not ends.HasField(side):
        return without
    return getattr(ends, side)


def domain(feature: Any, shared: dict[str, list[str]]) -> list[str] | None:
    """The texts that the schema allows; None where it does not say.

    Args:
        feature: of a schema.
        shared: the domains that features share, see `shared_domains`.
    """
    kind = feature.WhichOneof("domain_info")
    if kind == "domain":
        return shared.get(feature.domain)
    if kind == "bool_domain" and (feature.bool_domain.true_value or feature.bool_domain.false_value):
        return [feature.bool_domain.true_value, feature.bool_domain.false_value]
    return list(feature.string_domain.value) if kind == "string_domain" else None


def shared_domains(schema: Any) -> dict[str, list[str]]:
    """The domains of a schema that features share, by name."""
    return {domain.name: list(domain.value) for domain in schema.string_domain}


def counts(feature: Any) -> tuple[float, float]:
    """How many values an example may have: the least and the most."""
    if feature.HasField("shape"):
        size = math.prod(dim.size for dim in feature.shape.dim)
        return size, size
    return feature.value_count.min or 1, feature.value_count.max or math.inf


def presence(feature: Any) -> float:
    """In which share of the examples the feature has to be; 0 where the schema does not demand it."""
    if feature.HasField("presence"):
        return feature.presence.min_fraction
    return 1.0 if feature.HasField("shape") else 0.0


def tolerated(feature: Any) -> float:
    """Which share of the values may be outside of the domain: 1 less the `min_domain_mass`, which is 1 unless it is set."""
    return (
        1.0 - feature.distribution_constraints.min_domain_mass if feature.HasField("distribution_constraints") else 0.0
    )
