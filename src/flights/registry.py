"""`flights registry`: names for pushed versions, and who answers, moved together; in MLflow, beside Pusher's folder."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import places

from .config import Config

if TYPE_CHECKING:
    from engines.lineage import Lineage
    from serving.registered import Entry, Step
    from serving.registry import Registry

DEFAULT = "registry.db"
"""MLflow's store, in the output folder, where no other is named."""

ACTIONS = {
    "list": "the registered versions: what each was trained on, its AUC, who answers",
    "show": "all that is kept of a version",
    "history": "each step: who, when, what and why",
    "check": "where aliases, traffic file, folder and metadata store disagree",
    "sync": "register each version that the pipeline has pushed and that is not registered yet",
    "promote": "make a version the champion, which answers",
    "challenge": "give a version a share of the requests; `none` ends that",
    "shadow": "have a version asked as well, without its answers being given; `none` ends that",
    "publish": "register the same versions, with the same properties, in Kubeflow's Model Registry",
    "rollback": "take the latest step back: who answered before answers again",
}


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """Adds the command to those of `flights`."""
    group = commands.add_parser("registry", help="names for pushed versions: promote one, roll back, see who answers")
    actions = group.add_subparsers(dest="action", required=True)
    parsers = {name: actions.add_parser(name, help=text, description=text) for name, text in ACTIONS.items()}
    for name in ("show", "promote", "challenge", "shadow"):
        parsers[name].add_argument(
            "version",
            metavar="VERSION",
            help="the number of its folder, or else of the registry, or an alias, such as challenger",
        )
    parsers["challenge"].add_argument(
        "--share", type=float, default=0.1, metavar="X", help="of the requests (default: 0.1)"
    )
    for name in ("promote", "challenge", "shadow", "rollback"):
        parsers[name].add_argument("--why", metavar="TEXT", help="is kept with the step")
        parsers[name].add_argument("--by", dest="who", metavar="NAME", help="who asks for it (default: this user)")
    parsers["publish"].add_argument("to", metavar="ADDRESS", help="of the server, for example http://localhost:8080")
    parsers["publish"].add_argument("--by", dest="who", metavar="NAME", help="the author there (default: this user)")
    for parser in parsers.values():
        add_option(parser)
    return list(parsers.values())


def add_option(parser: argparse.ArgumentParser, **how: Any) -> None:
    """The switch: which registry."""
    parser.add_argument(
        "--registry",
        dest="registry_uri",
        type=address,
        metavar="URI",
        help=f"MLflow's store (default: {DEFAULT} in the output folder)",
        **how,
    )


def address(text: str) -> str:
    """The address of a store, whose file is relative to the folder that the command was typed in."""
    if not text:
        return ""  # the default one
    try:
        return places.anchored(places.tracking_address(text), Path.cwd())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).replace("tracking_uri=", "")) from None


def of(config: Config, uri: str = "", tell: Callable[[str], object] = print) -> Registry:
    """The registry of a pipeline's versions.

    Args:
        config: whose versions.
        uri: of MLflow's store; empty for `registry.db` in the output folder.
        tell: is given a sentence for what else was found and put in order.
    """
    from serving.registry import Registry

    uri = uri or f"{places.SQLITE}{Path(config.output_root).absolute() / DEFAULT}"
    return Registry(uri, config.pipeline_name, config.serving_root, attempt=_attempt, tell=tell)


def sync(config: Config, uri: str = "", tell: Callable[[str], object] = print) -> list[Entry]:
    """Registers what the pipeline has pushed and is not registered yet; gives what is new.

    Args:
        config: whose versions.
        uri: as `of` takes it.
        tell: as `of` takes it.
    """
    return of(config, uri, tell).sync(_lineage(config), config.pipeline_name, _metrics)


