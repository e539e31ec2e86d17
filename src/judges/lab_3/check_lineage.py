"""Judges what students say a served version was made from: task 6 of lab 3."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_3 import inherited_store
from judges.shared import metadata_store
from judges.shared.metadata_store import Artifact, MetadataStore

WORDS = {
    "model": "the model",
    "transform_graph": "the graph that prepares its features",
    "schema": "the schema that it was trained with",
    "examples": "the examples that ExampleGen wrote for it",
    "data": "the fingerprint of the files that these were read from",
    "baseline": "the model that it was held against",
}


def judge_lineage(lab: checks.Lab, store: Any, own: Any, inherited_lineage: Any) -> None:
    """Two points for the student's own store, three for the one that was inherited.

    Raises:
        checks.Wrong: an answer is not what the store says.
    """
    problems, points = [], 0.0
    try:
        found = metadata_store.of_student(lab, store)
        newest = newest_version(found)
        if newest is None:
            raise checks.Wrong("No version is served yet: no run in your store has pushed a model.")
        told = _compare(own, of(found, newest), "OWN")
    except checks.Wrong as wrong:  # the other store has nothing to do with it
        told = [wrong.message]
    problems += told
    points += 0 if told else 2
    told = _compare(inherited_lineage, inherited_store.truth(lab.seed)[1], "INHERITED")
    problems += told
    points += 0 if told else 3
    if problems:
        raise checks.Wrong("\n".join(problems), points=points)


def newest_version(found: MetadataStore) -> Artifact | None:
    """What was pushed last."""
    pushed = [
        one for one in found.artifacts.values() if one.type == "PushedModel" and one.properties.get("pushed") == 1
    ]
    versions = [one for one in pushed if str(one.properties.get("pushed_version")).isdigit()]
    return max(versions, key=lambda one: int(one.properties["pushed_version"]), default=None)


def of(found: MetadataStore, pushed: Artifact) -> dict[str, Any]:
    """What led to a pushed model.

    Raises:
        checks.Wrong: the store does not tell.
    """
    model = _input(found, pushed, "model")
    trainer = found.producer(model)
    graph, schema = (trainer.one("inputs", name) if trainer else None for name in ("transform_graph", "schema"))
    if graph is None:
        raise checks.Wrong("The model that was pushed last was not trained by a Trainer that knows a Transform graph.")
    transform = found.producer(graph)
    schema = schema or (transform.one("inputs", "schema") if transform else None)
    examples = _input(found, graph, "examples")
    return {
        "model": model.id,
        "transform_graph": graph.id,
        "schema": schema.id if schema else None,
        "examples": examples.id,
        "data": examples.properties.get("input_fingerprint"),
        "baseline": _baseline(found, pushed),
    }


def _baseline(found: MetadataStore, pushed: Artifact) -> int | None:
    blessing = _input(found, pushed, "model_blessing")
    evaluator = found.producer(blessing)
    baseline = evaluator.one("inputs", "baseline_model") if evaluator else None
    return baseline.id if baseline else None


def _input(found: MetadataStore, artifact: Artifact, name: str) -> Artifact:
    execution = found.producer(artifact)
    given = execution.one("inputs", name) if execution else None
    if given is None:
        raise checks.Wrong(f"Your store does not tell which `{name}` led to artifact {artifact.id} ({artifact.type}).")
    return given


def _compare(given: Any, truth: dict[str, Any], name: str) -> list[str]:
    if not isinstance(given, dict):
        return [f"`{name}` has to be a dictionary with the keys {', '.join(WORDS)}."]
    missing = [key for key in WORDS if key not in given]
    if missing:
        return [f"`{name}` has no {', '.join(f'`{key}`' for key in missing)}."]
    off = [key for key in WORDS if not _same(given[key], truth[key])]
    told = [f"`{name}`: `{key}` is not {WORDS[key]}. {_look(key, given, truth)}" for key in off[:2]]
    return told


def _same(given: Any, wanted: Any) -> bool:
    if isinstance(given, bool) or given is None or wanted is None:
        return given is None and wanted is None
    return isinstance(given, int | str) and str(given).strip() == str(wanted).strip()


def _look(key: str, given: dict[str, Any], truth: dict[str, Any]) -> str:
    if key == "model":
        return "Start at the artifact `PushedModel` whose `pushed_version` is the one asked for, and take the input of the execution that wrote it."
    if key == "baseline":
        if given[key] == truth["model"]:
            return "That is the model itself."
        return "Which execution wrote the blessing with which it was pushed, and what else went into that one? None is an answer too."
    if key == "data":
        return "It is a custom property of the examples."
    if given["model"] != truth["model"]:
        return "It follows from the model, which is another one."
    if key == "examples":
        return "Those that Transform wrote are of the same type, and those of the last run need not be those of this model."
    return "The newest of its type, or one of the same run, need not be what the model was trained with: follow its events."
