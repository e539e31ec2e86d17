"""Reads a metadata store that a student's runs have written: plain rows of SQLite, read-only, never more than is reasonable.

ML Metadata itself could read it, and would run whatever views or triggers a forged file holds; here only tables are read.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course import checks
from judges.shared import workspace_files

COMPLETE, FAILED, CACHED = 3, 4, 5
"""States of an execution, as ML Metadata numbers them."""
INPUTS, OUTPUTS = (2, 3), (1, 4)
"""Types of events."""
MOST_ROWS, MOST_BYTES = 50_000, 50_000_000
TABLES = (
    "Type",
    "Artifact",
    "ArtifactProperty",
    "Execution",
    "ExecutionProperty",
    "Event",
    "EventPath",
    "Context",
    "Association",
)


@dataclass(frozen=True)
class Artifact:
    """An artifact with its properties."""

    id: int
    type: str
    uri: str
    properties: dict[str, Any]


@dataclass
class Execution:
    """An execution, and what went in and came out, by the name of the channel."""

    id: int
    type: str
    state: int
    properties: dict[str, Any]
    node: str = ""
    run: str = ""
    inputs: dict[str, list[Artifact]] = field(default_factory=dict)
    outputs: dict[str, list[Artifact]] = field(default_factory=dict)

    @property
    def has_worked(self) -> bool:
        """Whether it came to its end, by itself or from the cache."""
        return self.state in (COMPLETE, CACHED)

    def is_a(self, kind: str) -> bool:
        """Whether it is of such a component: `Trainer`, `Transform`; one whose class is named after it counts too."""
        return self.type.rsplit(".", 1)[-1].endswith(kind)

    def one(self, side: str, name: str) -> Artifact | None:
        """The only artifact of an input or output, if there is one."""
        found = getattr(self, side).get(name, [])
        return found[0] if found else None


@dataclass(frozen=True)
class Run:
    """The executions of one pipeline run, in their order."""

    name: str
    executions: list[Execution]

    def find(self, kind: str) -> Execution | None:
        """The last execution of such a component."""
        return next((one for one in reversed(self.executions) if one.is_a(kind)), None)


@dataclass(frozen=True)
class MetadataStore:
    """Everything that a store tells."""

    artifacts: dict[int, Artifact]
    executions: list[Execution]

    @property
    def runs(self) -> list[Run]:
        """The pipeline runs, the oldest first."""
        by_name: dict[str, list[Execution]] = {}
        for one in self.executions:
            if one.run:
                by_name.setdefault(one.run, []).append(one)
        return [Run(name, found) for name, found in by_name.items()]

    def producer(self, artifact: Artifact) -> Execution | None:
        """The execution that made an artifact; those that took it from the cache did not."""
        made = [
            one
            for one in self.executions
            if one.has_worked and any(artifact.id == out.id for outs in one.outputs.values() for out in outs)
        ]
        return next((one for one in made if one.state == COMPLETE), made[0] if made else None)


def of_student(lab: checks.Lab, given: Any) -> MetadataStore:
    """The store that an answer names.

    Raises:
        checks.Wrong: it names none, or nothing has run.
    """
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise checks.Wrong("`STORE` has to be text: the path of your metadata store, `config.metadata_path`.")
    path = workspace_files.inside(lab, given)
    if not path.is_file():
        raise checks.Wrong(f"`STORE` names no file in your workspace ({path.name[:40]}). Has the pipeline run?")
    found = read(path)
    if not found.runs:
        raise checks.Wrong("There is no pipeline run in your metadata store. `lab.run(config)` makes one.")
    return found


def read(path: Path) -> MetadataStore:
    """Reads a store.

    Raises:
        checks.Wrong: it is no metadata store.
    """
    if path.stat().st_size > MOST_BYTES:
        raise checks.Wrong(f"`{path.name}` is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            return _read(connection)
    except (sqlite3.Error, UnicodeError, TypeError, KeyError, OverflowError) as error:
        raise checks.Wrong(f"`{path.name}` is no metadata store of TFX: {str(error)[:120]}") from error


def _read(connection: sqlite3.Connection) -> MetadataStore:
    kinds = dict(connection.execute("SELECT name, type FROM sqlite_master LIMIT 1000"))
    for table in TABLES:
        if kinds.get(table) != "table":
            raise checks.Wrong("`STORE` is a database without the tables of a metadata store.")

    def rows(columns: str, table: str) -> list[tuple]:
        found = connection.execute(f"SELECT {columns} FROM {table} ORDER BY rowid LIMIT {MOST_ROWS + 1}").fetchall()
        if len(found) > MOST_ROWS:
            raise checks.Wrong("`STORE` holds more than any lab needs.")
        return found

    types = {number: str(name) for number, name in rows("id, name", "Type")}
    values = "name, int_value, double_value, string_value"
    properties = _properties(rows(f"artifact_id, {values}", "ArtifactProperty"))
    settings = _properties(rows(f"execution_id, {values}", "ExecutionProperty"))
    artifacts = {
        number: Artifact(number, types.get(kind, ""), str(uri or ""), properties.get(number, {}))
        for number, kind, uri in rows("id, type_id, uri", "Artifact")
    }
    executions = {
        number: Execution(number, types.get(kind, ""), state, settings.get(number, {}))
        for number, kind, state in rows("id, type_id, last_known_state", "Execution")
    }
    contexts = {number: (types.get(kind, ""), str(name)) for number, kind, name in rows("id, type_id, name", "Context")}
    for number, execution in rows("context_id, execution_id", "Association"):
        kind, name = contexts.get(number, ("", ""))
        if execution in executions and kind == "pipeline_run":
            executions[execution].run = name
        if execution in executions and kind == "node":
            executions[execution].node = name.rsplit(".", 1)[-1]
    keys: dict[
        int, list[str]
    ] = {}  # an artifact that went in twice, as model and as baseline, has one event with two keys
    for event, key in rows("event_id, step_key", "EventPath"):
        if key is not None:
            keys.setdefault(event, []).append(str(key))
    for number, artifact, execution, kind in rows("id, artifact_id, execution_id, type", "Event"):
        if artifact in artifacts and execution in executions and kind in (*INPUTS, *OUTPUTS):
            side = executions[execution].inputs if kind in INPUTS else executions[execution].outputs
            for key in keys.get(number, [""]):
                side.setdefault(key, []).append(artifacts[artifact])
    return MetadataStore(artifacts, sorted(executions.values(), key=lambda one: one.id))


def _properties(rows: list[tuple]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for owner, name, *values in rows:
        found.setdefault(owner, {})[str(name)] = next((value for value in values if value is not None), None)
    return found
