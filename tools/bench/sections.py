"""The sections of the table, in its order, and the function that measures each."""

from __future__ import annotations

import importlib

from tools.bench.process import Row

SECTIONS = {
    "setup": "course:setup",
    "airflow": "course:airflow",
    "import": "course:imports",
    "kernel": "kernels:first_cells",
    "lesson": "course:lesson",
    "reading": "reading:reading",
    "sample": "pipeline:sample",
    "year": "pipeline:year",
    "month": "pipeline:month",
    "training": "training:training",
    "grade": "course:grade",
    "image": "image:image",
    "engines": "engines:engines",
    "steps": "steps:steps",
    "serve": "serve:serve",
    "operation": "operation:operation",
}
"""Modules of this folder, imported when their section is asked for: some load TensorFlow."""


def measure(section: str) -> list[Row]:
    """Measures one section."""
    module, _, function = SECTIONS[section].partition(":")
    return getattr(importlib.import_module(f"tools.bench.{module}"), function)()
