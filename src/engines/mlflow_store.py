"""MLflow's store, for experiments and for the model registry: a SQLite file, another database, or a server; opened quietly, and its errors told.

MLflow is imported only when a store is opened.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from engines import places
from warm.loading import quickly


class MlflowStoreError(RuntimeError):
    """MLflow cannot use its store; the message names it, and says why."""


def client(uri: str) -> Any:
    """MLflow's client. Its telemetry is off: what is run here is nobody's business."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    with nullcontext() if "mlflow" in sys.modules else quickly():
        import mlflow

        for name in ("mlflow", "alembic"):  # a table made is not news
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # an error is told once, by `opened`
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)  # imports as much again


@contextmanager
def opened(uri: str, option: str = "--track") -> Iterator[Any]:
    """MLflow's client; of the processes that use an SQLite file in this way, one after another.

    Of several that open a new file at once, each would create all of MLflow's tables, and all but one would fail.

    Args:
        uri: of the store.
        option: by which the command line names it, for the message.

    Raises:
        MlflowStoreError: the store is locked by another program, damaged, of another version, or cannot be reached.
    """
    file = Path(uri.removeprefix("sqlite:///")).absolute() if uri.startswith("sqlite:///") else None
    if file and file.is_dir():  # MLflow would try it again and again, for minutes
        raise MlflowStoreError(f"{file} is a folder. Name a file for {option}, for example sqlite:///out/mlflow.db.")
    try:
        with _alone(file) if file else nullcontext():
            yield client(uri)
    except Exception as error:
        no_driver = isinstance(error, ModuleNotFoundError)
        if not no_driver and not type(error).__module__.startswith(("mlflow.", "sqlalchemy.")):
            raise
        shown = file or places.without_secret(uri)
        reason = re.sub(r"^\([\w.]+\) ", "", next(iter(str(error).splitlines()), type(error).__name__))
        advice = f"Move it away, or name another {option}"
        if "locked" in reason:
            advice = "End the program that uses it"
        elif no_driver:
            advice = "Install that module"
        raise MlflowStoreError(f"{shown}: MLflow cannot use it ({reason}). {advice}, and run again.") from error


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Waits until no other process has the lock that belongs to a file; a process that ends gives it back."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
