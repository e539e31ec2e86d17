"""Calls a function of a student's module: a step of a trial.

    main([FOLDER, MODULE, FUNCTION, CALLS, OUTPUT])

FOLDER holds the module. CALLS is a JSON list with the arguments of each call, by name; one that is `{"csv": PATH}` is given as a table, read from that file. To OUTPUT goes a
JSON list: of each call what was returned, as `{"value": ...}` in the types of JSON, or `{"error": SENTENCE}`.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Calls it."""
    folder, module, name, calls, output = arguments
    sys.path.insert(0, folder)
    found: list[dict[str, Any]] = []
    function = getattr(importlib.import_module(module), name)
    for call in json.loads(Path(calls).read_text(encoding="utf-8")):
        found.append(told(function, {name: _given(one) for name, one in call.items()}))
    Path(output).write_text(json.dumps(found), encoding="utf-8")


def told(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a call: a number in a dictionary that is not finite is told as a text, `nan`, so that its key is known."""
    from course.checks.answers import plain

    try:
        value = function(**arguments)
        found = value.to_dict() if type(value).__name__ == "Series" else value
        if isinstance(found, dict):
            value = {
                key: str(float(one)) if isinstance(one, Real) and not math.isfinite(one) else one
                for key, one in found.items()
            }
        return {"value": plain(value)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def _given(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"csv"}:
        import pandas as pd

        return pd.read_csv(value["csv"])
    return value
