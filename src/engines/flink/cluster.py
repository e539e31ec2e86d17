"""A standalone Flink cluster on this machine, as many machines would form one: a job manager with its web page, and a task manager.

`python -m engines.flink.cluster` runs it until Ctrl-C; `make flink-cluster` fetches the distribution first.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.errors import EngineError, MissingEngineError
from engines.flink.job_server import ADD_OPENS, AGENT, bind_here, find_jars, find_java, guarded

PORT = 8081
"""Where Flink's web page usually is."""

MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"

WORKER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

FLAGS = "org.apache.flink.runtime.util.bash.BashJavaUtils"
"""What Flink's own start scripts ask how the memory is to be divided."""

RESULT = "BASH_JAVA_UTILS_EXEC_RESULT:"

LOGGING = """
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %-5p %-40c{1} %m%n
"""

PATIENCE = 120
"""Seconds that the cluster may take to start: 6 on a machine that has nothing else to do."""


def find_distribution() -> Path:
    """The folder of Flink's distribution: FLINK_DISTRIBUTION, or where `make flink-cluster` puts it.

    Raises:
        MissingEngineError: it was not fetched yet.
    """
    folder = Path(os.environ.get("FLINK_DISTRIBUTION") or Path(__file__).parents[3] / ".tools" / "flink" / "cluster")
    if not (folder / "bin" / "bash-java-utils.jar").is_file():
        raise MissingEngineError(
            f"The distribution of Flink is not in {folder}. `make flink-cluster` fetches it once (230 MB)."
        )
    return folder


def settings(folder: Path, port: int, slots: int) -> dict[str, object]:
    """Flink's configuration: everything listens on this machine only, and writes into the folder.

    Args:
        folder: for what it writes while it runs.
        port: of the web page.
        slots: how many tasks run side by side.
    """
    here = bind_here(folder / "tmp")
    return here | {
        "rest.address": "127.0.0.1",
        "rest.port": port,
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": _free_port(),
        "jobmanager.memory.process.size": "1024m",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.memory.process.size": "2048m",
        # A job of TFX has hundreds of tasks, and each that hands on data wants buffers: 512 of them, were it Flink's own choice.
        "taskmanager.memory.network.min": "512m",
        "taskmanager.memory.network.max": "512m",
        "taskmanager.network.sort-shuffle.min-buffers": 64,
        "taskmanager.numberOfTaskSlots": slots,
        "web.tmpdir": str(folder / "tmp"),
        # What the web page shows as their logs.
        "web.log.path": str(folder / "job-manager.log"),
        "taskmanager.log.path": str(folder / "task-manager.log"),
    }


@contextmanager
def cluster(folder: Path, port: int = PORT, slots: int = 2) -> Iterator[str]:
    """A cluster for the length of the block, which does not outlive this process either.

    Args:
        folder: of its own: `conf`, the logs `job-manager.log` and `task-manager.log`, and `tmp`, which is deleted at the end.
        port: of its web page, which is also where jobs are handed in.
        slots: of its one task manager.

    Yields:
        Its address, for FLINK_MASTER.

    Raises:
        MissingEngineError: no Java, or no distribution.
        EngineError: the port is taken, or Flink did not start.
    """
    java, distribution = find_java(), find_distribution()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise EngineError(
                f"Port {port} is taken: does a Flink cluster run already? For another port: make flink-cluster FLINK_PORT={port + 1}"
            ) from None
    conf, tmp = folder / "conf", folder / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)  # of a cluster that was killed
    conf.mkdir(parents=True, exist_ok=True)
    tmp.mkdir()
    lines = [f"{key}: {json.dumps(value)}" for key, value in settings(folder, port, slots).items()]
    (conf / "config.yaml").write_text("\n".join(lines) + "\n")
    (conf / "log4j.properties").write_text(LOGGING)
    # In a cluster, the servers that Beam's workers are connected to are the task manager's.
    run = [java, *ADD_OPENS, f"-javaagent:{find_jars() / AGENT}"]
    run += [f"-Dlog4j.configurationFile={conf}/log4j.properties", f"-Djava.io.tmpdir={tmp}"]
    classes = ["-cp", f"{distribution}/lib/*"]
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, tmp, ignore_errors=True)
        processes = []
        for name, program, flags in (
            ("job-manager", MANAGER, "GET_JM_RESOURCE_PARAMS"),
            ("task-manager", WORKER, "GET_TM_RESOURCE_PARAMS"),
        ):
            memory, dynamic = _flags(java, distribution, conf, flags)
            command = [*run, *memory, *classes, program, "--configDir", str(conf), *dynamic]
            processes.append(stack.enter_context(guarded(command, folder / f"{name}.log")))
        _wait(processes, port, slots, folder)
        yield f"localhost:{port}"


def overview(port: int) -> dict[str, int]:
    """What the cluster says of itself, for example `slots-total` and `jobs-finished`; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/overview", timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


def _flags(java: str, distribution: Path, conf: Path, command: str) -> tuple[list[str], list[str]]:
    """How Flink divides the memory: flags for Java, and settings for the program."""
    classes = f"{distribution}/bin/bash-java-utils.jar:{distribution}/lib/*"
    said = subprocess.run(
        [java, "-cp", classes, FLAGS, command, "--configDir", str(conf)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    found = [line.removeprefix(RESULT).split() for line in said.stdout.splitlines() if line.startswith(RESULT)]
    if said.returncode or not found:
        raise EngineError(f"Flink could not divide the memory: {(said.stderr or said.stdout).strip()[-500:]}")
    return found[0], found[1] if len(found) > 1 else []


def _wait(processes: list[subprocess.Popen], port: int, slots: int, folder: Path) -> None:
    """Waits until all slots have reported."""
    end = time.monotonic() + PATIENCE
    while overview(port).get("slots-total", 0) < slots:
        if any(process.poll() is not None for process in processes):
            raise EngineError(f"Flink ended while it started; its logs say why: {folder}/*.log")
        if time.monotonic() > end:
            raise EngineError(f"Flink did not start within {PATIENCE} s; its logs: {folder}/*.log")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(arguments: list[str] | None = None) -> int:
    """Runs a cluster until Ctrl-C or SIGTERM; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engines.flink.cluster", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=PORT, help=f"of the web page (default: {PORT})")
    parser.add_argument("--slots", type=int, default=2, help="how many tasks run side by side (default: 2)")
    parser.add_argument(
        "--folder", type=Path, default=Path("out/flink-cluster"), help="for its logs (default: out/flink-cluster)"
    )
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what is in its background without the first
        signal.signal(number, signal.default_int_handler)
    silent = 0
    try:
        with cluster(options.folder.absolute(), options.port, options.slots) as address:
            print(f"Flink runs, and http://{address} shows its jobs. It is used by a run on Flink", flush=True)
            print(f"that finds in its environment FLINK_MASTER={address}", flush=True)
            print("Ctrl-C here ends it.", flush=True)
            while silent < 10:
                time.sleep(1)
                silent = 0 if overview(options.port) else silent + 1
            raise EngineError(f"Flink does not answer any more; its logs: {options.folder}/*.log")
    except KeyboardInterrupt:
        print("Flink was ended.")
        return 0
    except (EngineError, MissingEngineError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
