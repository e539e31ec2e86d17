"""Runs the pipeline as the local runner does, and has Flink do the work of those components that use Beam."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from apache_beam.runners.worker import data_plane
from tfx.dsl.placeholder.placeholder import environment_variable
from tfx.dsl.placeholder.placeholder_base import Placeholder

from engines import local
from engines.common import NodeReport, Report, one_at_a_time, require_inputs
from engines.errors import EngineError
from engines.flink.job_server import LOG, find_jars, find_java, job_server
from engines.flink.workers import worker_pool
from engines.settings import Settings

EMBEDDED = "[local]"
"""A Flink inside the job server: all of it, for one run, in one Java process."""

ADDRESSES = {"--job_endpoint": "ENGINES_FLINK_JOBS", "--environment_config": "ENGINES_FLINK_WORKERS"}
"""The options that hold an address, and the environment variables from which TFX reads it."""

GOODBYES = ("Multiplexer hanging up", "Received RST_STREAM with error code 8")
"""How a worker hears that Flink has closed its connections: in Beam's words, or, where the machine is busy, in those of HTTP/2 (8: cancelled)."""

JOB_FAILED = re.compile(r"Pipeline \S+ failed in state")
"""How Beam begins the message about a job that failed."""

PYTHON_ERROR = re.compile(r"[\w.]*(Error|Exception): \S")


def beam_args(endpoint: str, workers: str, parallelism: int) -> list[str]:
    """What Beam is told, for a job server and a pool of workers at these addresses."""
    return [
        "--runner=PortableRunner",
        f"--job_endpoint={endpoint}",
        # Flink has the Python of a step done by this very process, as with LOOPBACK, which would listen on every network. On a
        # cluster of several machines it is done by an image with TFX and the pipeline's package in it: `engines.beam`.
        "--environment_type=EXTERNAL",
        f"--environment_config={workers}",
        f"--parallelism={parallelism}",
        # As in `engines.beam.BEAM_ARGS`: nobody needs TFX's source packed.
        "--sdk_container_image=unused",
    ]


def run(
    config: Settings,
    create: local.Create,
    report: Report = lambda _: None,
    flink_master: str = "",
    parallelism: int = 1,
    first: str = "",
    last: str = "",
) -> list[NodeReport]:
    """Runs every component once, in order, and stops at the first that fails.

    Args:
        config: the run.
        create: as for `engines.local.run`.
        report: called after each node.
        flink_master: `host:port` of a Flink cluster; without, the environment variable FLINK_MASTER; without that, a Flink
            of this run's own.
        parallelism: how many slots of Flink a job may use.
        first: as for `engines.local.run`.
        last: as for `engines.local.run`.

    Raises:
        engines.errors.AlreadyRunningError: another process runs this pipeline in the same folder.
        engines.errors.MissingEngineError: no Java, or no jars.
        engines.errors.EngineError: Flink's job server did not start or was lost, or a job failed on it.
        engines.errors.BadData: the data cannot be read, or break the contract.
    """
    require_inputs(config)
    find_java(), find_jars()
    folder = Path(config.output_root).absolute() / "flink"
    log = folder / LOG
    with one_at_a_time(folder), engine(folder, flink_master, parallelism) as options:
        try:
            return local.run(config, create, report, steady(options), first=first, last=last)
        except grpc.RpcError as error:
            raise EngineError(f"Flink's job server was lost in mid-run; its log: {log}") from error
        except RuntimeError as error:
            if not JOB_FAILED.match(str(error)):
                raise
            raise EngineError(f"{_reason(str(error))} (a job on Flink failed; the whole story: {log})") from error


@contextmanager
def engine(folder: Path, flink_master: str = "", parallelism: int = 1) -> Iterator[list[str]]:
    """A Flink for the length of the block, for any pipeline of Beam.

    Args:
        folder: of its own, for its log and what it stages.
        flink_master: as for `run`.
        parallelism: as for `run`.

    Yields:
        What Beam is told in order to use it.

    Raises:
        engines.errors.MissingEngineError, engines.errors.EngineError: as for `run`.
    """
    master = flink_master or os.environ.get("FLINK_MASTER", "") or EMBEDDED
    require_cluster(master)
    with job_server(folder, master) as endpoint, worker_pool() as workers, _quiet_goodbyes():
        yield beam_args(endpoint, workers, parallelism)


def steady(options: list[str]) -> list[str | Placeholder]:
    """The same options for TFX's cache: the addresses, which are others in each run, are looked up when a component runs.

    What Beam is told is part of a component's key in the cache; with a new port in it nothing would ever be found there.
    """
    found: list[str | Placeholder] = []
    for option in options:
        name, _, value = option.partition("=")
        variable = ADDRESSES.get(name)
        if variable:
            os.environ[variable] = value
        found.append(f"{name}=" + environment_variable(variable) if variable else option)
    return found


def require_cluster(master: str) -> None:
    """Says that a cluster is not there; a job would only time out.

    Raises:
        engines.errors.EngineError: nothing answers at the address.
    """
    host, _, port = master.rpartition(":")
    try:
        if master != EMBEDDED:
            socket.create_connection((host, int(port)), 5).close()
    except (OSError, ValueError):
        raise EngineError(
            f"No Flink cluster answers at {master!r} (FLINK_MASTER is host:port). `make flink-cluster` starts one on this machine; "
            "without FLINK_MASTER a run has a Flink of its own."
        ) from None


def _reason(story: str) -> str:
    """The exception that Python raised in a job, out of the traces of Java and Python that are wrapped around it."""
    said = [line.strip() for line in story.splitlines() if PYTHON_ERROR.match(line.strip())]
    return said[-1] if said else story.splitlines()[0]


@contextmanager
def _quiet_goodbyes() -> Iterator[None]:
    """Says nothing of the workers' connections that Flink closes at the end of each job.

    Beam's workers take that for an error: they log it, and their threads die of it, with a trace each, after their work is done. A
    job that fails is told by its result.
    """
    told, logger = threading.excepthook, logging.getLogger(data_plane.__name__)

    def tell(ended: threading.ExceptHookArgs) -> None:
        if not _is_goodbye(ended.exc_value):
            told(ended)

    def passes(record: logging.LogRecord) -> bool:
        return not (record.exc_info and _is_goodbye(record.exc_info[1]))

    threading.excepthook = tell
    logger.addFilter(passes)
    try:
        yield
    finally:
        threading.excepthook = told
        logger.removeFilter(passes)


def _is_goodbye(error: BaseException | None) -> bool:
    return isinstance(error, grpc.RpcError) and any(goodbye in str(error) for goodbye in GOODBYES)
