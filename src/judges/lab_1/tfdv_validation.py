"""What TFDV says about months and contracts: the means by which the checks of lab 1 judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from course import checks
from judges.shared import workspace_files

TRAINING, SERVING = "TRAINING", "SERVING"
MOST_BYTES = 1_000_000
"""Of a schema."""
MOST_LETTERS = 160
"""Of what TFDV says about a column."""


def without_histograms(frame: pd.DataFrame) -> Any:
    """Statistics to validate by, in a third of the time: a contract has nothing to say of histograms of numbers, which are for views and drift."""
    import tensorflow_data_validation as tfdv

    least = tfdv.StatsOptions(num_histogram_buckets=1, num_quantiles_histogram_buckets=1)
    return tfdv.generate_statistics_from_dataframe(frame.reset_index(drop=True), stats_options=least)


@dataclass(frozen=True)
class Anomaly:
    """What TFDV says about a column, and what sort of thing it is: columns, presence, type, value or domain (undefined)."""

    told: str
    kind: str


WHOLE = "(the month as a whole)"
KINDS = {
    "columns": ("SCHEMA_NEW_COLUMN", "SCHEMA_MISSING_COLUMN"),
    "presence": ("_PRESENT", "_SHAPE", "_NUMBER_VALUES"),
    "type": ("_TYPE", "_EXPECTED"),
}
"""Ends of the names that TFDV has for its reasons; every other reason is about values."""


def anomalies(found: Any, contract: Any, environment: str) -> dict[str, Anomaly]:
    """What in the statistics breaks the contract, by column.

    Raises:
        checks.Wrong: TFDV cannot work with the contract.
    """
    import tensorflow_data_validation as tfdv

    try:
        message = tfdv.validate_statistics(found, contract, environment=environment)
    except Exception as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise checks.Wrong(f"TFDV cannot work with your contract: {told[0][:200]}") from error
    result = {column: _anomaly(column, info, contract) for column, info in sorted(message.anomaly_info.items())}
    if message.HasField("dataset_anomaly_info"):
        result[WHOLE] = _anomaly(WHOLE, message.dataset_anomaly_info, contract)
    return result


def _anomaly(column: str, info: Any, contract: Any) -> Anomaly:
    reasons = [type(info).Type.Name(reason.type) for reason in info.reason]
    kind = next((kind for kind, ends in KINDS.items() if any(name.endswith(ends) for name in reasons)), "value")
    told = info.description.strip()
    if not told and words(contract, column) is None:
        return Anomaly("its domain is not defined in the contract", "domain")
    return Anomaly(told or info.short_description.strip() or "TFDV says no more", kind)


def words(contract: Any, column: str) -> set[str] | None:
    """The words that a contract allows in a column; none if it names no domain. None: it names one and does not define it."""
    for feature in contract.feature:
        if feature.name == column and feature.HasField("string_domain"):
            return set(feature.string_domain.value)
        if feature.name == column and feature.HasField("domain"):
            return next((set(found.value) for found in contract.string_domain if found.name == feature.domain), None)
    return set()


def type_said(contract: Any, column: str) -> str:
    """The type that a contract gives a column: INT, FLOAT, BYTES or another; nothing where it does not know the column."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    return next((schema_pb2.FeatureType.Name(one.type) for one in contract.feature if one.name == column), "")


def type_held(found: Any, column: str) -> str:
    """The type that a column has in statistics: INT, FLOAT, STRING or another; nothing where there is no such column."""
    features = found.datasets[0].features
    return next((type(feature).Type.Name(feature.type) for feature in features if [*feature.path.step] == [column]), "")


def contract(lab: checks.Lab, name: str) -> Any:
    """The schema in a folder of the workspace.

    Raises:
        checks.Wrong: there is none, or it cannot be used.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    shown = f"{name}/schema.pbtxt"
    path = workspace_files.inside(lab, shown)
    if not path.is_file():
        raise checks.Wrong(
            f"There is no file `{shown}` in your workspace. `tfdv.write_schema_text(contract, path)` writes one."
        )
    if path.stat().st_size > MOST_BYTES:
        raise checks.Wrong(f"`{shown}` is larger than a megabyte. Does a domain list every value of a column?")
    try:
        found = text_format.Parse(path.read_bytes(), schema_pb2.Schema())
    except (text_format.ParseError, ValueError) as error:
        raise checks.Wrong(f"`{shown}` is not a schema in text form: {str(error)[:200]}") from error
    absent = {TRAINING, SERVING} - set(found.default_environment)  # TFDV itself demands them
    if absent:
        raise checks.Wrong(
            f"`{shown}` does not know the environment{'s' * (len(absent) > 1)} {' and '.join(sorted(absent))}: look at "
            "`contract.default_environment`."
        )
    return found


def listed(found: dict[str, Anomaly], most: int = 3) -> str:
    """Anomalies as a piece of a sentence."""
    shown = [f"`{column}` ({what.told[:MOST_LETTERS].rstrip('.')})" for column, what in list(found.items())[:most]]
    return ", ".join(shown) + (f" and {len(found) - most} more" if len(found) > most else "")
