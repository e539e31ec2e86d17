"""What has to be there before a run begins: the months, and a place for what it logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engines import places
from engines.errors import MissingEngineError

from . import data

if TYPE_CHECKING:
    from .config import Config


def require(config: Config) -> None:
    """Names the months that are not there; ExampleGen's driver would only name its pattern.

    Raises:
        PermissionError: the tracking store cannot be written.
        engines.errors.MissingEngineError: a Docker engine is needed, and none answers.
        data.DataError: a month is missing.
    """
    require_tracking(config)
    if config.infra_check == "docker":
        require_docker()
    if not Path(config.data_root).is_dir():
        raise data.DataError(
            f"There is no folder {config.data_root} in {Path.cwd()}. Run from the repository, or give --data-root."
            if not Path(config.data_root).is_absolute()
            else f"{config.data_root}: no such folder. Give --data-root another one."
        )
    first, last = config.months
    paths = [data.month_path(config.data_root, month) for month in range(first, last + 1)]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise data.DataError(f"{', '.join(missing)}: no such file. Is the month there? `make data` builds all twelve.")


def require_tracking(config: Config) -> None:
    """The file that runs are logged to can be written: said now, not when the model has been trained and pushed.

    Raises:
        PermissionError: it cannot.
    """
    file = places.sqlite_file(config.tracking_uri)
    if file and (place := places.unwritable(file)):
        raise PermissionError(f"--track: {place} cannot be written, and {file} is to be kept there. Name another file.")


def require_docker() -> None:
    """A Docker engine answers. Without one, TFX's InfraValidator refuses every model, and the run says that it is done.

    Raises:
        engines.errors.MissingEngineError: none does.
    """
    import docker
    from docker.errors import DockerException

    try:
        docker.from_env().ping()
    except DockerException as error:
        raise MissingEngineError(
            f"--infra-check docker: no Docker engine answers ({error}). Start one, or write --infra-check alone, which needs none."
        ) from None
