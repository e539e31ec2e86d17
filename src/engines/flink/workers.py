"""Has this process do the Python of Flink's jobs: Flink asks it for a worker, and the worker takes its work from Flink."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor

STATE_CACHE = 100 << 20
"""Bytes that a worker may keep of side inputs; Beam's own default."""

UNLIMITED_PINGS = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]


@contextmanager
def worker_pool() -> Iterator[str]:
    """Gives out workers, threads of this process, for the length of the block.

    It is what `--environment_type=LOOPBACK` does. That one listens on every network that the machine is on, though, and who asks it
    for a worker has code of theirs run.

    Yields:
        The address, on this machine only.
    """
    server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=UNLIMITED_PINGS)
    pool = BeamFnExternalWorkerPoolServicer(state_cache_size=STATE_CACHE)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(1).wait()
