"""An artifact: a record with properties, and a folder of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from course import style
from course.views import anomalies_view, protos
from course.views.blessing_view import blessed, verdict
from course.views.html import View, badge, escape, folded, heading, listing, note, panel, stack
from course.views.source import Source, is_channel, source

WHAT = {
    "Examples": "the data, as tf.Examples in TFRecord files",
    "ExampleStatistics": "what each feature looks like, in numbers",
    "Schema": "the contract that the data must meet",
    "ExampleAnomalies": "what in the data breaks the contract",
    "TransformGraph": "the preprocessing as a TensorFlow graph, with what it learned from the data",
    "TransformCache": "intermediate results, so that the next span needs less work",
    "Model": "the trained model",
    "ModelRun": "logs of the training, for TensorBoard",
    "ModelEvaluation": "metrics of the model, by slice",
    "ModelBlessing": "whether the model may be pushed",
    "InfraBlessing": "whether the model can be served",
    "PushedModel": "the model where a server looks for it",
    "HyperParameters": "the settings that the tuner found",
    "TunerResults": "all the settings that the tuner tried",
    "InferenceResult": "predictions for a batch",
}
"""What the standard artifacts are, in a few words."""

_MOST_FILES = 12
_MOST_TEXT = 300


def artifact(thing: Any) -> View:
    """One artifact: its type, its gist, the properties of its record, and the files of its folder (behind a line).

    Args:
        thing: a TFX artifact, a channel that has one, an artifact of the metadata store, or a path.
    """
    origin = source(thing)
    parts = [heading(origin.type_name or origin.folder.name, *gist(origin))]
    known = facts(origin, with_splits=origin.type_name not in ("ExampleStatistics", "ExampleAnomalies"))
    about = " · ".join(words for words in (WHAT.get(origin.type_name), known) if words)
    if about:
        parts.append(note(about))
    files = file_tree(origin.folder)
    if files:
        parts.append(folded("its files", listing(files)))
    return panel(style.PHASES["Data"], *parts)


def artifacts(channel: Any) -> View:
    """All artifacts of a channel; where there are none yet, a line that says so. Takes a single artifact too."""
    held = list(channel.get()) if is_channel(channel) else [channel]
    if held:
        return stack(*(artifact(one) for one in held))
    empty = style.STATES["new"]
    return panel(empty, heading(channel.type_name, badge("empty", empty)), note("Its component has not run yet."))


def facts(origin: Source, with_splits: bool = True) -> str:
    """Splits, and the properties worth a word: not the verdict, which has a badge, nor the zeros that TFX fills in."""
    words = [f"splits: {', '.join(origin.splits)}"] if origin.splits and with_splits else []
    for key, value in origin.telling.items():
        if key not in ("blessed", "pushed") and not (key in ("span", "version") and not value):
            words.append(f"{key}: {value:g}" if isinstance(value, float) else f"{key}: {value}")
    return " · ".join(words)


def gist(origin: Source) -> list[View | str]:
    """What is in it, in a few words: counts, a verdict, a value. Nothing where the type is not known."""
    kind, folder = origin.type_name, origin.folder
    if "pushed" in origin.properties:
        yes = bool(origin.properties["pushed"])
        return [badge("pushed", style.STATES["done"]) if yes else badge("not pushed", style.RED)]
    if not folder.exists():
        return [badge("its folder is gone", style.RED)]
    if kind == "ExampleStatistics":
        sizes = {split: int(one.num_examples) for split, one in protos.statistics(origin).items()}
        return ["; ".join(f"{split}: {size:,} examples" for split, size in sizes.items())]
    if kind == "Schema":
        return [f"{len(protos.schema(origin).feature)} features"]
    if kind == "ExampleAnomalies":
        return [anomalies_view.count(message, split) for split, message in protos.anomalies(origin).items()]
    if kind in ("ModelBlessing", "InfraBlessing"):
        return [verdict(blessed(origin))]
    if folder.is_file() or (folder / "value").is_file():
        return [_text(folder if folder.is_file() else folder / "value")]
    return []


def _text(path: Path) -> View:
    """The content of a value artifact (a number or a short text)."""
    words = path.read_bytes()[:_MOST_TEXT].decode("utf-8", errors="backslashreplace")
    return View(f"<code>{escape(words)}</code>", words)


def file_tree(folder: Path) -> list[str]:
    """The files under a folder, relative to it, sorted; without hidden ones, and with dated and random parts as `…`."""
    if not folder.is_dir():
        return []
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = sorted(n.as_posix() for n in names if not any(part.startswith(".") for part in n.parts))
    lines = list(dict.fromkeys(re.sub(r"\d{9,}\S*?(?=/|$)|[0-9a-f]{20,}", "…", name) for name in shown))
    more = len(lines) - _MOST_FILES
    return [*lines[:_MOST_FILES], f"and {more} more"] if more > 0 else lines
