"""Doing something around the import of a module, whenever somebody imports it: heavy modules stay lazy."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

Around = Callable[[ModuleType], AbstractContextManager[None]]


def around(name: str, wrapper: Around) -> None:
    """Has `wrapper(module)` entered before the code of the module `name` runs, and left after it.

    A module that is imported already gets entered and left at once. To ask twice for the same name is to ask once.
    """
    if any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder(name, wrapper))
    if name in sys.modules:
        with wrapper(sys.modules[name]):
            pass


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module as Python would, and runs its own loader inside the wrapper."""

    def __init__(self, name: str, wrapper: Around) -> None:
        self.name, self._wrapper = name, wrapper
        self._loader: importlib.abc.Loader | None = None

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name == self.name else None
        if spec is None or spec.loader is None:
            return None
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module's own loader stands in its spec, as if nothing had happened.
        module.__spec__.loader = module.__loader__ = self._loader
        with self._wrapper(module):
            self._loader.exec_module(module)
