"""Lab 3 for its tests: a student's lab in a folder, and what the runs of a right package leave behind, made without TFX."""

from __future__ import annotations

import functools
import gzip
import json
import struct
from pathlib import Path
from typing import Any

import student_lab

from course import checks
from course.labs.lab_3 import package
from judges.lab_3 import inherited_store, months, solution_package

LAB = "lab-3-pipeline"
STORE = "pipeline/metadata.sqlite"


FEATURES = ("temp", "minute")


lab = functools.partial(student_lab.empty, LAB)
evaluate = student_lab.evaluate


def write_package(lab: checks.Lab, change: dict[str, Any] | None = None) -> None:
    """The finished package in the workspace; `change` takes a module's text, and returns another, or None for no file."""
    root = package.folder(lab.workspace)
    root.mkdir()
    solution_package.write(root)
    for name, edit in (change or {}).items():
        path = root / package.NAME / f"{name}.py"
        text = edit(path.read_text() if path.exists() else "")
        path.unlink() if text is None else path.write_text(text)


class AllRight:
    """A package with which nothing is wrong elsewhere."""

    def __init__(self, lab: checks.Lab) -> None:
        """Runs nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda: ""


class Store(inherited_store.Writer):
    """A metadata store with runs as TFX's LocalDagRunner records them, and the files that checks look at."""

    def __init__(self, lab: checks.Lab) -> None:
        """Begins an empty store in the workspace."""
        self.lab, self.root = lab, lab.workspace / "pipeline"
        self.root.mkdir()
        super().__init__(lab.workspace / STORE)
        self.runs, self.version, self.at = 0, 1_700_000_000, {}
        self.blessed: Any = None

    def made(self, kind: str, **properties: str | int) -> Any:
        """A new artifact with a folder of its own."""
        folder = self.root / kind / str(sum(1 for _ in self.root.glob(f"{kind}/*")) + 1)
        folder.mkdir(parents=True)
        return self.artifact(kind, str(folder), **properties)

    def record(
        self, node: str, state: str = "COMPLETE", inputs: Any = None, outputs: Any = None, **settings: str
    ) -> dict[str, Any]:
        """Records an execution of the current run; gives its outputs as they are stored."""
        ids = {name: one.id for name, one in (inputs or {}).items() if one is not None}
        names = ("my-flights", f"run-{self.runs}", node)
        numbers = self.execute(names, state, ids, outputs or {}, **settings)
        stored = {one.id: one for one in self.store.get_artifacts_by_id(numbers)} if numbers else {}
        return {name: stored[number] for name, number in zip(outputs or {}, numbers, strict=True)}

    def step(self, node: str, new: bool, inputs: Any, make: Any, **settings: str) -> dict[str, Any]:
        """A component that works, or takes from the cache what it made last."""
        outputs = make() if new else self.at[node]
        self.at[node] = self.record(node, "COMPLETE" if new else "CACHED", inputs, outputs, **settings)
        return self.at[node]

    def run(
        self,
        flights: dict[str, dict[int, int]] | None = None,
        cached: tuple[str, ...] = (),
        features: tuple[str, ...] = FEATURES,
        is_blessed: bool = True,
        is_spoilt: bool = False,
        gate: str = "fails",
        baseline: Any = "latest",
        until: str = "Pusher",
        splits: tuple[str, str] | None = None,
        analysed: tuple[str, ...] = (),
        is_trained: bool = True,
        is_asked: bool = True,
    ) -> None:
        """A run.

        Args:
            flights: how many of each month are in each split; the first split is for training, the last to judge.
            cached: nodes that take from the cache what they made last.
            features: what Transform writes: names, or, for a vector, name and number of columns, as in `numbers:3`.
            is_blessed: the verdict.
            is_spoilt: whether ExampleValidator objects to something.
            gate: what follows: `fails`, `passes` or `none`.
            baseline: `latest` blessed, `itself`, `none`, or a model.
            until: the last node.
            splits: those for training and to judge, where they are others.
            analysed: those that Transform learns from, where they are others.
            is_trained: whether the Trainer comes to its end.
            is_asked: the Pusher is given the blessing.
        """
        self.runs += 1
        flights = flights or JANUARY
        train, judged = splits or (next(iter(flights)), list(flights)[-1])

        def is_new(node: str) -> bool:
            return node not in cached

        def ingest() -> dict[str, Any]:
            made = self.made("Examples", input_fingerprint=f"split:all,run:{self.runs}")
            for split, counted in flights.items():
                write_split(Path(made.uri) / f"Split-{split}", counted)
            return {"examples": made}

        examples = self.step("CsvExampleGen", is_new("CsvExampleGen"), {}, ingest)["examples"]
        new = is_new("StatisticsGen")
        both = self.step("StatisticsGen", new, {"examples": examples}, lambda: {"statistics": self.made("Stats")})
        schema = self.step("ImportSchemaGen", self.runs == 1, {}, lambda: {"schema": self.made("Schema")})["schema"]

        known = {**both, "schema": schema}
        new = is_new("ExampleValidator")
        found = self.step("ExampleValidator", new, known, lambda: {"anomalies": self.made("ExampleAnomalies")})
        if gate != "none":
            self.record("DataGate", "FAILED" if is_spoilt and gate == "fails" else "COMPLETE", found)
        if (is_spoilt and gate == "fails") or until == "DataGate":
            return
        raw = {"examples": examples, "schema": schema}
        graph = self.step(
            "Transform",
            is_new("Transform"),
            raw,
            lambda: self._graph(features),
            splits_config=json.dumps({"analyze": list(analysed or (train,)), "transform": list(flights)}),
        )
        if until == "Transform":
            return
        ready = {
            "transform_graph": graph["transform_graph"],
            "schema": schema,
            "examples": graph["transformed_examples"],
        }
        if not is_trained:
            self.record("Trainer", "FAILED", ready)
            return
        model = self.step(
            "Trainer",
            is_new("Trainer"),
            ready,
            lambda: {"model": self.made("Model")},
            train_args=json.dumps({"splits": [train]}),
        )["model"]
        known = {"latest": self.blessed, "itself": model, "none": None}
        against = known[baseline] if isinstance(baseline, str) else baseline
        judging = {"examples": examples, "model": model, "baseline_model": against}
        blessing = self.record(
            "Evaluator",
            inputs=judging,
            outputs={"blessing": self.made("ModelBlessing", blessed=int(is_blessed))},
            example_splits=json.dumps([judged]),
        )["blessing"]
        self.blessed = model if is_blessed else self.blessed
        if until == "Evaluator":
            return
        self.version += 1
        folder = self.root / "serving" / str(self.version)
        is_pushed = is_blessed or not is_asked
        pushed = {"pushed": int(is_pushed), "pushed_version": str(self.version) if is_pushed else ""}
        made = self.made("PushedModel", pushed_destination=str(folder), **pushed)
        given = {"model": model, "model_blessing": blessing if is_asked else None}
        self.record("Pusher", inputs=given, outputs={"pushed_model": made})

    def _graph(self, features: tuple[str, ...]) -> dict[str, Any]:
        graph, examples = self.made("TransformGraph"), self.made("Examples")
        (Path(graph.uri) / "transformed_metadata").mkdir()
        named = [(name, columns or "1") for name, _, columns in (one.partition(":") for one in features)]
        text = "".join(
            f'feature {{ name: "{name}" type: FLOAT presence {{ min_fraction: 1.0 }} shape {{ dim {{ size: {size} }} }} }}\n'
            for name, size in named
        )  # as TensorFlow Transform writes outputs that are no sparse tensors
        (Path(graph.uri) / "transformed_metadata" / "schema.pbtxt").write_text(text)
        return {"transform_graph": graph, "transformed_examples": examples}


JANUARY = {"train": {1: 1300}, "eval": {1: 700}}
FEBRUARY = {"month-01": {1: months.ROWS}, "month-02": {2: months.ROWS}}
MARCH = {"months-01-02": {1: months.ROWS, 2: months.ROWS}, "month-03": {3: months.ROWS}}
AGAIN = ("CsvExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer")
DATA = AGAIN[:3]


def write_split(folder: Path, counted: dict[int, int]) -> None:
    """Records of flights that have a month, and nothing else."""
    import tensorflow as tf

    folder.mkdir(parents=True)
    with gzip.open(folder / "data.gz", "wb", compresslevel=1) as file:
        for month, count in counted.items():
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[month]))
            record = tf.train.Example(features=tf.train.Features(feature={"month": feature})).SerializeToString()
            file.write((struct.pack("<Q", len(record)) + bytes(4) + record + bytes(4)) * count)
