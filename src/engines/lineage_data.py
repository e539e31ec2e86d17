"""Which files an execution of TFX has read, and in which splits: learned from, or evaluated on.

The examples of one ExampleGen hold months for training and a month for evaluation, so that the artifact alone does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engines.events import CONTENTS, Graph, texts
from engines.lineage_records import File, Use

LEARNED, EVALUATED = 0, 1


def uses(graph: Graph, executions: Iterable[int], which: int) -> tuple[Use, ...]:
    """The files that executions have read.

    Args:
        graph: of the store.
        executions: which ones.
        which: in the splits that they learn from (`LEARNED`), or in those that they evaluate on (`EVALUATED`).
    """
    found: dict[tuple[File, int], tuple[dict[str, None], dict[str, None]]] = {}
    for execution in executions:
        for root in _roots(graph, execution):
            files = _files(graph, root)
            for split in _splits(graph, execution, list(files))[which]:
                for file in files.get(split, ()):
                    splits, nodes = found.setdefault((file, root), ({}, {}))
                    splits[split] = nodes[graph.step(execution).node] = None
    return tuple(
        Use(file, root, tuple(splits), tuple(nodes))
        for (file, root), (splits, nodes) in sorted(
            found.items(), key=lambda one: (one[0][0].span or 0, one[0][0].path, one[0][1])
        )
    )


def _roots(graph: Graph, execution: int) -> list[int]:
    """The examples, as ExampleGen made them, that an execution read, itself or as Transform wrote them."""
    found: dict[int, None] = {}
    waiting = [one for given in graph.inputs[execution].values() for one in given]
    while waiting:
        number = waiting.pop(0)
        if graph.artifacts[number].type != "Examples":
            continue
        maker = graph.makers.get(number)
        before = [one for given in graph.inputs.get(maker, {}).values() for one in given]
        before = [one for one in before if graph.artifacts[one].type == "Examples"]
        found |= {} if before else {number: None}
        waiting += before
    return list(found)


def _splits(graph: Graph, execution: int, every: list[str]) -> tuple[list[str], list[str]]:
    """The splits that a component learns from, and those that it evaluates on, by TFX's settings and their defaults."""
    settings = graph.settings(execution)
    if "train_args" in settings:
        learned, watched = (texts(settings.get(name)).get("splits") for name in ("train_args", "eval_args"))
        return learned or ["train"], watched or ["eval"]
    if graph.made_of(execution, "TransformGraph"):
        return texts(settings.get("splits_config")).get("analyze") or ["train"], []
    if "example_splits" in settings or "eval_config" in settings:
        return [], settings.get("example_splits") or ["eval"]
    excluded = settings.get("exclude_splits") or []
    return [one for one in every if one not in excluded], []


def _files(graph: Graph, examples: int) -> dict[str, list[File]]:
    """The files of each split of what an ExampleGen made."""
    told, maker = graph.properties(examples), graph.makers.get(examples)
    settings = graph.settings(maker) if maker is not None else {}
    held = texts(told.get(CONTENTS) or settings.get(CONTENTS))
    if not held:
        patterns = texts(settings.get("input_config")).get("splits", [])
        held = {one.get("name", ""): dict.fromkeys(_expanded(one.get("pattern", "")), "") for one in patterns}
    held = held or {"": {"": ""}}  # of a query, say: its examples are all that there is to tell
    span = int(told.get("span") or 0)
    files = {name: [File(path, span or _span(path), one) for path, one in held[name].items()] for name in held}
    every = list(dict.fromkeys(one for some in files.values() for one in some))
    names = told.get("split_names") or [name for name in files if name] or ["train", "eval"]
    return {split: files.get(split, every) for split in names}


def _span(path: str) -> int | None:
    """The span in whose folder a file is, by the folder's name."""
    found = re.search(r"(?:^|/)span-?(\d+)(?=/)", path)
    return int(found[1]) if found else None


def _expanded(pattern: str) -> list[str]:
    """The paths that a pattern with a range of digits, such as `span-0[1-3]/data.csv`, stands for; another one as it is."""
    parts = re.fullmatch(r"([^*?\[]*)\[(\d)-(\d)\]([^*?\[]*)", pattern)
    if not parts:
        return [pattern] if pattern else []
    return [f"{parts[1]}{digit}{parts[4]}" for digit in range(int(parts[2]), int(parts[3]) + 1)]
