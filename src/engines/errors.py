"""Errors that engines raise, and the one that they tell apart: a project derives its own from it."""

from __future__ import annotations


class BadData(ValueError):
    """The data are bad: another try would fail as well, so an engine that tries again does not. A project's own errors inherit from it."""


class AlreadyRunningError(RuntimeError):
    """Another run uses the same output folder."""


class MissingEngineError(RuntimeError):
    """The engine is not on this machine; the message says how to get it."""


class EngineError(RuntimeError):
    """A component failed, or the engine did; the message says which, and where its log is."""
