"""The command line: `flights run` and `flights predict`; `MORE` has the other commands."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engines import ending, places
from engines.common import require_inputs
from engines.quiet import import_quietly

from . import lineage, registry, release, retrain, serving, targets, watch
from .config import DOCKER, Config, Plan

MORE = (targets, lineage, registry, serving, watch, retrain, release)
"""Modules with further commands, light to import: `add_parsers(commands)`, and `HANDLERS` by the commands' names."""

ENGINES = {
    "airflow": "engines.airflow.runner",
    "flink": "engines.flink.runner",
    "kubeflow": "engines.kubeflow.runner",
    "local": "engines.local",
}
"""What runs the components."""


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    main = argparse.ArgumentParser(prog=__package__, description="Will a flight out of New York arrive late?")
    commands = main.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run the pipeline: data in, a blessed model pushed, or a reason why not")
    run.add_argument(
        "--months", type=months, default=(1, 1), metavar="1-3", help="months to use; the last is for evaluation"
    )
    run.add_argument("--engine", choices=ENGINES, default="local", help="what runs the components (default: local)")
    run.add_argument(
        "--containers",
        nargs="?",
        const=True,
        metavar="IMAGE",
        help="with --engine kubeflow: each step in a container, of the course's image (needs `make image`) or of one that has a project of yours",
    )
    run.add_argument(
        "--from",
        dest="first",
        metavar="COMPONENT",
        help="run only from this component on, for example Trainer; what is before it comes from an earlier run",
    )
    run.add_argument("--to", dest="last", metavar="COMPONENT", help="run only up to this component")
    run.add_argument("--no-cache", dest="enable_cache", action="store_false", help="run every component anew")
    for name in ("train_epochs", "batch_size", "seed"):
        run.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N")
    for name in ("learning_rate", "dropout", "l2", "min_auc", "min_slice_auc", "max_auc_loss"):
        run.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X")
    run.add_argument(
        "--plan", metavar="FILE", help="what is demanded of the model, instead of the --min and --max options"
    )
    run.add_argument("--hidden-units", type=layers, metavar="64-32", help="units of each hidden layer; '' for none")
    run.add_argument("--tune", action="store_true", help="search for better hyperparameters, and train with the best")
    run.add_argument("--tuner-trials", type=int, metavar="N", help="how many combinations are tried (default: 8)")
    run.add_argument("--warm-start", action="store_true", help="go on from the latest blessed model, if there is one")
    run.add_argument(
        "--infra-check",
        nargs="?",
        const=True,
        choices=[DOCKER],
        help="serve the candidate and ask it before it is pushed; with `docker`, by TensorFlow Serving in a container",
    )
    run.add_argument(
        "--track", dest="tracking_uri", metavar="URI", help="log the run to MLflow, for example sqlite:///out/mlflow.db"
    )
    registry.add_option(run, nargs="?", const="")
    run.add_argument("--run-name", metavar="NAME", help="what the run is called in MLflow (default: its months)")
    run.add_argument("--data-root", metavar="FOLDER", help="folder with span-01/ to span-12/ (default: data/flights)")

    predict = commands.add_parser("predict", help="ask the newest pushed model about flights")
    predict.add_argument("flights", help="one flight or a list, as JSON, its columns by name; - for standard input")
    further = [command for module in MORE for command in module.add_parsers(commands)]
    for command in (run, predict, *further):
        command.add_argument(
            "--output-root", metavar="FOLDER", help=f"folder of the pipeline (default: {Config.output_root})"
        )
    return main


def months(text: str) -> tuple[int, int]:
    """`3` or `1-3` as first and last month."""
    first, _, last = text.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write a month (3) or a range (1-3)") from None


