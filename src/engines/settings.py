"""What an engine asks of the configuration of a run: a project's own class, of whatever kind, with these attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeVar


class Settings(Protocol):
    """The configuration of a run.

    Attributes:
        pipeline_name: the name in the metadata store; letters, digits, and `-`, `_`, `.` between them. On Kubeflow it has small letters, and `-` for the others.
        data_root: folder with the data that its ExampleGen reads.
        output_root: folder of this pipeline's own: artifacts, metadata store, pushed models, and what an engine keeps beside them.
        pipeline_root: where the components write their artifacts: absolute, and a folder of `output_root`.
        metadata_path: the SQLite file of the metadata store.
        serving_root: where Pusher puts blessed models: a folder for each version.
        enable_cache: whether Kubeflow may reuse what an earlier run has made.

    It may have more, which is used where it is there: `require_inputs()` (`engines.common`), `portable()`, `volume` and `of_settings(...)` (below), and
    `tracking_uri`: a server, `http://...`, that the steps log to, or a file of SQLite (`engines.places`).
    """

    @property
    def pipeline_name(self) -> str: ...  # noqa: D102
    @property
    def data_root(self) -> str: ...  # noqa: D102
    @property
    def output_root(self) -> str: ...  # noqa: D102
    @property
    def pipeline_root(self) -> str: ...  # noqa: D102
    @property
    def metadata_path(self) -> str: ...  # noqa: D102
    @property
    def serving_root(self) -> str: ...  # noqa: D102
    @property
    def enable_cache(self) -> bool: ...  # noqa: D102


class InOutputRoot:
    """Where a run keeps what, in its `output_root`: for a configuration that has no places of its own."""

    output_root: str

    @property
    def metadata_path(self) -> str:
        """The SQLite file of the metadata store."""
        return str(Path(self.output_root) / "metadata.sqlite")

    @property
    def pipeline_root(self) -> str:
        """Where the components write their artifacts: absolute, because the metadata store keeps it for runs from other folders."""
        return str(Path(self.output_root).absolute() / "artifacts")

    @property
    def serving_root(self) -> str:
        """Where blessed models are pushed to: a folder for each version, as TensorFlow Serving reads it."""
        return str(Path(self.output_root) / "serving")


Given = TypeVar("Given", bound=Settings)


def portable(config: Given) -> Given:
    """What the configuration's own `portable()` returns, if there is one: the same run, without a file that only this machine has.

    Raises:
        ValueError: it names such a file, and there is nothing to take its place.
    """
    make = getattr(config, "portable", None)
    return make() if make else config


def volume(config: Settings) -> str:
    """The attribute `volume`: name of the claim on Kubernetes for data and pushed models; without it, `pipelines`."""
    return getattr(config, "volume", "pipelines")


def made_of(kind: type[Given], settings: dict[str, Any]) -> Given:
    """A configuration from plain data, as JSON gives them back (but with tuples for lists): by the class's `of_settings`, if it has one.

    Raises:
        TypeError: the class does not take these settings.
    """
    return getattr(kind, "of_settings", kind)(**settings)
