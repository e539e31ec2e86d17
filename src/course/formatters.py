"""Tells IPython to show TFX's objects with our views."""

from __future__ import annotations


def register() -> None:
    """Registers the views for the last expression of a cell. Does nothing outside IPython."""
