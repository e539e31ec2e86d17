"""Makes the table of the second project: grains of three varieties, a file a year."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

GRAINS = 150
"""A year."""

MIDDLES = {
    "length_mm": (5.5, 6.2, 5.2),
    "width_mm": (3.2, 3.7, 2.8),
    "weight_mg": (38, 49, 31),
    "groove_mm": (5.1, 6.0, 5.1),
}
"""Of each variety."""


def write(folder: Path, years: range) -> Path:
    """Writes `YEAR/harvest.csv` for each year; the same rows each time."""
    for year in years:
        random = np.random.default_rng(year)
        variety = random.integers(0, 3, GRAINS)
        columns = {
            name: np.array(middles)[variety] * random.normal(1, 0.06, GRAINS) for name, middles in MIDDLES.items()
        }
        (folder / str(year)).mkdir(parents=True)
        pd.DataFrame(columns).round(3).assign(variety=variety).to_csv(folder / str(year) / "harvest.csv", index=False)
    return folder
