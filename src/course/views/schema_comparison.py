"""What changed between two schemas, feature by feature, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from course import style
from course.views import protos, schema_constraints
from course.views.contract import described, limits, number_range
from course.views.html import View, badge, heading, panel, table
from course.views.numbers import plain

LOOSER, STRICTER, NEW, OTHER = "looser", "stricter", "new", "other"
_COLOURS = {LOOSER: style.BLUE, STRICTER: style.RED, NEW: style.STATES["done"], OTHER: style.MUTED}
_MOST = 6
_SAID = {
    "name", "type", "presence", "shape", "value_count", "domain", "int_domain", "float_domain", "string_domain",
    "bool_domain", "skew_comparator", "drift_comparator", "in_environment", "not_in_environment", "distribution_constraints",
    "annotation",
}  # fmt: skip
"""Fields of a feature for which there are words; a change of any other is named by its field."""


@dataclass(frozen=True)
class Change:
    """One thing that changed.

    Attributes:
        feature: whose; empty where it is of the schema as a whole.
        words: what changed.
        effect: `looser` (more data pass), `stricter` (fewer do), `new`, or `other`.
    """

    feature: str
    words: str
    effect: str


def schema_diff(before: Any, after: Any, feature: str | None = None) -> View:
    """What changed in the contract, and whether more or fewer data pass it now.

    Args:
        before: a Schema artifact, its channel, a `schema.pbtxt`, or the proto.
        after: the same of the newer contract.
        feature: one feature only.

    Raises:
        KeyError: neither schema has such a feature.
    """
    found = changes(protos.schema(before), protos.schema(after))
    if feature is not None:
        names = [one.name for schema in (before, after) for one in protos.schema(schema).feature]
        if feature not in names:
            raise KeyError(f"No feature {feature!r} in either schema. There are: {', '.join(dict.fromkeys(names))}.")
        found = [change for change in found if change.feature == feature]
    title = "Schema: what changed" if feature is None else f"Schema: what changed of {plain(feature)}"
    if not found:
        return panel(style.STATES["done"], heading(title, "nothing"))
    rows = [
        (plain(one.feature) if one.feature else "(the whole)", one.words, badge(one.effect, _COLOURS[one.effect]))
        for one in found
    ]
    rows = [("" if i and rows[i - 1][0] == row[0] else row[0], *row[1:]) for i, row in enumerate(rows)]
    features = len({one.feature for one in found})
    words = f"{len(found)} change{'s' * (len(found) > 1)} in {features} feature{'s' * (features > 1)}"
    return panel(style.BLUE, heading(title, words), table(["feature", "what changed", "the contract is"], rows))


def explore_schema_diff(versions: dict[str, Any], feature: str | None = None) -> None:
    """What changed between two versions of a contract, with controls to choose the versions and the feature.

    Args:
        versions: schemas by name, in order, such as `{"inferred": …, "curated": …}`. The first and the last are shown at first.
        feature: the one to start from; all by default.

    Raises:
        ValueError: fewer than two versions.
    """
    from course.controls import Explorer

    if not isinstance(versions, dict) or len(versions) < 2:
        raise ValueError(
            "Give two schemas or more by name: explore_schema_diff({'inferred': schema, 'curated': schema})."
        )
    schemas = {name: protos.schema(one) for name, one in versions.items()}
    features = list(dict.fromkeys(one.name for schema in schemas.values() for one in schema.feature))
    names, every = list(schemas), "all features"

    def drawn(before: str, after: str, feature: str) -> View:
        return schema_diff(schemas[before], schemas[after], None if feature == every else feature)

    controls = {"before": names, "after": names, "feature": [every, *features]}
    Explorer(drawn, None, controls, {"before": names[0], "after": names[-1], "feature": feature or every}).display()


def changes(before: Any, after: Any) -> list[Change]:
    """All that changed from one schema to another, in the order of the features; what is of the whole comes first."""
    found = [Change("", words, OTHER) for words in _of_the_whole(before, after)]
    old, new = ({one.name: one for one in schema.feature} for schema in (before, after))
    domains = schema_constraints.shared_domains(before), schema_constraints.shared_domains(after)
    texts = described(after)
    for name in dict.fromkeys([*old, *new]):
        if name not in old:
            words = ", ".join(text for text in texts[name].values() if text)
            found.append(Change(name, f"new in the contract: {words}", NEW))
        elif name not in new:
            found.append(Change(name, "no longer in the contract: data that have it are an anomaly", STRICTER))
        else:
            found += [Change(name, *one) for one in _of_feature(old[name], new[name], domains)]
    return found


def _of_the_whole(before: Any, after: Any) -> list[str]:
    found = []
    if list(before.default_environment) != list(after.default_environment):
        old, new = (", ".join(schema.default_environment) or "none" for schema in (before, after))
        found.append(f"environments: {old} → {new}")
    known = {"feature", "string_domain", "default_environment"}
    for field in before.DESCRIPTOR.fields:
        if field.name not in known and getattr(before, field.name) != getattr(after, field.name):
            found.append(f"{field.name.replace('_', ' ')} changed")
    return found


def _of_feature(old: Any, new: Any, domains: tuple[dict[str, list[str]], ...]) -> list[tuple[str, str]]:
    """What changed of one feature, each with its effect."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    found = []
    if old.type != new.type:
        kinds = (schema_pb2.FeatureType.Name(one.type).lower() for one in (old, new))
        found.append((" → ".join(("type " + next(kinds), next(kinds))), OTHER))
    found += _of_presence(old, new)
    old_mass, new_mass = schema_constraints.tolerated(old), schema_constraints.tolerated(new)
    if old_mass != new_mass:
        texts = (f"{share:.4g}" for share in (old_mass, new_mass))
        words = f"share of values that may be outside of the domain: {' → '.join(texts)}"
        found.append((words, LOOSER if new_mass > old_mass else STRICTER))
    found += _of_values(
        *(schema_constraints.domain(one, shared) for one, shared in zip((old, new), domains, strict=True))
    )
    if schema_constraints.bounds(old) != schema_constraints.bounds(new):
        (low, high), (low_now, high_now) = schema_constraints.bounds(old), schema_constraints.bounds(new)
        effect = _effect(low_now <= low and high_now >= high, low_now >= low and high_now <= high)
        found.append((f"range {number_range(old)} → {number_range(new)}", effect))
    before, now = limits(old), limits(new)
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            texts = (f"at most {one[name]:g}" if name in one else "no limit" for one in (before, now))
            grown = before.get(name, float("inf")) < now.get(name, float("inf"))
            found.append((f"{name}: {' → '.join(texts)}", LOOSER if grown else STRICTER))
    for field, word in (("not_in_environment", "not in"), ("in_environment", "only in")):
        if list(getattr(old, field)) != list(getattr(new, field)):
            texts = (", ".join(getattr(one, field)) or "none" for one in (old, new))
            found.append((f"{word} the environments: {' → '.join(texts)}", OTHER))
    if old.annotation.comment != new.annotation.comment:
        found.append(("comment changed", OTHER))
    for tag in old.annotation.tag:
        if tag not in new.annotation.tag:
            found.append((f"no rule any more: {tag}", LOOSER))
    for tag in new.annotation.tag:
        if tag not in old.annotation.tag:
            found.append((f"rule: {tag}", STRICTER))
    rest = [
        f.name for f in old.DESCRIPTOR.fields if f.name not in _SAID and getattr(old, f.name) != getattr(new, f.name)
    ]
    return found + [(f"{name.replace('_', ' ')} changed", OTHER) for name in rest]