def run(
    config: Config,
    action: str,
    registry_uri: str = "",
    version: str = "",
    share: float = 0.1,
    why: str = "",
    who: str = "",
    to: str = "",
) -> int:
    """Does what was asked for, and prints what came of it.

    Args:
        config: whose versions.
        action: one of `ACTIONS`.
        registry_uri: address of MLflow's store; empty for the default one.
        version: that it is about; `none` for none.
        share: of the requests.
        why: is kept with the step.
        who: asks for it; empty for this user.
        to: address of Kubeflow's Model Registry, for `publish`.

    Returns:
        1 where `check` has found something, else 0.

    Raises:
        serving.registry.RegistryError: it cannot be done, and nothing has changed.
        engines.mlflow_store.MlflowStoreError: MLflow cannot use the store.
        serving.model_registry.ModelRegistryError: Kubeflow's Model Registry cannot be reached, or refuses.
    """
    asked: Registry = of(config, registry_uri)
    if action in ("list", "show", "history"):
        lines = {"list": _list, "show": functools.partial(_show, version=version), "history": _history}[action](asked)
        print("\n".join(lines))
        return 0
    if action == "check":
        found = asked.check(_lineage(config), config.pipeline_name)
        print("\n".join(found) or "Aliases, traffic file, folder and metadata store agree.")
        return 1 if found else 0
    if action == "sync":
        register(config, registry_uri)
        return 0
    if action == "publish":
        from serving import model_registry
        from serving.registry import user

        new = model_registry.publish(to, asked.name, asked.versions(), who or user())
        print("\n".join(f"Published: {entry}" for entry in new) or "Nothing to publish: each version is there already.")
        return 0
    told = {"why": why, "who": who}
    one = None if version == "none" and action != "promote" else version
    steps: dict[str, Callable[[], Step | None]] = {
        "promote": lambda: asked.promote(version, **told),
        "challenge": lambda: asked.challenge(one, share, **told),
        "shadow": lambda: asked.shadow(one, **told),
        "rollback": lambda: asked.rollback(**told),
    }
    if step := steps[action]():
        print(f"{step.command}: {_traffic(step.before)} -> {_traffic(step.after)} (step {step.number})")
    return 0


def register(config: Config, uri: str = "") -> None:
    """Registers what is new, and prints it: what `flights run --registry` ends with."""
    new = sync(config, uri)
    for entry in new:
        print(f"Registered: version {entry.version} as number {entry.number} of {config.pipeline_name}")
    if not new:
        print("Nothing to register: each pushed version is registered already.")


def _lineage(config: Config) -> Lineage:
    from engines.lineage import Lineage

    return Lineage.of_file(config.metadata_path)


def _attempt(folder: Path) -> None:
    """Loads a version and asks it about a flight, as the server will."""
    from engines.quiet import import_quietly

    import_quietly()
    from serving import models

    from .serving import PROJECT

    models.load(folder, PROJECT)


def _metrics(evaluation: str) -> Mapping[str, float]:
    """Those of an evaluation; none where its files are gone."""
    if not any(Path(evaluation).glob("metrics*")):
        return {}
    from engines.quiet import import_quietly

    import_quietly()
    from .experiments import metrics_of

    return metrics_of(evaluation)


def _list(asked: Registry) -> Iterator[str]:
    rows = [("version", "number", "role", "pushed", "months", "AUC")]
    for entry in asked.versions():
        months = ", ".join(map(str, entry.spans))
        auc = f"{entry.metrics['auc']:.3f}" if "auc" in entry.metrics else ""
        pushed = entry.tags.get("pushed", "").removesuffix("+00:00").replace("T", " ")
        rows.append(
            (entry.version or "elsewhere", str(entry.number), ", ".join(entry.roles) or "-", pushed, months, auc)
        )
    if len(rows) == 1:
        yield f"No version of {asked.name} is registered yet. `{__package__} registry sync` registers what was pushed."
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    served = asked.serving()
    yield f"Served: {_traffic(served)}." if served else "Nothing is served."


def _show(asked: Registry, version: str) -> Iterator[str]:
    entry = asked.find(version)
    yield f"Version {entry.version or 'elsewhere'}, number {entry.number} of {asked.name}: {', '.join(entry.roles) or 'no role'}"
    yield f"  {'source':12} {entry.source}"
    for name, value in entry.tags.items():
        yield f"  {name:12} {value}"


def _history(asked: Registry) -> Iterator[str]:
    steps = asked.history()
    if not steps:
        yield "No step was taken yet."
    for step in steps:
        state = "" if step.state == "done" else f" [{step.state}]"
        why = f": {step.why}" if step.why else ""
        what = f"{_traffic(step.before)} -> {_traffic(step.after)}"
        yield f"{step.number:>3}  {step.when.removesuffix('+00:00').replace('T', ' ')}  {step.who}  {step.command}{state}  {what}{why}"


def _traffic(served: Any) -> str:
    parts = [f"champion {served.champion}"]
    if served.challenger is not None:
        parts.append(f"challenger {served.challenger} ({served.share:.0%})")
    if served.shadow is not None:
        parts.append(f"shadow {served.shadow}")
    return ", ".join(parts)


HANDLERS = {"registry": run}
