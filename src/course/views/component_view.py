"""A component, and one execution of it: what it read, with which configuration, what it wrote."""

from __future__ import annotations

import json
import re
from typing import Any

from course import style
from course.views.artifact_view import facts, gist
from course.views.html import View, badge, escape, heading, panel, table
from course.views.source import is_channel, source

_LONGEST = 90
_FINGERPRINT = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b")
"""It says nothing to a reader, and changes."""
_HIDDEN = {
    "contents",
    "fairness_indicator_thresholds",
    "force_tf_compat_v1",
    "input_fingerprint",
    "output_data_format",
    "output_file_format",
    "source",
}
"""Properties that nobody chooses: numbers of an enumeration, what is deprecated, fingerprints of code, and what is noted of the files' dates and contents."""


def execution(result: Any) -> View:
    """What one run of a component read and wrote, and whether it worked or took the result from the cache.

    Args:
        result: what `InteractiveContext.run` returns.
    """
    return component(result.component, "cached" if is_cached(result) else "done")


def component(node: Any, state: str | None = None) -> View:
    """A component: its inputs, its configuration, its outputs.

    Args:
        node: any TFX node, before or after it ran.
        state: `new`, `done`, `cached` or `failed`; by default `done` if it has outputs, else `new`.
    """
    outputs = list(node.outputs.items())
    if state is None:
        state = "done" if any(_held(channel) for _, channel in outputs) else "new"
    rows: list[tuple[Any, ...]] = [("reads", name, _origin(channel)) for name, channel in node.inputs.items()]
    rows += [("configuration", name, value) for name, value in configuration(node).items()]
    for name, channel in outputs:
        held = _held(channel)
        rows += [("writes", name, _described(one)) for one in held] or [
            ("writes", name, f"{channel.type_name}, not yet")
        ]
    # The first column names each group once.
    rows = [(("" if i and rows[i - 1][0] == row[0] else row[0]), *row[1:]) for i, row in enumerate(rows)]
    colour = style.STATES[state]
    return panel(
        colour, heading(node.id, badge("not run" if state == "new" else state, colour)), table(["", "", ""], rows)
    )


def is_cached(result: Any) -> bool:
    """True if the outputs are those of an earlier execution: TFX names each output's folder by the execution that made it."""
    folders = [
        artifact.uri.rstrip("/").rsplit("/", 1)[-1] for c in result.component.outputs.values() for artifact in c.get()
    ]
    numbered = [folder for folder in folders if folder.isdigit()]
    return bool(numbered) and str(result.execution_id) not in numbered and not _only_looks_up(result.component)


def configuration(node: Any) -> dict[str, str]:
    """The settings of a component that somebody chose, each as a short text; paths without what is of this machine."""
    found = {}
    for name, value in sorted((getattr(node, "exec_properties", None) or {}).items()):
        if name not in _HIDDEN and not (name in ("span", "version") and not value) and (text := _short(value)):
            found[name] = text
    return found


def outputs(channels: dict[str, Any]) -> View:
    """What a component puts out, by name: a table of its channels and the artifacts in them."""
    rows = []
    for name, channel in channels.items():
        rows += [(name, _described(one)) for one in _held(channel)] or [(name, f"{channel.type_name}, not yet")]
    return table(["output", "artifact"], rows)


def _only_looks_up(node: Any) -> bool:
    """A resolver makes nothing: what it finds was always made earlier."""
    return "Resolver" in {kind.__name__ for kind in type(node).__mro__}


def _held(channel: Any) -> list[Any]:
    return list(channel.get()) if is_channel(channel) else []


def _origin(channel: Any) -> str:
    """Type of an input, and which component it comes from."""
    makers = sorted(channel.get_data_dependent_node_ids()) if hasattr(channel, "get_data_dependent_node_ids") else []
    return f"{channel.type_name} of {' and '.join(makers)}" if makers else channel.type_name


def _described(artifact: Any) -> View:
    """An artifact in one line: type, gist, properties."""
    origin = source(artifact)
    told = gist(origin)
    known = facts(origin, with_splits=not told)
    parts = [w if isinstance(w, View) else View(escape(w), w) for w in (origin.type_name, *told, known) if w]
    return View(" · ".join(part.markup for part in parts), " · ".join(part.text for part in parts))


def _short(value: Any) -> str:
    """A setting as a short text, empty where nothing was chosen, or nothing but a fingerprint is in it."""
    if value is None or value in ("", "null", "[]", "{}") or value == {} or _is_fingerprint(value):
        return ""
    text = value if isinstance(value, str) else str(value)
    if text[:1] in "{[":
        try:
            parts = json.loads(text)
            if isinstance(parts, dict):
                parts = {name: part for name, part in parts.items() if not _is_fingerprint(part)}
            text = json.dumps(parts).replace('"', "") if parts else ""
        except ValueError:
            text = " ".join(text.split())
    text = re.sub(r"(?<![\w.])/(?:[\w.+-]+/)+", "…/", " ".join(text.split()))
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    text = _FINGERPRINT.sub("…", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and bool(_FINGERPRINT.fullmatch(value))
