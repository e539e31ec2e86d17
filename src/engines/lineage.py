"""Where a pushed version comes from, and which models data have reached, over the metadata store of any TFX pipeline.

The way back starts at Pusher's input `model`. A walk over all of its inputs goes through the blessing to the Evaluator's baseline, and claims that the
baseline's data made the model. The model that a warm start went on from is an ancestor: the Trainer read it.

What a model has learned from is decided by splits, not by artifacts: the examples of one ExampleGen hold months for training and a month for
evaluation. Data are told by the checksums of their contents (`engines.contents`), where they are recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import relocation, store_file
from engines.events import Graph, texts
from engines.lineage_data import EVALUATED, LEARNED, uses
from engines.lineage_records import Given, LineageError, Model, Push, Reach, Use, Verdict, Version

CODE = ("source", "tuner_source")
"""Settings that are fingerprints of code."""

VERDICTS = ("ModelBlessing", "InfraBlessing")
PREDICTIONS = ("InferenceResult", "Examples")
"""What BulkInferrer makes with a model: one of them, by its settings."""


class Lineage:
    """Answers about one store. It is read when this is made; what is written later is not seen."""

    def __init__(self, store: MetadataStore) -> None:
        """Reads the store in three calls; an answer asks it once more for each step that it tells of."""
        self.graph = Graph(store)
        self._models: dict[int, Model] = {}

    @classmethod
    def of_file(cls, path: str | Path) -> Lineage:
        """Of a store in SQLite, such as `Settings.metadata_path`. Nothing is written.

        Where it was moved or copied with its folder of artifacts, the artifacts are those that lie beside it.

        Raises:
            FileNotFoundError: there is none.
            engines.store_file.StoreError: it is damaged, locked, or of another version.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"There is no metadata store at {path}. A run of the pipeline makes it; with Kubeflow, the cluster has its own."
            )
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(path)
        connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
        with store_file.explained(path):
            found = cls(MetadataStore(connection))
        relocation.seen_from(Path(path).absolute().parent, list(found.graph.artifacts.values()), found.graph.makers)
        return found

    # --- backward

    def versions(self, pipeline: str = "") -> list[Push]:
        """What was pushed, the oldest first.

        Args:
            pipeline: only that of this one.
        """
        found = [self._push(one) for one in self._pushed()]
        return [one for one in found if pipeline in ("", one.step.pipeline)]

    def version(self, name: str | int, pipeline: str = "", serving_root: str = "") -> Version:
        """Where a pushed version comes from.

        Args:
            name: its folder's name.
            pipeline: which one pushed it, where two have a version of that name.
            serving_root: Pusher's folder, where a version may lie that no Pusher has recorded.

        Raises:
            LineageError: the store has no such version, or two.
        """
        found = [self._push(one) for one in self._pushed() if self._version_of(one) == str(name)]
        found = [one for one in found if pipeline in ("", one.step.pipeline)]
        if not found:
            known = ", ".join(one.version for one in self.versions(pipeline)) or "none"
            where = f"{serving_root.rstrip('/')}/{name}"
            if serving_root and Path(where).is_dir():
                raise LineageError(
                    f"{where} was pushed by no pipeline of this store: by hand, or by one with another store. Recorded versions: {known}."
                )
            of = f" of pipeline {pipeline}" if pipeline else ""
            raise LineageError(f"There is no version {name}{of} in this store. Recorded versions: {known}.")
        if len(pipelines := sorted({one.step.pipeline for one in found})) > 1:
            raise LineageError(f"Version {name} was pushed by {' and by '.join(pipelines)}. Name one with --pipeline.")
        push = found[-1]
        model = self.model(push.model)
        verdicts = tuple(one for one in model.verdicts if one.artifact in push.verdicts)
        return Version(push, model, verdicts, tuple(_unknown(push, model)))

    def model(self, artifact: int) -> Model:
        """What made a model, and what became of it: also of one that was refused.

        Raises:
            LineageError: there is no model of this number, or no execution that made it.
        """
        if artifact not in self._models:
            self._models[artifact] = self._model(artifact)
        return self._models[artifact]

    def models(self, pipeline: str = "") -> list[Model]:
        """All that were trained, the oldest first. One that a later run took from the cache is there once."""
        found = [one.id for one in self.graph.of_type("Model") if one.id in self.graph.makers]
        return [self.model(one) for one in found if pipeline in ("", self.graph.step(self.graph.makers[one]).pipeline)]

    def _model(self, artifact: int) -> Model:
        graph = self.graph
        if artifact not in graph.artifacts or graph.artifacts[artifact].type != "Model":
            known = ", ".join(str(one.id) for one in graph.of_type("Model")) or "none"
            raise LineageError(f"Artifact {artifact} is no model of this store. Models: {known}.")
        if artifact not in graph.makers:
            raise LineageError(f"Model {artifact} was made by no execution of this store that succeeded.")
        trainer = graph.makers[artifact]
        own = self._own(artifact)
        base = graph.given(trainer, "base_model")
        custom = texts(graph.settings(trainer).get("custom_config"))
        hyperparameters = self._given(trainer, "hyperparameters")
        return Model(
            artifact,
            graph.artifacts[artifact].uri,
            graph.is_there(artifact),
            graph.step(trainer),
            uses(graph, own, LEARNED),
            uses(graph, [trainer], EVALUATED),
            self._given(trainer, "schema"),
            self._given(trainer, "transform_graph"),
            hyperparameters,
            _trial(hyperparameters.uri) if hyperparameters else {},
            {name: value for name, value in custom.items() if name not in CODE},
            {graph.step(one).node: code for one in own if (code := self._code(one))},
            self.model(base) if base is not None else None,
            tuple(self._verdicts(artifact)),
            tuple(self._push(one) for one in self._made_with(artifact, ("PushedModel",)) if self._is_pushed(one)),
            tuple(graph.artifacts[one].uri for one in self._made_with(artifact, PREDICTIONS)),
        )

    def _own(self, model: int) -> list[int]:
        """The executions that led to a model, without those that led to its base. A Tuner goes on from the base as well."""
        return self.graph.before(model, lambda name: name != "base_model")

    def _given(self, execution: int, name: str) -> Given | None:
        number = self.graph.given(execution, name)
        if number is None or number not in self.graph.makers:
            return None
        maker = self.graph.makers[number]
        checksum = str(self.graph.settings(maker).get("fingerprint", ""))
        return Given(number, self.graph.artifacts[number].uri, checksum, self.graph.step(maker))

    def _code(self, execution: int) -> str:
        settings = self.graph.settings(execution)
        places = (settings, texts(settings.get("custom_config")))
        return ", ".join(str(place[name]) for name in CODE for place in places if name in place)

    def _made_with(self, model: int, types: Iterable[str]) -> list[int]:
        """What was made of some types by executions that read a model as `model`, each once."""
        users = [one for one in self.graph.users.get(model, ()) if model in self.graph.inputs[one].get("model", ())]
        found = [made for one in users for kind in types for made in self.graph.made_of(one, kind)]
        return sorted(set(found))

    def _pushed(self) -> list[int]:
        """The numbers of what Pushers have pushed: of a candidate that was refused they record an artifact as well."""
        return [one.id for one in self.graph.of_type("PushedModel") if self._is_pushed(one.id)]

    def _is_pushed(self, artifact: int) -> bool:
        maker = self.graph.makers.get(artifact)
        pushed = self.graph.properties(artifact).get("pushed")
        return pushed == 1 and maker is not None and self.graph.given(maker, "model") is not None

    def _version_of(self, artifact: int) -> str:
        told = self.graph.properties(artifact)
        return str(told.get("pushed_version") or Path(str(told.get("pushed_destination", ""))).name)

    def _push(self, artifact: int) -> Push:
        graph = self.graph
        maker, told = graph.makers[artifact], graph.properties(artifact)
        folder = str(told.get("pushed_destination", ""))
        verdicts = [
            one for given in graph.inputs[maker].values() for one in given if graph.artifacts[one].type in VERDICTS
        ]
        is_there = "://" in folder or (bool(folder) and Path(folder).is_dir())
        return Push(
            self._version_of(artifact),
            folder,
            artifact,
            graph.given(maker, "model"),
            graph.step(maker),
            tuple(verdicts),
            is_there,
        )

    def _verdicts(self, model: int) -> Iterator[Verdict]:
        graph = self.graph
        for number in self._made_with(model, VERDICTS):
            maker, told = graph.makers[number], graph.properties(number)
            baseline = told.get("baseline_model_id") or graph.given(maker, "baseline_model")
            evaluation = graph.made_of(maker, "ModelEvaluation")
            yield Verdict(
                graph.artifacts[number].type,
                number,
                told.get("blessed") == 1,
                graph.step(maker),
                uses(graph, [maker], EVALUATED),
                baseline,
                graph.artifacts[evaluation[0]].uri if evaluation else "",
                str(told.get("reason", "")),
            )

    # --- forward

    def reached(
        self, span: int | None = None, checksum: str = "", artifact: int | None = None, pipeline: str = ""
    ) -> list[Reach]:
        """Which models data have reached, the oldest first.

        Args:
            span: a number of ExampleGen's.
            checksum: of a file's contents, or how it begins: with `span` one delivery of it.
            artifact: instead of both, any artifact: a schema, examples, a model.
            pipeline: only models of this one.

        Raises:
            LineageError: no model of the store has read anything of it.
        """
        models = self.models(pipeline)
        if artifact is not None:
            if artifact not in self.graph.artifacts:
                raise LineageError(
                    f"There is no artifact {artifact} in this store: it has {len(self.graph.artifacts)}."
                )
            return [one for model in models if (one := self._reach_of_artifact(model, artifact))]

        def wanted(uses: Iterable[Use]) -> tuple[Use, ...]:
            return tuple(
                one for one in uses if span in (None, one.file.span) and one.file.checksum.startswith(checksum.lower())
            )

        found = [one for model in models if (one := _reach(model, wanted))]
        if not found:
            raise LineageError(
                f"No model of this store has read {_asked(span, checksum)}. It knows {self._known(models)}."
            )
        return found

    def _reach_of_artifact(self, model: Model, artifact: int) -> Reach | None:
        if model.artifact == artifact:
            return Reach(model, "trained")
        through: list[int] = []
        for one in model.generations:
            base = one.base.artifact if one.base else None
            read = {
                number
                for run in self._own(one.artifact)
                for given in self.graph.inputs[run].values()
                for number in given
            }
            if artifact in (read - {base}) | {one.artifact}:
                return Reach(model, "inherited" if through else "trained", tuple(through))
            through += [] if base is None else [base]
        for verdict in model.verdicts:
            if any(artifact in given for given in self.graph.inputs[verdict.step.execution].values()):
                return Reach(model, "evaluated")
        return None

    def _known(self, models: Iterable[Model]) -> str:
        uses = {use for model in models for use in (*model.trained_on, *model.validated_on)}
        files = sorted({use.file for use in uses}, key=lambda one: (one.span or 0, one.path, one.checksum))
        told = [f"{one.path or 'examples without files'} ({one.checksum[:12] or 'no checksum'})" for one in files]
        return ", ".join(told[:24] + ([f"and {len(told) - 24} more"] if len(told) > 24 else [])) or "no files"


