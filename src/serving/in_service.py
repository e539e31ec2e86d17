"""Which version is in service, and where it comes from: what the traffic file says (`serving.traffic`), or else the newest. Imports no TFX."""

from __future__ import annotations

from pathlib import Path

from engines.lineage import Lineage, LineageError
from engines.lineage_records import Version
from serving.disagreements import answering


def version_in_service(lineage: Lineage, serving_root: str | Path, pipeline: str = "") -> Version | None:
    """Where the version that answers comes from; None where there is none.

    Args:
        lineage: of the metadata store.
        serving_root: Pusher's folder.
        pipeline: whose versions are there.

    Raises:
        LineageError: this store does not know it, or its model is gone.
        serving.traffic.TrafficError: the traffic file cannot be followed.
    """
    served = answering(Path(serving_root))
    if served is None:
        return None
    found = lineage.version(served.champion, pipeline, str(serving_root))
    if not found.model.is_there:
        raise LineageError(
            f"Version {served.champion} is in service, and the folder of its model, {found.model.uri}, is gone: no candidate can be held against it."
        )
    return found
