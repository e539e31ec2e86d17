"""What lineage tells: plain data, which `dataclasses.asdict` turns into dictionaries for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engines.events import Step


class LineageError(LookupError):
    """The store does not know; the message says what it does know."""


@dataclass(frozen=True)
class File:
    """A file that an ExampleGen read.

    Attributes:
        path: below its `input_base`; empty where the store has none, such as for a query.
        span: its number, from ExampleGen or from the folder's name; None where neither says.
        checksum: SHA-256 of what was read; empty where it was not recorded.
    """

    path: str
    span: int | None
    checksum: str


@dataclass(frozen=True)
class Use:
    """A file, and who used it in which splits.

    Attributes:
        file: what was read.
        examples: number of the artifact that ExampleGen made of it.
        splits: of that artifact.
        by: the components' ids, for example Transform (its vocabularies) and Trainer.
    """

    file: File
    examples: int
    splits: tuple[str, ...]
    by: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """An artifact that a training was given.

    Attributes:
        artifact: its number.
        uri: its folder.
        checksum: of its content, where its maker recorded one as `fingerprint`.
        step: what made it.
    """

    artifact: int
    uri: str
    checksum: str
    step: Step


@dataclass(frozen=True)
class Verdict:
    """A candidate was judged.

    Attributes:
        kind: type of the artifact: `ModelBlessing` of an Evaluator, `InfraBlessing` of a check of the serving.
        artifact: its number.
        blessed: or refused.
        step: who judged.
        judged_on: data of the evaluation; none for a check of the serving, which goes by a few examples.
        baseline: number of the model that it was held against, which is no ancestor.
        evaluation: folder of the metrics.
        reason: where the judge recorded one.
    """

    kind: str
    artifact: int
    blessed: bool
    step: Step
    judged_on: tuple[Use, ...] = ()
    baseline: int | None = None
    evaluation: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Push:
    """A model was pushed.

    Attributes:
        version: the name of its folder.
        folder: where it was pushed to.
        artifact: number of the `PushedModel`.
        model: number of the model.
        step: of Pusher. What a later run took from the cache is no other push.
        verdicts: numbers of the verdicts that Pusher was given.
        is_there: whether the folder still is.
    """

    version: str
    folder: str
    artifact: int
    model: int
    step: Step
    verdicts: tuple[int, ...]
    is_there: bool


@dataclass(frozen=True)
class Model:
    """A trained model, with all that made it, and what became of it.

    Attributes:
        artifact: its number.
        uri: its folder.
        is_there: whether that folder still is.
        step: the training.
        trained_on: data that its weights, its vocabularies, hyperparameters or an inferred schema were learned from; not those of `base`.
        validated_on: data of the training's own evaluation, from which no weight was learned.
        schema: the schema; None without one.
        transform_graph: the graph of Transform; None without one.
        hyperparameters: those of a Tuner; None without one.
        trial: values of the trial that won, where its file still is.
        settings: the Trainer's `custom_config`, without fingerprints of code.
        code: fingerprints of code, by the id of the component.
        base: the model that a warm start went on from.
        verdicts: every time that it was judged.
        pushes: every time that it was pushed.
        predictions: folders of what was predicted with it in bulk, as far as a pipeline did so.
    """

    artifact: int
    uri: str
    is_there: bool
    step: Step
    trained_on: tuple[Use, ...]
    validated_on: tuple[Use, ...]
    schema: Given | None
    transform_graph: Given | None
    hyperparameters: Given | None
    trial: dict[str, Any]
    settings: dict[str, Any]
    code: dict[str, str]
    base: Model | None
    verdicts: tuple[Verdict, ...]
    pushes: tuple[Push, ...]
    predictions: tuple[str, ...]

    @property
    def generations(self) -> Iterator[Model]:
        """It, the model that it went on from, and so on."""
        model: Model | None = self
        while model:
            yield model
            model = model.base

    @property
    def outcome(self) -> str:
        """`pushed`, `blessed`, `refused` or `not judged`, by what became of it: a later verdict counts more than an earlier one of its kind."""
        if self.pushes:
            return "pushed"
        latest = {one.kind: one.blessed for one in self.verdicts}
        return ("blessed" if all(latest.values()) else "refused") if latest else "not judged"


@dataclass(frozen=True)
class Version:
    """A pushed version, and all that led to it.

    Attributes:
        push: where and when.
        model: what was pushed.
        verdicts: those that Pusher went by.
        unknown: what the store cannot say, a sentence each.
    """

    push: Push
    model: Model
    verdicts: tuple[Verdict, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Reach:
    """A model that data, or an artifact, have reached.

    Attributes:
        model: the model.
        how: `trained`; `inherited`, from a model that a warm start went on from; or `evaluated`: judged or validated on them, and nothing learned.
        through: numbers of the models between, for `inherited`: the last is the one that was trained on them.
        uses: the files that match; none where an artifact was asked for.
    """

    model: Model
    how: str
    through: tuple[int, ...] = ()
    uses: tuple[Use, ...] = field(default=())
