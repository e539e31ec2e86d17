"""A metadata store whose lineage is known by construction, in the form in which TFX 1.21 records runs.

That form is compared with a real run's by `test_the_store_of_the_tests_has_the_form_of_a_real_one` in tests/pipeline/test_partial.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

TYPES = {
    "CsvExampleGen": "flights.examples.ArrowCsvExampleGen",
    "ImportSchemaGen": "flights.contract.CuratedSchema",
    "StatisticsGen": "tfx.components.statistics_gen.component.StatisticsGen",
    "SchemaGen": "tfx.components.schema_gen.component.SchemaGen",
    "FirstModel": "tfx.dsl.components.common.importer.Importer",
    "LatestBlessedModel": "tfx.dsl.components.common.resolver.Resolver",
    "Transform": "tfx.components.transform.component.Transform",
    "Tuner": "tfx.components.tuner.component.Tuner",
    "Trainer": "tfx.components.trainer.component.Trainer",
    "Evaluator": "tfx.components.evaluator.component.Evaluator",
    "InfraCheck": "serving.infra_check.InfraCheck",
    "BulkInferrer": "tfx.components.bulk_inferrer.component.BulkInferrer",
    "Pusher": "tfx.components.pusher.component.Pusher",
}
FIRST_VERSION = 1_700_000_101


def checksum(span: int, delivery: int = 1) -> str:
    """What stands for the SHA-256 of a month's file."""
    return f"{span:02d}{delivery:02d}" * 16


