"""A metadata store that others have left: two pipelines, a dozen runs, drawn by the student's seed; and where the served version comes from."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FOLDER, FILE, SERVED = "inherited", "metadata.sqlite", "served.txt"
ASKED, OTHER = "delays", "cancellations"
"""The pipeline whose version is served, and that of another team in the same store."""

SCRIPT = ("all", "code", "data", "setting", "data", "schema", "setting", "data", "code", "setting")
"""What was new in each run of a pipeline; everything else came from the cache."""
REFUSED = (3, 5)
"""Runs of the asked pipeline whose candidate was refused."""
CHOSEN = (6, 8)
"""The runs whose version may be the served one: their data, schema or graph are of earlier runs, and later versions were withdrawn."""

OUTPUTS = {
    "CsvExampleGen": ("Examples", "examples"),
    "ImportSchemaGen": ("Schema", "schema"),
    "Transform": ("TransformGraph", "transform_graph"),
    "Trainer": ("Model", "model"),
    "Evaluator": ("ModelBlessing", "blessing"),
    "Pusher": ("PushedModel", "pushed_model"),
}
"""What each component writes: type, and name of the output."""


@dataclass
class _Pipeline:
    """What a pipeline has at a moment: ids of artifacts, by kind."""

    name: str
    at: dict[str, int] = field(default_factory=dict)
    blessed: int | None = None
    run: int = 0


class Writer:
    """Writes executions into a new store, as TFX records them."""

    def __init__(self, path: Path) -> None:
        """Begins the store."""
        from ml_metadata.metadata_store import MetadataStore
        from ml_metadata.proto import metadata_store_pb2 as mlmd

        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(path)
        connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.mlmd, self.store = mlmd, MetadataStore(connection)

    def type(self, kind: str, name: str) -> int:
        """The id of a type: of artifacts, executions or contexts; what is there already is not made again."""
        return getattr(self.store, f"put_{kind}_type")(getattr(self.mlmd, f"{kind.title()}Type")(name=name))

    def artifact(self, kind: str, uri: str, **custom: str | int) -> Any:
        """A new artifact; it gets its id when it is recorded."""
        made = self.mlmd.Artifact(type_id=self.type("artifact", kind), state=self.mlmd.Artifact.LIVE, uri=uri)
        for name, value in custom.items():
            setattr(made.custom_properties[name], "int_value" if isinstance(value, int) else "string_value", value)
        return made

    def execute(
        self, names: tuple[str, str, str], state: str, inputs: dict[str, int], outputs: dict[str, Any], **custom: str
    ) -> list[int]:
        """Records an execution, by the names of pipeline, run and node; gives the ids of its outputs."""
        mlmd, (pipeline, run, node) = self.mlmd, names
        execution = mlmd.Execution(type_id=self.type("execution", f"tfx.components.{node.lower()}.component.{node}"))
        execution.last_known_state = getattr(mlmd.Execution, state)
        for name, value in custom.items():
            execution.custom_properties[name].string_value = value
        # What goes in twice has one event with both names.
        given = {number: mlmd.Event(type=mlmd.Event.INPUT) for number in inputs.values()}
        written = {name: mlmd.Event(type=mlmd.Event.OUTPUT) for name in outputs}
        for name, event in [*((name, given[number]) for name, number in inputs.items()), *written.items()]:
            event.path.steps.add().key = name
            event.path.steps.add().index = 0
        known = self.store.get_artifacts_by_id([*given]) if given else []
        pairs = [(one, given[one.id]) for one in known] + [(one, written[name]) for name, one in outputs.items()]
        places = {"pipeline": pipeline, "pipeline_run": run, "node": f"{pipeline}.{node}"}
        contexts = [mlmd.Context(type_id=self.type("context", kind), name=name) for kind, name in places.items()]
        _, numbers, _ = self.store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
        return list(numbers)[len(given) :]


class _Maker(Writer):
    """Writes runs of two pipelines."""

    def __init__(self, path: Path, seed: int) -> None:
        super().__init__(path)
        self.rng = np.random.default_rng([seed, 3])
        self.version = 1_700_000_000 + int(self.rng.integers(10**6))
        self.fingerprints: dict[int, str] = {}
        self.lineages: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {}

    def record(self, pipeline: _Pipeline, node: str, *given: Any) -> list[int]:
        """Records an execution of the pipeline's run."""
        return self.execute((pipeline.name, f"{pipeline.name}-{pipeline.run:02d}", node), *given)

    def step(self, pipeline: _Pipeline, node: str, inputs: dict[str, int], new: bool, **custom: Any) -> None:
        """A component with one output that is new, or comes from the cache."""
        kind, key = OUTPUTS[node]
        if new:
            made = self.artifact(kind, f"s3://flights/{kind}/{self.rng.integers(10**9)}", **custom)
            [pipeline.at[key]] = self.record(pipeline, node, "COMPLETE", inputs, {key: made})
        else:
            [old] = self.store.get_artifacts_by_id([pipeline.at[key]])
            self.record(pipeline, node, "CACHED", inputs, {key: old})

    def run(self, pipeline: _Pipeline, new: str, refused: bool) -> None:
        """One run of a pipeline."""
        pipeline.run += 1
        at, everything = pipeline.at, new == "all"
        data, schema, code = (everything or new == kind for kind in ("data", "schema", "code"))
        fingerprint = f"split:all,num_files:1,total_bytes:{self.rng.integers(10**5, 10**6)},xor_checksum:{self.rng.integers(10**9)}"
        self.step(pipeline, "CsvExampleGen", {}, data, input_fingerprint=fingerprint, span=pipeline.run)
        if data:
            self.fingerprints[at["examples"]] = fingerprint
        self.step(pipeline, "ImportSchemaGen", {}, schema)
        raw = {"examples": at["examples"], "schema": at["schema"]}
        self.step(pipeline, "Transform", raw, data or schema or code)
        self.step(pipeline, "Trainer", {"transform_graph": at["transform_graph"], **raw}, True)
        baseline = pipeline.blessed
        judged = {"examples": at["examples"], "model": at["model"]}
        judged |= {"baseline_model": baseline} if baseline else {}
        self.step(pipeline, "Evaluator", judged, True, blessed=int(not refused))
        pushing = {"model": at["model"], "model_blessing": at["blessing"]}
        if self.rng.integers(3) == 0:  # a Pusher that failed, and was started again
            self.record(pipeline, "Pusher", "FAILED", pushing, {})
        self.version += int(self.rng.integers(5 * 10**4, 9 * 10**5))
        version = "" if refused else str(self.version)
        self.step(pipeline, "Pusher", pushing, True, pushed=int(not refused), pushed_version=version)
        found = {key: at[key] for key in ("examples", "schema", "transform_graph", "model")}
        found |= {"data": self.fingerprints[at["examples"]], "baseline": baseline}
        self.lineages[pipeline.name, pipeline.run - 1] = (version, found)
        pipeline.blessed = pipeline.blessed if refused else at["model"]


def make(path: Path, seed: int) -> tuple[str, dict[str, Any]]:
    """Writes the store.

    Returns:
        The version that is served, and what led to it.
    """
    maker = _Maker(path, seed)
    asked, other = _Pipeline(ASKED), _Pipeline(OTHER)
    order = [asked, other, *maker.rng.permutation([0] * (len(SCRIPT) - 1) + [1] * 6).tolist()]
    for number, turn in enumerate(order):
        pipeline = turn if number < 2 else (asked, other)[turn]
        maker.run(pipeline, SCRIPT[pipeline.run], pipeline is asked and pipeline.run in REFUSED)
    return maker.lineages[ASKED, int(maker.rng.choice(CHOSEN))]


@functools.cache
def truth(seed: int) -> tuple[str, dict[str, Any]]:
    """The version that is served, and what led to it; do not change what is returned."""
    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder) / FILE, seed)


def write(root: Path, seed: int) -> None:
    """Writes the store, and which version is served."""
    (root / FOLDER).mkdir()
    version, _ = make(root / FOLDER / FILE, seed)
    (root / FOLDER / SERVED).write_text(f"{version}\n", encoding="utf-8")
