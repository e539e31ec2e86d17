"""Judges what came from the cache and what did not: task 3 of lab 3."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_3.runs import Runs, find, source
from judges.shared import workspace_files
from judges.shared.metadata_store import CACHED, COMPLETE, Artifact, Run

BEFORE_MODEL = ("ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer")


def judge_cache(lab: checks.Lab, store: Any) -> None:
    """Two points for a run that took all it could from the cache, two for one after an edit that did not.

    Raises:
        checks.Wrong: a run is missing, or the cache did what it should not.
    """
    own = Runs(lab, store)
    found = [run for run in own.of(1) if all(find(run, kind) for kind in BEFORE_MODEL)]
    if len(found) < 2:
        raise checks.Wrong("January has not been run a second time.")
    told = _edited(lab, found)
    if any(all(find(run, kind).state == CACHED for kind in BEFORE_MODEL) for run in found[1:]):
        if told:
            raise checks.Wrong(told, points=2)
        return
    anew = [kind for kind in BEFORE_MODEL if find(found[1], kind).state != CACHED]
    problem = (
        f"No run took everything up to the model from the cache. In the second, these ran again: {', '.join(anew)}. "
        "Is the cache enabled? Is anything among their settings other in each run: a time, a random number, an order?"
    )
    # What never comes from the cache shows nothing by running again.
    raise checks.Wrong("\n".join([problem, *([told] if told else [])]))


def _edited(lab: checks.Lab, found: list[Run]) -> str:
    """What is wrong with the run after the edit; empty when one is right.

    The graph with the new feature may be of an earlier run than the model that was trained on it: where the edited model failed at first.
    """
    told = "There is no run in which Transform ran again. Edit the function, save it, and run January once more. "
    told += "If you did: how would the cache know of it? Of a function it compares the name, among the settings of a component."
    known = {number: _features(lab, graph) for number, graph in _graphs(found).items()}
    for number, run in enumerate(found[1:], start=1):
        transform, trainer = run.find("Transform"), run.find("Trainer")
        graph = transform.one("outputs", "transform_graph")
        earlier = [one for one in found[:number] if source(one).id == source(run).id]
        trained = [_graph(one) for one in earlier if one.find("Trainer").has_worked]
        others = [one for one in trained if one and graph and one.id != graph.id]
        if transform.state != COMPLETE and (not others or trainer.state != COMPLETE):
            continue
        if not earlier or any(find(run, kind).state != CACHED for kind in ("ExampleGen", "StatisticsGen")):
            told = "In the run with the edited function the data, too, were read again: they had not changed."
        elif trainer.state != COMPLETE:
            told = "In the run with the edited function Transform ran again, and the Trainer did not, or failed."
        elif graph is None or not known[graph.id] - set().union(*(known[one.id] for one in others)):
            told = "Transform ran again, and wrote the same features as before: something else has changed than the function. Add a feature."
        else:
            return ""
    return told


def _graph(run: Run) -> Artifact | None:
    return run.find("Transform").one("outputs", "transform_graph")


def _graphs(found: list[Run]) -> dict[int, Artifact]:
    return {graph.id: graph for graph in map(_graph, found) if graph}


def _features(lab: checks.Lab, graph: Artifact) -> set[str]:
    """The names of the transformed features."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    content = workspace_files.text(lab, f"{graph.uri}/transformed_metadata/schema.pbtxt")
    try:
        return {feature.name for feature in text_format.Parse(content, schema_pb2.Schema()).feature}
    except text_format.ParseError as error:
        raise checks.Wrong("The transform graph in your workspace has no schema that can be read.") from error