class Store:
    """Pipelines that write into one store."""

    def __init__(self, folder: Path) -> None:
        """Makes an empty store.

        Args:
            folder: for the store, the artifacts and what is pushed.
        """
        self.folder, self.path = folder, folder / "metadata.sqlite"
        folder.mkdir(parents=True, exist_ok=True)
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(self.path)
        connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = MetadataStore(connection)
        self.runs = 0

    def _type(self, kind: str, name: str) -> int:
        return getattr(self.store, f"put_{kind}_type")(getattr(mlmd, f"{kind.title()}Type")(name=name))

    def _context(self, kind: str, name: str) -> mlmd.Context:
        found = self.store.get_context_by_type_and_name(kind, name) if self.runs else None
        return found or mlmd.Context(type_id=self._type("context", kind), name=name)

    def execute(
        self,
        pipeline: str,
        node: str,
        inputs: dict[str, int] | None = None,
        outputs: dict[str, tuple[str, dict[str, Any]] | int] | None = None,
        settings: dict[str, Any] | None = None,
        state: str = "COMPLETE",
        kinds: tuple[int, int] = (mlmd.Event.INPUT, mlmd.Event.OUTPUT),
    ) -> dict[str, int]:
        """Records an execution in the present run.

        Args:
            pipeline: name of its pipeline.
            node: id of the component.
            inputs: numbers of artifacts; one artifact under two names becomes one event with both, as in a real store.
            outputs: type and properties of new artifacts, or the number of one that the cache gives.
            settings: dictionaries and lists become JSON.
            state: of the execution.
            kinds: of the events.

        Returns:
            Numbers of the outputs.
        """
        execution = mlmd.Execution(type_id=self._type("execution", TYPES[node]))
        execution.last_known_state = getattr(mlmd.Execution, state)
        _fill(execution.custom_properties, settings or {})
        known = {
            one.id: one
            for one in self.store.get_artifacts_by_id(
                [one for one in [*(inputs or {}).values(), *(outputs or {}).values()] if isinstance(one, int)]
            )
        }
        names: dict[int, list[str]] = {}
        for name, number in (inputs or {}).items():
            names.setdefault(number, []).append(name)
        pairs = [(known[number], _event(kinds[0], given)) for number, given in names.items()]
        for name, made in (outputs or {}).items():
            artifact = known[made] if isinstance(made, int) else self._artifact(node, name, *made)
            pairs.append((artifact, _event(kinds[1], [name])))
        contexts = [
            self._context("pipeline", pipeline),
            self._context("pipeline_run", f"{pipeline}-{self.runs}"),
            self._context("node", f"{pipeline}.{node}"),
        ]
        _, numbers, _ = self.store.put_execution(execution, pairs, contexts)
        return dict(zip(outputs or {}, list(numbers)[len(names) :], strict=True))

    def _artifact(self, node: str, name: str, kind: str, properties: dict[str, Any]) -> mlmd.Artifact:
        made = mlmd.Artifact(type_id=self._type("artifact", kind), state=mlmd.Artifact.LIVE)
        count = len(self.store.get_artifacts())
        folder = self.folder / "artifacts" / node / name / str(count + 1)
        folder.mkdir(parents=True)
        made.uri = str(folder)
        _fill(made.custom_properties, properties)
        return made

    # --- the components, with the settings and properties by which lineage goes

    def begin(self) -> None:
        """A new run."""
        self.runs += 1

    def ingest(self, pipeline: str, months: tuple[int, int], delivery: int = 1, recorded: bool = True) -> int:
        """ExampleGen on some months, in the project's form: the last is for evaluation, or days of a single one."""
        single = months[0] == months[1]
        paths = {month: f"span-{month:02d}/flights.csv" for month in range(months[0], months[1] + 1)}
        held = {"all": months} if single else {"train": (months[0], months[1] - 1), "eval": (months[1], months[1])}
        held = {name: range(first, last + 1) for name, (first, last) in held.items()}
        contents = {name: {paths[one]: checksum(one, delivery) for one in some} for name, some in held.items()}
        patterns = [
            {"name": name, "pattern": paths[some[0]] if single else f"span-0[{some[0]}-{some[-1]}]/flights.csv"}
            for name, some in held.items()
        ]
        output = {"split_config": {"splits": [{"name": "train"}, {"name": "eval"}]}} if single else {}
        settings = {"input_base": "/data", "input_config": {"splits": patterns}, "output_config": output}
        told = {"split_names": ["train", "eval"], "span": months[0] if single else 0, "input_fingerprint": "split:…"}
        if recorded:
            settings["contents"] = told["contents"] = contents
        made = self.execute(
            pipeline, "CsvExampleGen", {}, {"examples": ("Examples", told)}, {**settings, "source": "1e5"}
        )
        return made["examples"]

    def train(
        self, pipeline: str, examples: int, schema: int, base: int | None = None, tuned: bool = False
    ) -> tuple[int, int]:
        """Transform, perhaps Tuner, and Trainer; gives graph and model."""
        splits = {"analyze": ["train"], "transform": ["train", "eval"]}
        ready = self.execute(
            pipeline,
            "Transform",
            {"examples": examples, "schema": schema},
            {
                "transform_graph": ("TransformGraph", {}),
                "transformed_examples": ("Examples", {"split_names": ["train", "eval"]}),
            },
            {"splits_config": splits, "preprocessing_fn": "f", "custom_config": {"source": "code of Transform"}},
        )
        given = {"transform_graph": ready["transform_graph"], "schema": schema} | ({"base_model": base} if base else {})
        arguments = {"train_args": {"splits": ["train"]}, "eval_args": {"splits": ["eval"]}}
        custom = {"learning_rate": 0.003, "source": "code of Trainer"}
        if tuned:
            found = self.execute(
                pipeline,
                "Tuner",
                {"examples": examples, **given},
                {"best_hyperparameters": ("HyperParameters", {}), "tuner_results": ("TunerResults", {})},
                {**arguments, "custom_config": custom | {"tuner_source": "code of Tuner"}},
            )
            given["hyperparameters"] = found["best_hyperparameters"]
            [kept] = self.store.get_artifacts_by_id([found["best_hyperparameters"]])
            Path(kept.uri, "best_hyperparameters.txt").write_text(json.dumps({"values": {"dropout": 0.2}}))
        made = self.execute(
            pipeline,
            "Trainer",
            {"examples": ready["transformed_examples"], **given},
            {"model": ("Model", {}), "model_run": ("ModelRun", {})},
            {**arguments, "run_fn": "f", "custom_config": custom},
        )
        return ready["transform_graph"], made["model"]

    def judge(self, pipeline: str, examples: int, model: int, baseline: int | None, blessed: bool = True) -> int:
        """Evaluator; gives the blessing."""
        told = {"blessed": int(blessed), "current_model_id": model}
        told |= {"baseline_model_id": baseline} if baseline else {}
        inputs = {"examples": examples, "model": model} | ({"baseline_model": baseline} if baseline else {})
        outputs = {"blessing": ("ModelBlessing", told), "evaluation": ("ModelEvaluation", {})}
        settings = {"example_splits": ["eval"], "eval_config": {}}
        return self.execute(pipeline, "Evaluator", inputs, outputs, settings)["blessing"]

    def push(self, pipeline: str, model: int, blessings: dict[str, int], version: int | None) -> int:
        """Pusher; without a version, it was refused."""
        told: dict[str, Any] = {"pushed": int(version is not None)}
        if version is not None:
            folder = self.serving(pipeline) / str(version)
            folder.mkdir(parents=True)
            told |= {"pushed_version": str(version), "pushed_destination": str(folder)}
        outputs = {"pushed_model": ("PushedModel", told)}
        return self.execute(pipeline, "Pusher", {"model": model, **blessings}, outputs)["pushed_model"]

    def serving(self, pipeline: str) -> Path:
        """Where a pipeline pushes to."""
        return self.folder / f"serving-{pipeline}"

    def from_cache(self, pipeline: str, made: Iterable[tuple[str, dict[str, int], dict[str, int]]]) -> None:
        """Executions that the cache answers: node, inputs and outputs of an earlier run."""
        for node, inputs, outputs in made:
            self.execute(pipeline, node, inputs, dict(outputs), state="CACHED")


