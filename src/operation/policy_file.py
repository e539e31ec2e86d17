"""A policy and its guards as a file, so that a change of a limit is a change that is reviewed, not one of code.

    {"why": "...", "policy": {"AnyOf": [{"CalibrationGap": {"limit": 0.04}}, {"Calendar": {"months": 3}}]}, "guards": {"cool_down": 28}}

It is read strictly: a limit that is misspelt, and so left at its default, would be found when a retraining is missed.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operation import policy
from operation.policy import AllOf, AnyOf, Guards, Policy

SIMPLE = {
    kind.__name__: kind
    for kind in (policy.Never, policy.Calendar, policy.NewRows, policy.Drift, policy.CalibrationGap, policy.Loss)
}
"""Policies by the name that a file calls them, each with its fields."""

SEVERAL = {"AnyOf": AnyOf, "AllOf": AllOf}
"""Those that are made of a list of others."""

KEYS = ("why", "policy", "guards")

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", types.NoneType: "null"}


class PolicyError(ValueError):
    """The file is no policy; the message names the file and the key."""


def load(file: str | Path) -> tuple[Policy, Guards]:
    """Reads a policy and its guards; `why` is for people.

    Raises:
        PolicyError: names the file and the key, and says what to write.
    """
    try:
        given = json.loads(Path(file).read_bytes(), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise PolicyError(f"{file}: it cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{file}: no JSON ({error}).") from None
    try:
        _require_keys(given, KEYS, "")
        if "policy" not in given:
            raise ValueError("policy is missing.")
        _require_kind(given.get("why", ""), str, "why")
        return _policy(given["policy"], "policy"), _made(Guards, given.get("guards", {}), "guards")
    except ValueError as error:
        raise PolicyError(f"{file}: {error}") from None


def _policy(given: Any, where: str) -> Policy:
    if not isinstance(given, dict) or len(given) != 1:
        raise ValueError(
            f'{where} is {_shown(given)}. Write one policy with its settings: {{"Calendar": {{"months": 3}}}}.'
        )
    ((name, settings),) = given.items()
    where = f"{where}.{name}"
    if name in SEVERAL:
        if not isinstance(settings, list):
            raise ValueError(f"{where} is {_shown(settings)}. Write a list of policies.")
        several = tuple(_policy(one, f"{where}[{number}]") for number, one in enumerate(settings))
        return _called(SEVERAL[name], {"policies": several}, where)
    if name not in SIMPLE:
        raise ValueError(f"{where} is unknown; there are {', '.join([*SIMPLE, *SEVERAL])}.")
    return _made(SIMPLE[name], settings, where)


def _made(kind: type, given: Any, where: str) -> Any:
    """A dataclass from its fields, each of the kind that its annotation says."""
    kinds = typing.get_type_hints(kind)
    _require_keys(given, list(kinds), where)
    for name, value in given.items():
        _require_kind(value, kinds[name], f"{where}.{name}")
    needed = [one.name for one in dataclasses.fields(kind) if one.default is dataclasses.MISSING]
    if missing := [name for name in needed if name not in given]:
        raise ValueError(f"{where}.{missing[0]} is missing.")
    return _called(kind, given, where)


def _called(kind: type, settings: Mapping[str, Any], where: str) -> Any:
    try:
        return kind(**settings)
    except ValueError as error:  # what a class itself refuses, such as a limit below 0
        raise ValueError(f"{where}: {error}") from None


def _require_keys(given: Any, known: list[str] | tuple[str, ...], where: str) -> None:
    if not isinstance(given, dict):
        raise ValueError(f"{where or 'the file'} is {_shown(given)}. Write an object, {{...}}.")
    if unknown := sorted(set(given) - set(known)):
        there = f"there are {', '.join(known)}" if known else "it has no settings"
        raise ValueError(f"{where}{'.' if where else ''}{unknown[0]} is unknown; {there}.")


def _require_kind(value: Any, kind: Any, where: str) -> None:
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError(
                f"{where} is {_shown(value)}. Write {' or '.join(map(json.dumps, typing.get_args(kind)))}."
            )
        return
    kinds = typing.get_args(kind) or (kind,)
    if type(value) in kinds or (type(value) is int and float in kinds):
        return
    raise ValueError(f"{where} is {_shown(value)}. Write {' or '.join(WORDS[one] for one in kinds)}.")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that is there twice, JSON would take the last."""
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{twice[0]} is there twice")
    return dict(pairs)
