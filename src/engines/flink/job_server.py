"""Starts Beam's job server for Flink, waits until it listens, and stops it however the block ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.errors import EngineError, MissingEngineError
from engines.flink import guard

DRIVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"

LOG = "job-server.log"

OLDEST_JAVA = 11

OPENED = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "time", "util", "util.concurrent")
"""Packages of Java that Flink looks into by reflection, which Java 17 refuses unless told."""

ADD_OPENS = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in OPENED]

BRIEF = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
"""The first of Java's two compilers only, and the collector with one thread. A job server lives for one pipeline of minutes, in which Beam's workers
do what takes long, in Python: the second compiler's work would not be paid back. Without it a run of the sample takes a quarter less."""

AGENT = "loopback-agent.jar"
"""Keeps Beam's servers to this machine (`deploy/flink/src`): Beam has no option for it."""

STARTED = re.compile(r"JobService started on (\S+:\d+)")
"""What the server logs once it listens. It chooses free ports itself, so that two servers never want the same."""

PATIENCE = 120
"""Seconds that the server may take to start: 2 on a machine that has nothing else to do."""


def find_java() -> str:
    """The `java` of JAVA_HOME, or of the PATH.

    Raises:
        MissingEngineError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    advice = "Install Java 17 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17), then: make flink"
    if java is None:
        raise MissingEngineError(f"Flink runs in Java, and there is no `java` here. {advice}")
    # macOS has a `java` that only says that there is none.
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r'version "(\d+)', said.stderr)
    if said.returncode or not found or int(found[1]) < OLDEST_JAVA:
        version = found[1] if found else "unknown"
        raise MissingEngineError(f"Flink needs Java {OLDEST_JAVA} or newer, and {java} is Java {version}. {advice}")
    return java


def find_jars() -> Path:
    """The folder of the jars: FLINK_JARS, or where `make flink` puts them.

    Raises:
        MissingEngineError: they were not fetched yet.
    """
    folder = Path(os.environ.get("FLINK_JARS") or Path(__file__).parents[3] / ".tools" / "flink" / "lib")
    if not any(folder.glob("beam-runners-flink-*.jar")) or not (folder / AGENT).is_file():
        raise MissingEngineError(
            f"The jars of Flink and of Beam's job server are not in {folder}, or not all of them. "
            "`make flink` fetches them once (150 MB); it needs Java 17 and Maven (apt-get install maven, or brew install maven)."
        )
    return folder


@contextmanager
def job_server(folder: Path, flink_master: str) -> Iterator[str]:
    """A job server for the length of the block, which listens on this machine only and does not outlive this process either.

    Args:
        folder: of the server's own: its log `job-server.log`, and what it stages, which is deleted at the end.
        flink_master: `[local]` for a Flink inside the server, or `host:port` of a cluster.

    Yields:
        The address that jobs are sent to.

    Raises:
        MissingEngineError: no Java, or no jars.
        EngineError: the server did not start.
    """
    java, jars = find_java(), find_jars()
    staging, conf, log = folder / "staging", folder / "conf", folder / LOG
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    staging.mkdir(parents=True)
    conf.mkdir(exist_ok=True)
    (conf / "config.yaml").write_text("".join(f"{key}: {value}\n" for key, value in bind_here(staging).items()))
    command = [
        java,
        *ADD_OPENS,
        *BRIEF,
        f"-javaagent:{jars / AGENT}",
        # Flink's own scratch, too, is to be found and deleted.
        f"-Djava.io.tmpdir={staging}",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss",
        # Beam's view of a job is a page, Flink's view of each task a book.
        *(f"-Dorg.slf4j.simpleLogger.log.org.apache.{name}=warn" for name in ("flink", "pekko")),
        *("-cp", f"{jars}/*", DRIVER),
        *("--job-host=127.0.0.1", "--job-port=0", "--artifact-port=0", "--expansion-port=0"),
        f"--artifacts-dir={staging}",
        f"--flink-conf-dir={conf}",
        f"--flink-master={flink_master}",
    ]
    try:
        with guarded(command, log) as process:
            yield _address(process, log)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def bind_here(tmp: Path) -> dict[str, object]:
    """Settings of Flink that keep it to this machine, and its scratch to a folder."""
    return {
        "jobmanager.bind-host": "127.0.0.1",  # of its files' server as well
        "taskmanager.bind-host": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "io.tmp.dirs": str(tmp),
    }


@contextmanager
def guarded(command: list[str], log: Path) -> Iterator[subprocess.Popen]:
    """Runs a command for the length of the block, and not longer, even if this process is killed meanwhile.

    Args:
        command: with its options.
        log: what it says goes there.

    Yields:
        The process that guards it, and ends when it ends.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which ends the command when it is done with it.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen, log: Path) -> str:
    """Waits until the server says where it listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended = process.poll() is not None
        if found := STARTED.search(log.read_text(errors="replace")):
            return found[1]
        if ended:
            raise EngineError(f"Flink's job server ended while it started; its log says why: {log}")
        time.sleep(0.1)
    raise EngineError(f"Flink's job server did not start within {PATIENCE} s; its log: {log}")
