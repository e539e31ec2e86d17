"""What a run came to, whatever engine ran it: the same numbers and words for the same data."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import records

from flights.config import Config


def of_local(config: Config) -> dict[str, Any]:
    """Of an engine that keeps a metadata store: the newest artifacts."""
    return summary(in_store(config), config)


def in_store(config: Config) -> Callable[[str, str], Path]:
    """What gives the folder of a node's newest output under a key."""
    import ledger

    return lambda node, key: Path(ledger.last_output(config, node, key).uri)


def of_kubeflow(config: Config) -> dict[str, Any]:
    """Of the newest run of a compiled pipeline."""
    from engines.kubeflow import runner as kubeflow

    folder = kubeflow.latest_run(config)
    return summary(lambda node, key: folder / node / key, config)


def summary(output, config: Config) -> dict[str, Any]:
    """Sizes of splits, schema, vocabularies, evaluated examples, blessing and what is served.

    Args:
        output: gives the folder of a node's output under a key.
        config: the run.
    """
    blessing = output("Evaluator", "blessing")
    return prepared(output, config) | {
        "evaluated": _evaluated(output("Evaluator", "evaluation")),
        "blessed": (blessing / "BLESSED").exists() and not (blessing / "NOT_BLESSED").exists(),
        "versions": len([path for path in Path(config.serving_root).glob("*/saved_model.pb")]),
    }


def prepared(output, config: Config) -> dict[str, Any]:
    """Of that what there is before the training: sizes of splits, schema, vocabularies."""
    examples = output("CsvExampleGen", "examples")
    schema = output("ImportSchemaGen", "schema") / "schema.pbtxt"
    assets = output("Transform", "transform_graph") / "transform_fn" / "assets"
    return {
        "examples": {
            split: len(records.read_split(str(examples), split))
            for split in (*config.train_splits, *config.eval_splits)
        },
        "schema": hashlib.sha256(schema.read_bytes()).hexdigest(),
        "vocabularies": {path.name: path.read_text().splitlines() for path in sorted(assets.iterdir())},
    }


def _evaluated(folder: Path) -> int:
    """Number of flights that the candidate was judged on."""
    import tensorflow_model_analysis as tfma

    metrics = dict(tfma.load_eval_result(str(folder)).slicing_metrics)
    (found,) = [values for values in metrics[()][""].values()][:1]
    return int(found["example_count"]["doubleValue"])


def shared_folder(factory) -> Path:
    """The folder that the workers of this test session share, and no other session.

    Args:
        factory: pytest's `tmp_path_factory`.
    """
    own = factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "engines"


LOCAL = "local"
"""In the folder that the workers share: the output of the local engine, which no later run adds to."""


@contextlib.contextmanager
def being_made(folder: Path) -> Iterator[Path]:
    """The file with the summary of the local engine, for one worker at a time; the one who finds it missing makes it.

    Args:
        folder: that the workers share.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / "summary.json"


def reference(config: Config, run: Callable, folder: Path) -> dict[str, Any]:
    """The summary of the local engine: of the run of test_january, or of one of our own where that was not run before.

    Args:
        config: as the engine to be compared was run; its folder is left alone.
        run: `engines.local.run`.
        folder: that the workers share.
    """
    config = dataclasses.replace(config, output_root=str(folder / LOCAL))
    with being_made(folder) as kept:
        if not kept.exists():
            run(config)
            kept.write_text(json.dumps(of_local(config)))
        return json.loads(kept.read_text())
