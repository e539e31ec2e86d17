"""Where a process, and all that it started, takes connections: what another machine could reach is to be seen here."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import threading
from collections.abc import Iterable, Iterator

import psutil


def of(pids: Iterable[int]) -> set[str]:
    """The addresses at which these processes, their children, and theirs, listen now: `127.0.0.1:8080`, `:::8080`."""
    found = set()
    for pid in pids:
        try:
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in processes:
            try:
                sockets = process.connections(kind="inet")  # KServe wants psutil 5, which has no net_connections
            except psutil.NoSuchProcess:
                continue  # it has ended meanwhile
            found |= {f"{one.laddr.ip}:{one.laddr.port}" for one in sockets if one.status == psutil.CONN_LISTEN}
    return found


@contextlib.contextmanager
def heard() -> Iterator[set[str]]:
    """Where this process, and all that it starts, begin to listen while this lasts, as far as five looks a second find it."""
    found: set[str] = set()
    before, ended = of([os.getpid()]), threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            found.update(of([os.getpid()]) - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def to_others(addresses: Iterable[str]) -> list[str]:
    """Those that another machine could reach."""
    return sorted(one for one in addresses if not _is_loopback(ipaddress.ip_address(one.rpartition(":")[0])))


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # Java writes 127.0.0.1 as ::ffff:127.0.0.1, of which Python 3.11 does not say that it is loopback.
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)