def _of_presence(old: Any, new: Any) -> list[tuple[str, str]]:
    found = []
    before, now = schema_constraints.presence(old), schema_constraints.presence(new)
    if before != now:
        words = {1.0: "always", 0.0: "may be missing"}
        texts = (words.get(share, f"in at least {share:.4g} of the examples") for share in (before, now))
        found.append((f"presence: {' → '.join(texts)}", LOOSER if now < before else STRICTER))
    (least, most), (least_now, most_now) = schema_constraints.counts(old), schema_constraints.counts(new)
    if (least, most) != (least_now, most_now):
        texts = (
            f"{low} to {'any number' if high == float('inf') else high}"
            for low, high in ((least, most), (least_now, most_now))
        )
        effect = _effect(least_now <= least and most_now >= most, least_now >= least and most_now <= most)
        found.append((f"values in an example: {' → '.join(texts)}", effect))
    return found


def _of_values(before: list[str] | None, now: list[str] | None) -> list[tuple[str, str]]:
    """What changed of the list of texts that are right."""
    if before is None or now is None:
        if before is now:
            return []
        listed = f"a list of {len(now if before is None else before)}"
        return [(f"values: any → {listed}", STRICTER)] if before is None else [(f"values: {listed} → any", LOOSER)]
    added, gone = ([value for value in one if value not in set(other)] for one, other in ((now, before), (before, now)))
    found = [(f"{_some(added)} allowed in addition", LOOSER)] if added else []
    return found + ([(f"{_some(gone)} no longer allowed", STRICTER)] if gone else [])


def _effect(looser: bool, stricter: bool) -> str:
    return LOOSER if looser else STRICTER if stricter else OTHER


def _some(values: list[str]) -> str:
    more = len(values) - _MOST
    return (
        ", ".join(plain(value) for value in values[:_MOST])
        + (f" and {more} more" if more > 0 else "")
        + (" is" if len(values) == 1 else " are")
    )
