"""The configuration of a run, and the calendar of its data. It imports no TFX."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from engines.airflow.calendar import Calendar

YEARS = Calendar("years", "year", start="2019-01-01", first=2019, last=2022, files="{span}/harvest.csv")


@dataclasses.dataclass(frozen=True)
class Config:
    """What an engine asks for, the years, and what the model must show."""

    data_root: str
    output_root: str
    years: tuple[int, int] = (2019, 2019)
    pipeline_name: str = "grains"
    enable_cache: bool = True
    min_accuracy: float = 0.6

    @property
    def pipeline_root(self) -> str:
        """Where the artifacts are."""
        return str(Path(self.output_root).absolute() / "artifacts")

    @property
    def metadata_path(self) -> str:
        """The metadata store."""
        return str(Path(self.output_root) / "metadata.sqlite")

    @property
    def serving_root(self) -> str:
        """Where blessed models go."""
        return str(Path(self.output_root) / "serving")
