"""Lab 1, plan and data: what the notebook imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from course.checks import deliver
from course.labs.csv_files import read

__all__ = ["deliver", "read", "statistics"]


def statistics(month: str | Path | pd.DataFrame) -> Any:
    """Statistics of a delivery: of a CSV file, with the types that ExampleGen gives its columns, or of a data frame."""
    import tensorflow_data_validation as tfdv

    frame = month if isinstance(month, pd.DataFrame) else read(Path(month))
    return tfdv.generate_statistics_from_dataframe(frame.reset_index(drop=True))
