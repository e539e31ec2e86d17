"""Calls a function of a student's module: a step of a trial.

    main([FOLDER, MODULE, FUNCTION, CALLS, OUTPUT])

FOLDER holds the module. CALLS is a JSON list with the arguments of each call, by name; one that is `{"csv": PATH}` is given as a table, read from that file. To OUTPUT goes a
JSON list: of each call what was returned, as `{"value": ...}` in the types of JSON, or `{"error": SENTENCE}`.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Calls it."""
    from course.checks.answers import plain

    folder, module, name, calls, output = arguments
    sys.path.insert(0, folder)
    found: list[dict[str, Any]] = []
    function = getattr(importlib.import_module(module), name)
    for call in json.loads(Path(calls).read_text(encoding="utf-8")):
        try:
            found.append({"value": plain(function(**{name: _given(one) for name, one in call.items()}))})
        except Exception as error:
            found.append({"error": f"{type(error).__name__}: {error}"[:300]})
    Path(output).write_text(json.dumps(found), encoding="utf-8")


def _given(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"csv"}:
        import pandas as pd

        return pd.read_csv(value["csv"])
    return value
