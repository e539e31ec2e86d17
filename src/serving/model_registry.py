"""Kubeflow's Model Registry, by its client: the versions of the registry here registered there, with the same properties.

A server is reached at an address such as http://localhost:8080, on a cluster by `kubectl port-forward`. With https, the client reads its token from the file that
`KF_PIPELINES_SA_TOKEN_PATH` names, or from the service account's. Client and server have to speak the same version of the interface: clients up to 0.3.9
speak `v1alpha3`, later ones `v1`.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
import warnings
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.registered import Entry, capital

FORMAT = ("tensorflow", "2")
"""Name and version of the format, as KServe's runtimes call a SavedModel."""

PORTS = {"http": 80, "https": 443}


class ModelRegistryError(RuntimeError):
    """The server did not do what it was asked for; the message names it, and says why."""


def publish(address: str, name: str, entries: Iterable[Entry], author: str) -> list[Entry]:
    """Registers versions that the server does not have yet, one after another; what it has already stays as it is.

    Args:
        address: of the server.
        name: of the model there.
        entries: versions, as `serving.registry.Registry.versions` gives them.
        author: is kept with each version.

    Returns:
        Those that are new there.

    Raises:
        ValueError: the address is none.
        ModelRegistryError: the server cannot be reached, refuses, or is of another version.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in PORTS or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ValueError(f"{address.split('@')[-1]}: write the address of a server, such as http://localhost:8080.")
    host = f"{parts.scheme}://{parts.hostname}"
    try:
        client = _client(host, parts.port or PORTS[parts.scheme], author, parts.scheme == "https")
        return [entry for entry in entries if entry.is_recorded and _publish(client, name, entry)]
    except Exception as error:  # of the client, of what it is generated with, of aiohttp
        theirs = type(error).__module__.startswith(("model_registry.", "mr_openapi.", "aiohttp."))
        if not theirs and not isinstance(error, OSError):
            raise
        status = getattr(error, "status", None)
        why = _reason(error)
        if status == 404:
            why = "it does not know the path: it speaks another version of the interface than the client (model-registry) here"
        raise ModelRegistryError(f"{host}:{parts.port or PORTS[parts.scheme]}: {why}.") from error


def properties(entry: Entry) -> dict[str, str | float]:
    """What is kept of a version: its tags, metrics as numbers, and its number in the registry here."""
    kept: dict[str, str | float] = {key: value for key, value in entry.tags.items() if not key.startswith("metric/")}
    return kept | {f"metric/{key}": value for key, value in entry.metrics.items()} | {"number": str(entry.number)}


def _publish(client: Any, name: str, entry: Entry) -> bool:
    """Model, version and artifact are three requests; what one that was cut off has left is gone on from."""
    model = client.get_registered_model(name)
    version = client.get_model_version(name, entry.version) if model else None
    if version is None:
        client.register_model(
            name,
            entry.source,
            version=entry.version,
            model_format_name=FORMAT[0],
            model_format_version=FORMAT[1],
            version_description=f"{capital(str(entry))} of {name}",
            metadata=properties(entry),
        )
        return True
    if client.get_model_artifact(name, entry.version) is None:
        # The client has no public way to add the artifact of a version that is there.
        client.async_runner(
            client._register_model_artifact(
                version, name, entry.source, model_format_name=FORMAT[0], model_format_version=FORMAT[1]
            )
        )
        return True
    return False


def _client(host: str, port: int, author: str, is_secure: bool) -> Any:
    """The client, without what its import and its making do to the process: a handler of all logs, a patched asyncio, a warning."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no token: http needs none
        try:
            from model_registry import ModelRegistry

            return ModelRegistry(
                host, port, author=author, is_secure=is_secure, log_level=logging.ERROR, async_runner=_run
            )
        finally:
            root.handlers[:], _ = handlers, root.setLevel(level)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own, since a notebook's thread has a loop that runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _reason(error: BaseException) -> str:
    said = str(getattr(error, "reason", "") or error or type(error).__name__)
    return (said.strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
