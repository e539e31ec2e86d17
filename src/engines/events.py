"""Who read what and who made what, of a whole metadata store: read once, in three calls, however much it holds.

ML Metadata has `get_lineage_subgraph`, which is not implemented in the builds for Python. Its events say everything: an event joins an execution
with an artifact that it read or made, under a name.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

SUCCEEDED = (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED)
OUTPUT = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT, mlmd.Event.DECLARED_OUTPUT)
INPUT = (mlmd.Event.INPUT, mlmd.Event.INTERNAL_INPUT, mlmd.Event.DECLARED_INPUT)

CONTENTS = "contents"
"""The property that says what files held (`engines.contents`)."""

AIRFLOW = re.compile(r"(manual|scheduled|backfill|asset_triggered)__")
"""How Airflow begins the names of its runs: `DagRunType` and `DagRunType.generate_run_id` in `airflow/utils/types.py` of Airflow 3."""

Named = dict[str, list[int]]
"""Numbers of artifacts, by the name of the input or output."""


@dataclass(frozen=True)
class Step:
    """An execution, as it is told.

    Attributes:
        execution: its number in the store.
        node: the component's id in its pipeline.
        run: the name of the pipeline run.
        pipeline: its name.
        finished: when, as ISO 8601 in UTC, to the second.
        engine: `Airflow` or `notebook`, as the run's record shows; empty where it does not: of a run in one process, or on Flink.
    """

    execution: int
    node: str
    run: str
    pipeline: str
    finished: str
    engine: str = ""


class Graph:
    """The executions of a store that succeeded, with their artifacts.

    Attributes:
        artifacts: all of the store, by number.
        executions: those that came to their end, anew or from the cache, by number.
        inputs: of each execution.
        outputs: of each execution, also where an earlier one made them and the cache gave them.
        makers: the execution that made an artifact: the first that has it as an output.
        users: of each artifact, the executions that read it, each once.
    """

    def __init__(self, store: MetadataStore) -> None:
        """Reads everything but the contexts, which are asked for when a step is told."""
        self._store = store
        self._steps: dict[int, Step] = {}
        self._known: dict[tuple[str, int], dict[str, Any]] = {}
        self.artifacts = {one.id: one for one in store.get_artifacts()}
        succeeded = [one for one in store.get_executions() if one.last_known_state in SUCCEEDED]
        self.executions = {one.id: one for one in succeeded}
        self.inputs: dict[int, Named] = {number: {} for number in self.executions}
        self.outputs: dict[int, Named] = {number: {} for number in self.executions}
        self.makers: dict[int, int] = {}
        self.users: dict[int, list[int]] = {}
        numbers = sorted(self.executions)
        events = store.get_events_by_execution_ids(numbers) if numbers else []
        for event in sorted(events, key=lambda one: (one.execution_id, one.artifact_id)):
            self._add(event)

    def _add(self, event: mlmd.Event) -> None:
        if event.artifact_id not in self.artifacts or event.type not in (*INPUT, *OUTPUT):
            return
        side = self.inputs if event.type in INPUT else self.outputs
        for name in list(names(event)) or [""]:
            side[event.execution_id].setdefault(name, []).append(event.artifact_id)
        if event.type in OUTPUT:
            self.makers.setdefault(event.artifact_id, event.execution_id)
        elif event.execution_id not in self.users.setdefault(event.artifact_id, []):
            self.users[event.artifact_id].append(event.execution_id)

    def of_type(self, name: str) -> list[mlmd.Artifact]:
        """The artifacts of a type, oldest first."""
        return [one for _, one in sorted(self.artifacts.items()) if one.type == name]

    def given(self, execution: int, name: str) -> int | None:
        """The first artifact that an execution read under a name."""
        return next(iter(self.inputs[execution].get(name, ())), None)

    def made_of(self, execution: int, type_name: str) -> list[int]:
        """What of a type an execution has as output."""
        made = [number for numbers in self.outputs[execution].values() for number in numbers]
        return [number for number in made if self.artifacts[number].type == type_name]

    def settings(self, execution: int) -> dict[str, Any]:
        """The settings of an execution by name, those that are JSON as what they say. Not to be changed."""
        return self._told("execution", self.executions[execution])

    def properties(self, artifact: int) -> dict[str, Any]:
        """The properties of an artifact by name, those that are JSON as what they say. Not to be changed."""
        return self._told("artifact", self.artifacts[artifact])

    def _told(self, kind: str, one: mlmd.Execution | mlmd.Artifact) -> dict[str, Any]:
        key = kind, one.id
        if key not in self._known:
            both = (one.properties, one.custom_properties)
            self._known[key] = {name: value_of(value) for some in both for name, value in some.items()}
        return self._known[key]

    def step(self, execution: int) -> Step:
        """An execution with its node and run: one call of the store, the first time."""
        if execution not in self._steps:
            one = self.executions[execution]
            named = {context.type: context.name for context in self._store.get_contexts_by_execution(execution)}
            node = (
                named.get("node") or named.get("component_run") or one.type
            )  # PIPELINE.NODE, or RUN.NODE of a notebook
            run = named.get("pipeline_run") or named.get("run", "")
            engine = "Airflow" if AIRFLOW.match(run) else "notebook" if "component_run" in named else ""
            finished = datetime.fromtimestamp(one.last_update_time_since_epoch / 1000, UTC)
            self._steps[execution] = Step(
                execution,
                node.rsplit(".", 1)[-1],
                run,
                named.get("pipeline", ""),
                finished.isoformat(timespec="seconds"),
                engine,
            )
        return self._steps[execution]

    def before(self, artifact: int, follow: Callable[[str], bool] = lambda _: True) -> list[int]:
        """The executions that led to an artifact, its maker first.

        Args:
            artifact: to begin with.
            follow: whether to go on through an input of this name.
        """
        found: dict[int, None] = {}
        waiting = [artifact]
        while waiting:
            maker = self.makers.get(waiting.pop(0))
            if maker is None or maker in found:
                continue
            found[maker] = None
            waiting += [one for name, given in self.inputs[maker].items() if follow(name) for one in given]
        return list(found)

    def is_there(self, artifact: int) -> bool:
        """Whether its folder is on this machine, or may be on another."""
        uri = self.artifacts[artifact].uri
        return "://" in uri or Path(uri).exists()


def names(event: mlmd.Event) -> Iterator[str]:
    """Under which names: of one artifact as two inputs there is one event, with both."""
    return (step.key for step in event.path.steps if step.key)


def value_of(recorded: Any) -> Any:
    """A property or setting; a dictionary or list in JSON is read."""
    kind = recorded.WhichOneof("value")
    value = getattr(recorded, kind) if kind else None
    if isinstance(value, str) and (value[:1] in ("{", "[") or value == "null"):  # not "12e45", which is a fingerprint
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def texts(value: Any) -> Mapping[str, Any]:
    """A setting that should be a dictionary; anything else is taken for an empty one."""
    return value if isinstance(value, Mapping) else {}