def _event(kind: int, names: list[str]) -> mlmd.Event:
    made = mlmd.Event(type=kind)
    for name in names:
        made.path.steps.add().key = name
        made.path.steps.add().index = 0
    return made


def _fill(properties: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        kind = "int_value" if isinstance(value, int) else "string_value"
        setattr(properties[name], kind, json.dumps(value) if isinstance(value, dict | list) else value)


def make(folder: Path) -> tuple[Store, dict[str, int]]:
    """The store of the tests: eight runs of `delays` and one of `cancellations`, which had a version of the same number.

    Returns:
        The store, and numbers of artifacts: models `first` (of month 1), `warm` (of 2, from `first`), `refused` (of 1 and 2), `third`
            (of 3, from `warm`, refused by InfraCheck), `again` (of the second delivery of month 1), `other` (of the other pipeline); `schema`.
    """
    store, at = Store(folder), {}
    one, two = "delays", "cancellations"
    store.begin()  # 1: months 1 and 2
    first = store.ingest(one, (1, 2))
    at["schema"] = schema = store.execute(
        one, "ImportSchemaGen", {}, {"schema": ("Schema", {})}, {"fingerprint": "0abc"}
    )["schema"]
    graph, at["first"] = store.train(one, first, schema)
    blessing = store.judge(one, first, at["first"], None)
    store.push(one, at["first"], {"model_blessing": blessing}, FIRST_VERSION)
    cached = [
        ("CsvExampleGen", {}, {"examples": first}),
        ("Transform", {"examples": first, "schema": schema}, {"transform_graph": graph}),
        ("Trainer", {"transform_graph": graph, "schema": schema}, {"model": at["first"]}),
    ]
    store.begin()  # 2: the same again; now there is a baseline, which is the model itself, so that it is judged and pushed again
    store.from_cache(one, cached)
    store.execute(
        one,
        "LatestBlessedModel",
        {},
        {"model": at["first"], "model_blessing": blessing},
        kinds=(mlmd.Event.INTERNAL_INPUT, mlmd.Event.INTERNAL_OUTPUT),
    )
    second = store.judge(one, first, at["first"], at["first"])
    pushed = store.push(one, at["first"], {"model_blessing": second}, FIRST_VERSION + 1)
    store.begin()  # 3: all of it from the cache
    store.from_cache(
        one,
        [
            *cached,
            ("Evaluator", {"examples": first, "model": at["first"]}, {"blessing": second}),
            ("Pusher", {"model": at["first"], "model_blessing": second}, {"pushed_model": pushed}),
        ],
    )
    store.begin()  # 4: months 2 and 3, tuned, from the model in service
    examples = store.ingest(one, (2, 3))
    _, at["warm"] = store.train(one, examples, schema, at["first"], tuned=True)
    blessing = store.judge(one, examples, at["warm"], at["first"])
    store.push(one, at["warm"], {"model_blessing": blessing}, FIRST_VERSION + 2)
    store.begin()  # 5: months 1 to 3, refused
    examples = store.ingest(one, (1, 3))
    _, at["refused"] = store.train(one, examples, schema)
    blessing = store.judge(one, examples, at["refused"], at["warm"], blessed=False)
    store.push(one, at["refused"], {"model_blessing": blessing}, None)
    store.begin()  # 6: months 3 and 4, from the model in service; it is good and cannot be served
    examples = store.ingest(one, (3, 4))
    _, at["third"] = store.train(one, examples, schema, at["warm"])
    blessing = store.judge(one, examples, at["third"], at["warm"])
    told = {"blessed": 0, "reason": "no answer"}
    inputs = {"model": at["third"], "examples": examples}
    infra = store.execute(one, "InfraCheck", inputs, {"blessing": ("InfraBlessing", told)})["blessing"]
    store.push(one, at["third"], {"model_blessing": blessing, "infra_blessing": infra}, None)
    store.begin()  # 7: the other pipeline, with a version of the same number
    examples = store.ingest(two, (1, 1), recorded=False)
    _, at["other"] = store.train(
        two, examples, store.execute(two, "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    )
    blessing = store.judge(two, examples, at["other"], None)
    store.push(two, at["other"], {"model_blessing": blessing}, FIRST_VERSION + 2)
    store.begin()  # 8: month 1 alone, as it was delivered again
    examples = store.ingest(one, (1, 1), delivery=2)
    _, at["again"] = store.train(one, examples, schema)
    blessing = store.judge(one, examples, at["again"], at["warm"])
    store.push(one, at["again"], {"model_blessing": blessing}, FIRST_VERSION + 3)
    store.begin()  # 9: a Trainer that failed on months 1 and 2
    store.execute(one, "Trainer", {"examples": first, "schema": schema}, state="FAILED")
    return store, at
