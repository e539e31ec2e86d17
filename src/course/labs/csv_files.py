"""Reads the monthly files as ExampleGen does."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from flights.data import INTEGER


def read(path: str | Path | io.BytesIO) -> pd.DataFrame:
    """Reads a delivery with the types that ExampleGen gives its columns.

    A column of whole numbers with gaps stays whole (`Int64`), where `pd.read_csv` turns it into decimals; an empty cell is a
    missing value, and nothing else is; a column with one cell of text is a column of text.
    """
    options = pyarrow.csv.ConvertOptions(null_values=[""], strings_can_be_null=True)
    table = pyarrow.csv.read_csv(str(path) if isinstance(path, Path) else path, convert_options=options)
    return table.to_pandas(types_mapper={INTEGER: pd.Int64Dtype(), pa.null(): pd.Int64Dtype()}.get)
