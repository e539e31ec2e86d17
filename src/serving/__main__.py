"""`python -m serving MODULE:OBJECT FOLDER`: serves the versions in a folder, for a project's object."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from serving.models import Project, Versions, versions_in
from warm.loading import quickly

PORT = 8501
"""That TensorFlow Serving takes for REST."""

HOST = "127.0.0.1"

ONE_THREAD = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
"""TensorFlow works on one request with one thread: many requests share the cores, and handing parts of a small model around takes longer than its
arithmetic. A large model may want more: the environment's own values count."""


class CannotServe(Exception):
    """Why a server did not start, in a sentence."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every command that serves has."""
    parser.add_argument("--host", default=HOST, help=f"address to listen at (default: {HOST}, for this machine only)")
    parser.add_argument("--port", type=int, default=PORT, help=f"port; 0 for a free one (default: {PORT})")
    parser.add_argument(
        "--log", type=_absolute, metavar="FILE", help="log of requests, with key columns and predictions, as JSON lines"
    )
    parser.add_argument("--parent", type=int, metavar="PID", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=int, metavar="FD", help=argparse.SUPPRESS)


def _absolute(text: str) -> Path:
    """A path as it is meant now, before a command goes to work in another folder."""
    return Path(text).absolute()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves from the command line."""
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("project", metavar="MODULE:OBJECT", help="what the project gives (serving.models.Project)")
    parser.add_argument("folder", help="that Pusher writes to, with a folder for each version")
    add_options(parser)
    options = vars(parser.parse_args(arguments))
    module, _, name = options.pop("project").partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        serve(getattr(importlib.import_module(module), name), **options)
    except CannotServe as error:
        print(f"serving: {error}", file=sys.stderr)
        return 1
    return 0


def serve(
    project: Project,
    folder: str | Path,
    host: str = HOST,
    port: int = PORT,
    log: str | Path | None = None,
    parent: int | None = None,
    report: int | None = None,
) -> None:
    """Serves until a signal ends it.

    Args:
        project: whose models they are.
        folder: with a folder for each version.
        host: address to listen at.
        port: 0 for a free one.
        log: file of the log of requests; None for no log.
        parent: process id of the caller, with which the server ends.
        report: file descriptor that is told the address, as JSON, once a version answers, or why each is refused.

    Raises:
        CannotServe: there is nothing to serve, or no place to serve it at.
    """
    require_versions(folder)
    for name, threads in ONE_THREAD.items():
        os.environ.setdefault(name, threads)
    with _listening(host, port) as listening:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        _quiet()

        def tell(versions: Versions) -> None:
            if versions.served is None:
                _report(report, {"refused": versions.refused})
                return
            found = {"url": address, "name": project.name, "version": versions.served.traffic.champion}
            _report(report, found)
            print(
                f"Version {found['version']} answers at {address}/v1/models/{project.name}:predict (Ctrl-C ends it).",
                flush=True,
            )

        with quickly():  # a second all the same
            from serving import server

        try:
            why = server.run(project, folder, listening, log=log, parent=parent, on_first_look=tell)
        except OSError as error:
            raise CannotServe(str(error)) from error
        if why:
            raise CannotServe(why)


def _report(to: int | None, found: dict[str, Any]) -> None:
    if to is not None:
        with os.fdopen(to, "w") as opened:
            json.dump(found, opened)


def require_versions(folder: str | Path) -> None:
    """Refuses a folder that cannot be served, before anything heavy is imported.

    Raises:
        CannotServe: naming it, and what to do.
    """
    if not Path(folder).is_dir():
        raise CannotServe(f"{folder}: there is no such folder. Name the one that Pusher writes to.")
    versions = versions_in(folder)
    if not versions:
        raise CannotServe(
            f"{folder}: there is no version in it, which is a folder with a number for a name. Run the pipeline first."
        )
    if not any((one / "saved_model.pb").is_file() for one in versions.values()):
        raise CannotServe(f"{folder}: none of its {len(versions)} versions holds a SavedModel (saved_model.pb).")


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; bound before TensorFlow is loaded, so that a port that is taken is said at once."""
    if not 0 <= port < 2**16:  # of a larger one, the system takes the last 16 bits
        raise CannotServe(f"port {port}: write a number from 0 to 65535; 0 is a free one.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise CannotServe(f"{host}, port {port}: no address of this machine ({error}).") from None
    with opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(address)
            opened.listen(1024)
        except OSError as error:
            raise CannotServe(
                f"{host}, port {port}: {error.strerror or error}. Choose another one by --port; 0 is a free one."
            ) from None
        yield opened


def _quiet() -> None:
    """What a person who serves is told is this package's, not TensorFlow's."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    warnings.filterwarnings(
        "ignore", category=DeprecationWarning
    )  # FastAPI's, of KServe; TensorFlow's, of its own parts
    warnings.filterwarnings("ignore", category=UserWarning)
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
