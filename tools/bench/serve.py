"""The model server under load, beside the bare call of the model that it serves: a run of the sample pushes one, and clients are threads of this process."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tools.bench.process import REPOSITORY, Row, run

PROJECT = "flights.serving:PROJECT"


class Load(NamedTuple):
    """What clients got.

    Attributes:
        seconds: of each request, sorted.
        wall: of all.
        cpu: processor seconds of the server.
    """

    seconds: list[float]
    wall: float
    cpu: float

    @property
    def percentiles(self) -> str:
        """In words; means would hide the slow ones."""
        cuts = statistics.quantiles(self.seconds, n=100)
        return f"p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms"

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.wall


def serve() -> list[Row]:
    """A row for the start, and one for each kind of load."""
    from serving import process

    with tempfile.TemporaryDirectory() as folder:
        flights = str(Path(sys.executable).with_name("flights"))
        run([flights, "run", "--engine", "local", "--output-root", folder])
        served = Path(folder) / "serving"
        rows = sample_rows()
        (Path(folder) / "rows.json").write_text(json.dumps(rows[:100]))
        bare = json.loads(run([sys.executable, "-m", "tools.bench.serve", folder])[0].strip().splitlines()[-1])
        begun = time.monotonic()
        with process.start(PROJECT, served, log=Path(folder) / "requests.jsonl") as server:
            ready = time.monotonic() - begun
            child = psutil.Process(server.process.pid)
            used = child.cpu_times()
            found = [
                Row(
                    "`flights serve`, from its start to the first answer",
                    ready,
                    used.user + used.system,
                    child.memory_info().rss / 1e9,
                    "8 s on quiet cores",
                )
            ]
            for clients, size, requests in ((1, 1, 2000), (8, 1, 2000), (1, 100, 500), (4, 100, 500)):
                bodies = bodies_of(rows, size)
                load(server.port, bodies, clients, requests // 10)  # the first ones find nothing cached
                found.append(row(load(server.port, bodies, clients, requests, child), clients, size, bare))
    return found


def row(measured: Load, clients: int, size: int, bare: dict[str, float]) -> Row:
    """The line of a load.

    Args:
        measured: what clients got.
        clients: how many asked at once.
        size: flights a request.
        bare: seconds of the bare call, the median, by the size of the request.
    """
    call = bare[str(size)]
    target = f"p50 {(1.5 * call + 0.001) * 1e3:.1f} ms" if clients == 1 and size == 1 else ""
    target = "30,000 flights a second" if size == 100 else target
    who = f"{clients} clients" if clients > 1 else "one client"
    what = "a flight a request" if size == 1 else f"{size} flights a request"
    rate = f"{measured.rate:,.0f} requests and {measured.rate * size:,.0f} flights a second"
    remark = f"{rate}; {measured.percentiles}; the bare call: {call * 1e3:.2f} ms"
    count = f"{len(measured.seconds):,} requests"
    return Row(f"{count} to `flights serve`, {what}, {who}", measured.wall, measured.cpu, 0, target, remark)


def load(port: int, bodies: Sequence[bytes], clients: int, requests: int, server: psutil.Process | None = None) -> Load:
    """Asks a server, each client on one connection, the next question as soon as there is an answer.

    Raises:
        RuntimeError: a request was not answered.
    """
    found: list[float] = []
    faults: list[str] = []

    def ask(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            for body in itertools.islice(itertools.cycle(bodies), first, first + requests // clients):
                begun = time.perf_counter()
                connection.request("POST", "/v1/models/flights:predict", body)
                reply = connection.getresponse()
                said = reply.read()
                found.append(time.perf_counter() - begun)
                if reply.status != 200:
                    faults.append(said.decode()[:500])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    before, begun = server.cpu_times() if server else None, time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - begun
    after = server.cpu_times() if server else None
    if faults or len(found) < requests // clients * clients:
        raise RuntimeError(f"of {requests} requests, {len(found)} were answered. {faults[:1]}")
    cpu = after.user + after.system - before.user - before.system if before and after else 0.0
    return Load(sorted(found), wall, cpu)


def sample_rows() -> list[dict[str, Any]]:
    """Flights of January, as a client sends them: without the label, null for what is not known."""
    from flights import data
    from flights.columns import LABEL

    month = data.read_month(REPOSITORY / "data" / "flights", 1).drop(columns=LABEL)
    return json.loads(month.to_json(orient="records"))  # type: ignore[no-any-return]


def bodies_of(rows: Sequence[dict[str, Any]], size: int) -> list[bytes]:
    """Requests of so many rows each."""
    parts = [rows[first : first + size] for first in range(0, len(rows) - size + 1, size)]
    return [json.dumps({"instances": part}).encode() for part in parts]


def bare_calls(folder: Path) -> dict[str, float]:
    """Median seconds of the model's own signature, in this process and without a server, by rows a call."""
    from flights.serving import PROJECT as project
    from serving.models import load as load_version
    from serving.models import versions_in

    model = load_version(max(versions_in(folder / "serving").items())[1], project)
    examples = project.encode(project.check(json.loads((folder / "rows.json").read_text())))
    found = {}
    for size in (1, 100):
        taken = []
        for _ in range(1000):
            begun = time.perf_counter()
            model.predict(examples[:size])
            taken.append(time.perf_counter() - begun)
        found[str(size)] = statistics.median(taken)
    return found


if __name__ == "__main__":
    print(json.dumps(bare_calls(Path(sys.argv[1]))))
