"""Lab 3, pipeline: what the notebook imports."""

from judges.lab_3_pipeline import deliver, run, save

__all__ = ["deliver", "run", "save"]
