"""`flights lineage`: where a version comes from, and which versions a month has reached, as text or as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .columns import SPAN

if TYPE_CHECKING:  # it opens ML Metadata, which other commands need not wait for
    from engines.lineage import Model, Reach, Step, Use, Verdict, Version

    from .config import Config

HOW = {
    "trained": "trained on it",
    "inherited": "went on from a model that was trained on it",
    "evaluated": "evaluated on it, and nothing learned",
}
"""What became of data, in the order of how bad that is."""


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """Adds the command to those of `flights`."""
    parser = commands.add_parser(
        "lineage",
        help="where a pushed version comes from, or which versions a month has reached",
        description="Backward: VERSION or --model. Forward: --span, --checksum, both, or --artifact.",
    )
    parser.add_argument("version", nargs="?", metavar="VERSION", help="a folder in `serving`; without it, the newest")
    parser.add_argument("--model", type=int, metavar="N", help="backward from model N, also one that was refused")
    parser.add_argument("--span", type=int, metavar="N", help=f"forward: the models that {SPAN} N has reached")
    parser.add_argument(
        "--checksum", metavar="SUM", help="forward: of a file of these contents (SHA-256, or how it begins)"
    )
    parser.add_argument("--artifact", type=int, metavar="N", help="forward: of any artifact, such as a schema")
    parser.add_argument("--pipeline", metavar="NAME", help="only of this pipeline, where a store holds several")
    parser.add_argument("--json", action="store_true", dest="as_json", help="as JSON")
    return [parser]


def run(
    config: Config,
    version: str | None = None,
    model: int | None = None,
    span: int | None = None,
    checksum: str | None = None,
    artifact: int | None = None,
    pipeline: str | None = None,
    as_json: bool = False,
) -> int:
    """Prints the answer.

    Args:
        config: whose store is asked.
        version: backward from a pushed version; without it and all others, the newest.
        model: backward from the number of a model.
        span: forward.
        checksum: forward; with `span` both have to fit.
        artifact: forward.
        pipeline: only that of this name.
        as_json: print JSON.

    Raises:
        FileNotFoundError: there is no store.
        LineageError: the store has nothing of it; the message says what it has.
        ValueError: more than one question.
    """
    from engines.lineage import Lineage, LineageError

    forward = span is not None or checksum is not None
    if (asked := [version is not None, model is not None, forward, artifact is not None].count(True)) > 1:
        raise ValueError(f"{asked} questions at once: give VERSION, --model, --span (with --checksum), or --artifact.")
    found, name = Lineage.of_file(config.metadata_path), pipeline or ""
    if forward or artifact is not None:
        reached = found.reached(span, checksum or "", artifact, name)
        print(_json(reached) if as_json else "\n".join(_forward(reached, span, checksum, artifact)))
        return 0
    if model is not None:
        one = found.model(model)
        print(_json(one) if as_json else "\n".join(_model(one)))
        return 0
    if version is None:
        pushed = found.versions(name)
        if not pushed:
            raise LineageError(f"No version was pushed yet{f' by {name}' if name else ''}.")
        version = pushed[-1].version
    told = found.version(version, name, config.serving_root)
    print(_json(told) if as_json else "\n".join(_backward(told)))
    return 0


def _json(value: Any) -> str:
    plain = [dataclasses.asdict(one) for one in value] if isinstance(value, list) else dataclasses.asdict(value)
    return json.dumps(plain, indent=2)


def _backward(told: Version) -> Iterator[str]:
    push = told.push
    yield f"Version {push.version} of pipeline {push.step.pipeline}, in {push.folder or 'a folder that is not recorded'}"
    yield _line("pushed", f"{_when(push.step)}; model {push.model}")
    for verdict in told.verdicts:
        yield _line("judged", _verdict(verdict))
    if not told.verdicts:
        yield _line("judged", "by nothing: Pusher was given no blessing")
    yield from _model(told.model, judged=False)
    yield ""
    yield "What the store cannot say"
    for sentence in told.unknown:
        yield f"  - {sentence}"


def _model(model: Model, judged: bool = True) -> Iterator[str]:
    yield ""
    yield f"Model {model.artifact}{'' if model.is_there else ' (its folder is deleted)'}, {model.outcome}"
    yield _line("trained", _when(model.step))
    yield from _uses("trained on", model.trained_on)
    yield from _uses("validated on", model.validated_on)
    for name, given in (("schema", model.schema), ("transform", model.transform_graph)):
        if given:
            checksum = f", checksum {given.checksum}" if given.checksum else ""
            yield _line(name, f"artifact {given.artifact}{checksum}, {_when(given.step)}")
    yield _line("code", ", ".join(f"{node} {code}" for node, code in model.code.items()) or "not recorded")
    yield _line("settings", ", ".join(f"{name} {value}" for name, value in model.settings.items()) or "none")
    if model.hyperparameters:
        values = ", ".join(f"{name} {value}" for name, value in model.trial.items()) or "its file is gone"
        yield _line("tuned", f"{values} (artifact {model.hyperparameters.artifact})")
    for verdict in model.verdicts if judged else ():
        yield _line("judged", _verdict(verdict))
    for push in model.pushes if judged else ():
        yield _line("pushed", f"version {push.version}, {_when(push.step)}")
    if model.base:
        yield _line("warm start", f"from model {model.base.artifact}, which is an ancestor:")
        yield from (f"  {line}" if line else line for line in _model(model.base))


def _line(name: str, text: str) -> str:
    return f"  {name:12} {text}"


def _when(step: Step) -> str:
    day, clock = step.finished.removesuffix("+00:00").split("T")
    engine = f" of {step.engine}" if step.engine else ""
    return f"{day} {clock} UTC by {step.node}, run {step.run or 'unknown'}{engine} (execution {step.execution})"


def _verdict(verdict: Verdict) -> str:
    said = f"{'blessed' if verdict.blessed else 'refused'} {_when(verdict.step)}"
    if verdict.reason:
        said += f": {verdict.reason}"
    if verdict.judged_on:
        said += f", on {', '.join(_named(use) for use in verdict.judged_on)}"
    if verdict.baseline is not None:
        said += f"; held against model {verdict.baseline}, which is no ancestor by that"
    return said


def _uses(name: str, uses: Iterable[Use]) -> Iterator[str]:
    for number, use in enumerate(uses):
        yield _line(name if not number else "", f"{_named(use)} (artifact {use.examples}; {', '.join(use.by)})")


def _named(use: Use) -> str:
    span = f"{SPAN} {use.file.span}" if use.file.span is not None else "no span"
    return f"{span}, {use.file.path or 'no file'}, {use.file.checksum[:12] or 'no checksum'}, split {' and '.join(use.splits)}"


def _forward(reached: list[Reach], span: int | None, checksum: str | None, artifact: int | None) -> Iterator[str]:
    what = f"Artifact {artifact}" if artifact is not None else ""
    if span is not None:
        what = f"{SPAN.capitalize()} {span}" + (f" with checksum {checksum}" if checksum else "")
    learned = [one for one in reached if one.how != "evaluated"]
    pushed = [push for one in learned for push in one.model.pushes]
    yield (
        f"{what or f'Checksum {checksum}'}: {_count(len(learned), 'model')} learned from it, {_count(len(pushed), 'version')} of "
        f"{'it' if len(learned) == 1 else 'them'} pushed; {_count(len(reached) - len(learned), 'model')} evaluated on it only."
    )
    sums = sorted({use.file.checksum for one in reached for use in one.uses if use.file.checksum})
    if len(sums) > 1:
        yield f"It was delivered with {len(sums)} contents: {', '.join(one[:12] for one in sums)}. Add --checksum to ask of one."
    for how, words in HOW.items():
        if ours := [one for one in reached if one.how == how]:
            yield ""
            yield f"{words.capitalize()}:"
        for one in ours:
            yield from _reached(one)


def _reached(one: Reach) -> Iterator[str]:
    model = one.model
    versions = ", ".join(f"{push.version}{'' if push.is_there else ' (gone)'}" for push in model.pushes)
    through = f", through model {' and '.join(map(str, one.through))}" if one.through else ""
    sums = ", ".join(sorted({use.file.checksum[:12] or "no checksum" for use in one.uses}))
    fate = f"pushed as version {versions}" if versions else model.outcome
    yield f"  model {model.artifact:<5} {fate:34} {model.step.pipeline}, run {model.step.run}{through}{f'; {sums}' if sums else ''}"
    for folder in model.predictions:
        yield f"              predicted in bulk: {folder}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


HANDLERS = {"lineage": run}