def _reach(model: Model, wanted: Any) -> Reach | None:
    through: list[int] = []
    for one in model.generations:
        if uses := wanted(one.trained_on):
            return Reach(model, "inherited" if through else "trained", tuple(through), uses)
        through += [one.base.artifact] if one.base else []
    judged = [use for verdict in model.verdicts for use in verdict.judged_on]
    uses = wanted(dict.fromkeys([*model.validated_on, *judged]))
    return Reach(model, "evaluated", (), uses) if uses else None


def _asked(span: int | None, checksum: str) -> str:
    parts = [
        f"span {span}" if span is not None else "",
        f"a file whose checksum begins with {checksum}" if checksum else "",
    ]
    return ", ".join(filter(None, parts)) or "anything"


def _unknown(push: Push, model: Model) -> Iterator[str]:
    """What the store cannot say of a version."""
    if model.predictions:
        yield "Which single requests the version has answered: the store records pipelines only. The log of the server does."
    else:
        yield "Which predictions the version has given: the store records pipelines, not requests. The log of the server does."
    if not push.folder:
        yield "Where the version was pushed to: Pusher recorded no folder."
    elif not push.is_there:
        yield f"What the version answers: its folder {push.folder} is gone."
    every = [use for one in model.generations for use in one.trained_on]
    if bare := sorted({use.file.path for use in every if not use.file.checksum}):
        yield f"What was in {', '.join(filter(None, bare)) or 'the examples'}: no checksum was recorded when ExampleGen read it."
    for one in model.generations:
        if not one.is_there:
            yield f"What model {one.artifact} was: its folder {one.uri} is deleted."
        if one.hyperparameters and not one.trial:
            yield f"Which trial the Tuner chose for model {one.artifact}: {one.hyperparameters.uri} is deleted or no file of KerasTuner's."
        if not one.code:
            yield f"Which code trained model {one.artifact}: no fingerprint of it is among the settings."


def _trial(folder: str) -> dict[str, Any]:
    """The values that a Tuner chose, from the file that TFX writes; empty without it."""
    try:
        values = json.loads((Path(folder) / "best_hyperparameters.txt").read_text(encoding="utf-8")).get("values", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return dict(texts(values))
