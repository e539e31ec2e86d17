"""Lab 5, Kubeflow: what the notebook imports."""

from judges.lab_5_kubeflow import build, deliver, mend, save, submit, trial, write

__all__ = ["build", "deliver", "mend", "save", "submit", "trial", "write"]
