"""The metadata store as tables: what ran, what it read, what it wrote."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import style
from course.views.artifact_view import facts, gist
from course.views.html import View, badge, heading, stack, table
from course.views.source import source

STATES = {2: "unfinished", 3: "done", 4: "failed", 5: "cached", 6: "cancelled"}
"""State of an execution, by its number in the metadata store (`Execution.State`)."""


@dataclass(frozen=True)
class Step:
    """One execution of one component.

    Attributes:
        number: of the execution in the store, in the order of their start.
        component: id of the component.
        run: name of the pipeline run that it belongs to; empty where each component was run by itself.
        state: one of `STATES`.
        seconds: from its start to the last change of its record.
    """

    number: int
    component: str
    run: str
    state: str
    seconds: float


def open_store(where: Any) -> Any:
    """The metadata store of an `InteractiveContext`, of a SQLite file, or itself.

    Raises:
        FileNotFoundError: there is no such file. (To open it would make an empty one.)
    """
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    if hasattr(where, "get_executions"):
        return where
    config = getattr(where, "metadata_connection_config", None)
    if config is None:
        if not Path(where).is_file():
            raise FileNotFoundError(f"No metadata store at {where}. A pipeline run makes it.")
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(where)
    return metadata_store.MetadataStore(config)


def steps(where: Any) -> list[Step]:
    """All executions in a store, oldest first."""
    opened = open_store(where)
    found = []
    for execution in sorted(opened.get_executions(), key=lambda one: one.id):
        contexts = opened.get_contexts_by_execution(execution.id)
        seconds = (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
        run = next((c.name for c in contexts if c.type == "pipeline_run"), "")
        state = STATES.get(execution.last_known_state, "new")
        if "Resolver" in execution.type and state == "cached":
            state = "done"  # a resolver makes nothing, so that TFX files whatever it finds as taken from the cache
        found.append(Step(execution.id, _component(execution, contexts), run, state, seconds))
    return found


def last_run(where: Any) -> dict[str, tuple[str, float]]:
    """State and seconds of each component in the last run of the pipeline, by id.

    Where components were run one by one (`InteractiveContext`), the last execution of each counts.
    """
    everything = steps(where)
    last = everything[-1].run if everything else ""
    return {one.component: (one.state, one.seconds) for one in everything if one.run == last}


def store(where: Any) -> View:
    """The metadata store: its executions with what they read and wrote, and its artifacts with who made and who used them.

    Args:
        where: the path of a SQLite store, an `InteractiveContext`, or an open `MetadataStore`.
    """
    opened = open_store(where)
    executions = {one.number: one for one in steps(opened)}
    artifacts = {one.id: one for one in opened.get_artifacts()}
    events = opened.get_events_by_execution_ids(list(executions)) if executions else []
    read, wrote = _links(events)
    ran = [
        (
            one.component,
            badge(one.state, style.STATES.get(one.state, style.MUTED)),
            _types(read.get(number, []), artifacts),
            _types(wrote.get(number, []), artifacts),
        )
        for number, one in executions.items()
    ]
    made = []
    first = {number: execution for execution, outputs in sorted(wrote.items(), reverse=True) for number in outputs}
    # TFX numbers the outputs of one execution in no fixed order.
    for number, artifact in sorted(artifacts.items(), key=lambda one: (first.get(one[0], 0), one[1].type, one[0])):
        makers = [executions[e].component for e, outputs in wrote.items() if number in outputs]
        users = [executions[e].component for e, inputs in read.items() if number in inputs]
        origin = source(artifact)
        about = " · ".join([str(w) for w in gist(origin)] or [facts(origin)])
        made.append((artifact.type, about, ", ".join(dict.fromkeys(makers)), ", ".join(dict.fromkeys(users))))
    return stack(
        heading("Executions", f"{len(ran)} in the store, oldest first"),
        table(["component", "state", "read", "wrote"], ran),
        heading("Artifacts", f"{len(made)} in the store, {len(events)} events join them with executions"),
        table(["type", "about", "written by", "read by"], made),
    )


def _component(execution: Any, contexts: list[Any]) -> str:
    """Id of the component: the last part of the name of its context; without one, the last part of its type."""
    for context in contexts:
        if context.type in ("node", "component_run"):
            return context.name.rsplit(".", 1)[-1]
    return execution.type.rsplit(".", 1)[-1]


def _links(events: Any) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Artifacts read and written by each execution."""
    from engines.events import INPUT, OUTPUT

    read: dict[int, list[int]] = {}
    wrote: dict[int, list[int]] = {}
    for one in events:
        side = read if one.type in INPUT else wrote if one.type in OUTPUT else {}
        side.setdefault(one.execution_id, []).append(one.artifact_id)
    return read, wrote


def _types(numbers: list[int], artifacts: dict[int, Any]) -> str:
    """Types of artifacts, each once, with how many there are of it."""
    counts = Counter(sorted(artifacts[number].type for number in set(numbers) if number in artifacts))
    return ", ".join(kind if count == 1 else f"{kind} ({count})" for kind, count in counts.items())
