"""Prometheus, Alertmanager and node_exporter on this machine, for as long as a block lasts; all of them listen on 127.0.0.1 only.

`python -m operation.monitoring OUTPUT_ROOT` runs them until Ctrl-C. The programs are the system's packages, the configuration is that of
`deploy/monitoring`; what is changed in it are addresses.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from operation import alert_rules, notices
from warm.process import end_with_parent

PORT, ALERTMANAGER_PORT = 9190, 9193
"""Of the two pages. Prometheus' own are 9090 and 9093: on Debian, the system's services have them as soon as the packages are installed."""

SERVING = "127.0.0.1:8501"
"""Where a model server usually is."""

PROGRAMS = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "node_exporter": ("prometheus-node-exporter", "node_exporter"),
}
"""By what names each is found: Debian's, and its own."""

FILES = ("monitoring/metrics.prom", "retraining/metrics.prom")
"""What watches and retrainings leave in the folder that a pipeline writes to."""

PATIENCE = 120.0
"""Seconds that all may take to start: 2 on a machine that has nothing else to do."""


class MonitoringError(RuntimeError):
    """It cannot be started, or has ended; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Monitoring:
    """What runs.

    Attributes:
        prometheus: its address.
        alertmanager: its address.
        alerts: the file with what was told of alerts, a line each (`notices`).
        processes: by the names of the programs.
        folder: with a log of each.
    """

    prometheus: str
    alertmanager: str
    alerts: Path
    processes: dict[str, subprocess.Popen[bytes]]
    folder: Path

    def ask(self, path: str, **parameters: str) -> Any:
        """What Prometheus answers, as in `ask("query", query="up")`.

        Raises:
            OSError: it does not answer, or refuses.
        """
        asked = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)["data"]

    def check(self) -> None:
        """Asks whether all run.

        Raises:
            MonitoringError: one has ended.
        """
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise MonitoringError(f"{name} has ended; its log says why: {self.folder / name}.log")


def programs() -> dict[str, str]:
    """Where the programs are.

    Raises:
        MonitoringError: one is not installed.
    """
    found = {name: next(filter(None, map(shutil.which, called)), "") for name, called in PROGRAMS.items()}
    if missing := [name for name, path in found.items() if not path]:
        raise MonitoringError(
            f"Not installed: {', '.join(missing)}. Debian, Ubuntu: apt install prometheus prometheus-alertmanager prometheus-node-exporter; "
            "macOS: brew install prometheus alertmanager node_exporter."
        )
    return {name: os.path.abspath(path) for name, path in found.items()}


def configure(
    files: Path, folder: Path, serving: Sequence[str], exporter: str, alertmanager: str, receiver: str
) -> None:
    """Writes `prometheus.yml` and `alertmanager.yml` into a folder: those of `files`, with other addresses (HOST:PORT). Links the rules.

    Raises:
        MonitoringError: one of them cannot be read, or Prometheus' has no job of these two names, or names rules elsewhere.
    """
    prometheus, alerts = (
        alert_rules.loaded(files / name, MonitoringError) for name in ("prometheus.yml", "alertmanager.yml")
    )
    # Linked, so that they keep their names, which the page shows, and an edited rule is there at Prometheus' next look (SIGHUP).
    for name in prometheus.get("rule_files", []):
        first = Path(name).parts[0]
        if first in (os.sep, "..") or not (files / first).exists():
            raise MonitoringError(f"{files / 'prometheus.yml'}: rule_files has {name}, which is not in its folder.")
        (folder / first).unlink(missing_ok=True)
        (folder / first).symlink_to((files / first).absolute())
    prometheus["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    jobs = {job["job_name"]: job for job in prometheus.get("scrape_configs", [])}
    for name, targets in {"serving": list(serving), "operation": [exporter]}.items():
        if name not in jobs:
            raise MonitoringError(f"{files / 'prometheus.yml'}: scrape_configs has no job_name {name}.")
        jobs[name]["static_configs"] = [{"targets": targets}]
    # Its port is another one each time, and a series is by its labels: with this one it goes on.
    jobs["operation"]["static_configs"][0]["labels"] = {"instance": "127.0.0.1"}
    for one in (one for told in alerts["receivers"] for one in told.get("webhook_configs", [])):
        one["url"] = urllib.parse.urlsplit(one["url"])._replace(netloc=receiver).geturl()
    for name, found in (("prometheus.yml", prometheus), ("alertmanager.yml", alerts)):
        (folder / name).write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")


@contextlib.contextmanager
def start(
    files: Path,
    folder: Path,
    metrics: Sequence[Path] = (),
    *,
    serving: Sequence[str] = (SERVING,),
    port: int = PORT,
    alertmanager_port: int = ALERTMANAGER_PORT,
    tell: notices.Tell = lambda _: None,
) -> Iterator[Monitoring]:
    """All of it, until the block ends, or on Linux the process that called this, however it does.

    Args:
        files: the folder with `prometheus.yml`, `alertmanager.yml` and the rules.
        folder: for what is stored, the logs, and `alerts.jsonl`. What an earlier run has stored goes on.
        metrics: files in Prometheus' text format, which may come later.
        serving: HOST:PORT of each model server.
        port: of Prometheus' page; 0 for a free one.
        alertmanager_port: of Alertmanager's; 0 for a free one.
        tell: is called with each alert that begins or ends.

    Raises:
        MonitoringError: a program is not installed, a port is taken, or one of them did not start.
    """
    found, folder = programs(), folder.absolute()
    ports = {"prometheus": port, "alertmanager": alertmanager_port, "node_exporter": 0}
    at = {name: f"127.0.0.1:{_free(number, name)}" for name, number in ports.items()}
    folder.mkdir(parents=True, exist_ok=True)
    textfiles = folder / "textfiles"
    shutil.rmtree(textfiles, ignore_errors=True)
    textfiles.mkdir()
    for number, file in enumerate(metrics):
        (textfiles / f"{number}-{file.absolute().parent.name}.prom").symlink_to(file.absolute())
    with contextlib.ExitStack() as stack:
        receiver = notices.Receiver(folder / "alerts.jsonl", tell)
        stack.callback(receiver.server_close)
        configure(files, folder, serving, at["node_exporter"], at["alertmanager"], receiver.address)
        options = {
            "node_exporter": [
                "--collector.disable-defaults",
                "--collector.textfile",
                "--collector.textfile.directory=textfiles",
                "--web.disable-exporter-metrics",
            ],
            "alertmanager": [
                "--config.file=alertmanager.yml",
                "--storage.path=alertmanager",
                "--cluster.listen-address=",  # it has no others beside it
            ],
            "prometheus": ["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"],
        }
        processes = {}
        for name, own in options.items():
            command = [found[name], *own, f"--web.listen-address={at[name]}"]
            processes[name] = stack.enter_context(_process(command, folder / f"{name}.log"))
        stack.enter_context(receiver.running())
        pages = [f"http://{at[name]}" for name in ("prometheus", "alertmanager")]
        running = Monitoring(*pages, folder / "alerts.jsonl", processes, folder)
        _wait(running, [f"http://{at['node_exporter']}/metrics", *(f"{one}/-/ready" for one in pages)])
        yield running


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,  # Ctrl-C is for this process, which ends the others in their order
            preexec_fn=functools.partial(end_with_parent, signal.SIGTERM),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(running: Monitoring, addresses: Sequence[str]) -> None:
    """Waits until all answer."""
    end = time.monotonic() + PATIENCE
    for address in addresses:
        while not _answers(address):
            running.check()
            if time.monotonic() > end:
                raise MonitoringError(f"{address} does not answer after {PATIENCE:g} s; logs: {running.folder}/*.log")
            time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def _free(port: int, name: str) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise MonitoringError(
                f"Port {port} for {name}: {error.strerror}. For another one: make monitoring {name.upper()}_PORT={port + 1}"
            ) from None
        return int(probe.getsockname()[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all until Ctrl-C or SIGTERM; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m operation.monitoring", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output_root", type=Path, help="folder that the pipeline writes to, with what watches leave")
    parser.add_argument(
        "--serving", action="append", metavar="HOST:PORT", help=f"a model server; may be repeated (default: {SERVING})"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"of Prometheus' page (default: {PORT})")
    parser.add_argument(
        "--alertmanager-port", type=int, default=ALERTMANAGER_PORT, help=f"(default: {ALERTMANAGER_PORT})"
    )
    parser.add_argument("--files", type=Path, default=Path("deploy/monitoring"), help="configuration and rules")
    parser.add_argument("--folder", type=Path, default=Path("out/monitoring"), help="for what is stored, and logs")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what is in its background without the first
        signal.signal(number, signal.default_int_handler)
    metrics = [options.output_root / name for name in FILES]
    try:
        with start(
            options.files,
            options.folder,
            metrics,
            serving=options.serving or [SERVING],
            port=options.port,
            alertmanager_port=options.alertmanager_port,
            tell=lambda notice: print(notices.sentence(notice), flush=True),
        ) as running:
            kept = os.path.relpath(running.alerts)
            print(f"Prometheus: {running.prometheus} (Alerts: the rules; Status, Targets: what is read).")
            print(f"Alertmanager: {running.alertmanager}. What it tells is printed here, and kept in {kept}.")
            print("Ctrl-C here ends all.", flush=True)
            while True:
                time.sleep(1)
                running.check()
    except KeyboardInterrupt:
        print("Prometheus and Alertmanager were ended.")
        return 0
    except MonitoringError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