def layers(text: str) -> tuple[int, ...]:
    """`64-32` as the units of two layers; nothing as no layer."""
    try:
        return tuple(int(units) for units in text.split("-") if text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write the units of each layer, such as 64-32") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status: 0, 1 when it failed, 2 for wrong options, 128 and its number after a signal."""
    options = vars(parser().parse_args(arguments))
    command = options.pop("command")
    request, engine = options.pop("flights", None), options.pop("engine", "")
    if options.get("why"):  # its record is UTF-8, whatever the terminal sent
        options["why"] = options["why"].encode(errors="replace").decode()
    containers = options.pop("containers", None)  # True, or the name of an image
    how: dict[str, Any] = {"in_containers": True} if containers else {}
    how |= {"image": containers} if isinstance(containers, str) else {}
    part = {name: value for name in ("first", "last") if (value := options.pop(name, None))}
    given = {name: value for name, value in options.items() if value is not None}
    handlers = {name: handler for module in MORE for name, handler in module.HANDLERS.items()}
    # What a further command takes beside settings is its own.
    own = {name: given.pop(name) for name in set(given) - Config.__dataclass_fields__.keys()}
    log = Path("failed.log")
    try:
        with (
            ending.stoppable(),
            _in_base(given, ("output_root",) if command == "predict" else ("data_root", "output_root")),
        ):
            log = Path(given.get("output_root", Config.output_root)).absolute() / log
            if how and engine != "kubeflow":
                raise ValueError(f"--containers: engine {engine} has none. Write --engine kubeflow --containers.")
            if own.get("registry_uri") is not None and engine == "kubeflow":
                raise ValueError(
                    "--registry: what Kubeflow runs is recorded in the cluster's metadata store, not here."
                )
            if part and engine not in ("local", "flink"):
                raise ValueError(f"--from, --to: engine {engine} runs whole pipelines only; local and flink run parts.")
            if "plan" in given:
                given["plan"] = Plan.load(given["plan"])
            config = Config(**given)
            if command in handlers:
                return handlers[command](config, **own)
            return _run(config, engine, **own, **how, **part) if command == "run" else _predict(config, request)
    except BaseException as error:
        if number := ending.stopped_by():
            print(
                f"{__package__} {command}: stopped by {number.name}. The next run puts in order what is left of it.",
                file=sys.stderr,
            )
            return 128 + number
        if not isinstance(error, Exception):
            raise
        node = getattr(error, "failed_node", "")
        print(f"{__package__} {command}: {ending.words(error, log, node, __package__)}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _in_base(given: dict[str, Any], folders: Sequence[str]) -> Iterator[None]:
    """Works from the nearest folder upwards that has the default data or output, such as the repository when called from `notebooks`.

    Args:
        given: settings; relative paths among them, which mean this folder, are made absolute where another one is worked from.
        folders: those that the command needs; where all are given, nothing is looked for.
    """
    here = Path.cwd()
    defaults = [getattr(Config, name) for name in folders if name not in given]
    base = next((one for one in (here, *here.parents) if any((one / name).is_dir() for name in defaults)), here)
    if base != here:
        for name in ("data_root", "output_root", "plan"):
            if name in given:  # looked at before it is joined to a folder: `here / "s3://b"` is a path as any other
                given[name] = str(here / places.local_path(name, given[name], is_file=name == "plan"))
        if uri := given.get("tracking_uri"):
            address = places.tracking_address(uri)
            file = address.removeprefix(places.SQLITE)
            given["tracking_uri"] = address if file == address else f"{places.SQLITE}{here / file}"
        print(f"In {base}:", file=sys.stderr)
    with contextlib.chdir(base):
        yield


def _run(config: Config, engine: str, registry_uri: str | None = None, **how: Any) -> int:
    require_inputs(config)
    import_quietly()  # this takes ten seconds
    from engines import store

    from . import pipeline, verdict
    from .schedule import MONTHS

    runner = importlib.import_module(ENGINES[engine])
    made_by = {"airflow": (pipeline.create_pipeline, MONTHS), "kubeflow": (pipeline.create_components,)}
    targets.tell_failures_once()

    first, last = config.months
    print(f"Months {first} to {last} from {config.data_root}:", flush=True)
    show = functools.partial(print, flush=True)
    create = made_by.get(engine, (pipeline.create_pipeline,))
    runner.run(config, *create, lambda node: show(f"  {node.node:20} {node.state:7} {node.seconds:5.1f} s"), **how)
    if how.get("last", "Pusher") not in ("Pusher", "ExperimentTracker"):  # which comes after it
        print(f"Ended with {how['last']}, as asked; no model was pushed.")
    else:
        print(getattr(runner, "verdict", store.latest_verdict)(config, verdict.refusal))
    if registry_uri is not None:
        registry.register(config, registry_uri)
    return 0


def _predict(config: Config, request: str) -> int:
    try:
        text = sys.stdin.read() if request == "-" else request
        # Some editors of Windows begin a file with a mark of its encoding.
        flights = json.loads(
            text.removeprefix("\ufeff"),
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            object_pairs_hook=_without_repeats,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} of the input). Save the flights as UTF-8.") from None
    except RecursionError:
        raise ValueError("not a flight or a list of flights, but lists or objects one in another.") from None
    import_quietly()
    from engines import store

    from .predict import Predictor

    folder = store.latest_version(config)
    for probability in Predictor(folder).predict(flights if isinstance(flights, list) else [flights]):
        print(f"{probability:.3f}")
    return 0


def _refuse_constant(name: str) -> float:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(f"not JSON ({name} is no number). Write null for what is unknown.")


def _whole_number(digits: str) -> int | float:
    """A whole number of JSON. Python reads no more than 4,300 digits of one, which is then as far beyond all ranges as 1e999."""
    return int(digits) if len(digits) < 400 else float(digits)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose last value Python would take where a name is there twice."""
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"a flight has {', '.join(twice)[:80]} twice. Remove one of them.")
    return dict(pairs)


if __name__ == "__main__":
    sys.exit(main())
