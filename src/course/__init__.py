"""What a lesson imports in order to teach: quiet logs, house style, views of TFX's objects, concept figures, controls, exercises.

Light on purpose: nothing here imports TensorFlow or TFX until a view needs it. `README.md` has a line for each module.
"""

from __future__ import annotations

import importlib
from typing import Any

from course.begin import begin
from course.controls import explore
from course.display import show
from course.exercises import exercise

__all__ = ["begin", "exercise", "explore", "figures", "show", "style", "views"]


def __getattr__(name: str) -> Any:
    """Imports `course.figures`, `course.style` and `course.views` when they are first used."""
    if name in ("figures", "style", "views"):
        return importlib.import_module(f"course.{name}")
    raise AttributeError(f"module 'course' has no attribute {name!r}; it offers: {', '.join(__all__)}")
