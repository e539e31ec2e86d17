"""Beam keeps what it would work out again for every step of a pipeline, which was a fifth of a small pipeline's work. What it does stays the same.

Beam reads the signatures of all methods of a step some ten times, and builds a parser of its options whenever it looks at one of them.
For each function that it sends to a worker it looks through the names of all modules, and for each side input of a bundle it measures
how large that is in its cache, where it first looks through all modules as well. Of those, a process with TFX has four thousand.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from inspect import Signature
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

LOADED = (
    "apache_beam.options.pipeline_options",
    "apache_beam.transforms.core",
    "apache_beam.typehints.decorators",
    "apache_beam.transforms.userstate",
    "apache_beam.internal.cloudpickle.cloudpickle",
    "apache_beam.runners.portability.fn_api_runner.worker_handlers",
)


def keep() -> None:
    """Begins to keep and to spare what this module says, in this process and its forks; does nothing where Beam is not loaded."""
    if not all(name in sys.modules for name in LOADED):
        return
    options, core, decorators, userstate, pickler, workers = (sys.modules[name] for name in LOADED)
    if hasattr(options.PipelineOptions.view_as, "__wrapped__"):
        return
    options.PipelineOptions.view_as = _kept_views(options.PipelineOptions.view_as)
    core.get_signature = decorators.get_signature = _kept_signatures(decorators.get_signature)
    userstate.get_dofn_specs = _specs_where_there_are(userstate.get_dofn_specs, core._DoFnParam)
    pickler._find_imported_submodules = _imported_submodules
    # A cache of what comes from the runner: of use to workers elsewhere, but those of a FnApiRunner read it in the same process.
    workers.STATE_CACHE_SIZE_MB = 0


def _kept_signatures(read: Callable[[Any], Signature]) -> Callable[[Any], Signature]:
    """`get_signature`, which reads that of a function once: as long as it has the same code and defaults."""
    known: WeakKeyDictionary[FunctionType, dict[bool, tuple[object, object, Signature]]] = WeakKeyDictionary()

    @functools.wraps(read)
    def get_signature(func: Any) -> Signature:
        function = func.__func__ if type(func) is MethodType else func
        if type(function) is not FunctionType:
            return read(func)
        kept, is_bound = known.setdefault(function, {}), func is not function
        code, defaults, signature = kept.get(is_bound, (None, None, None))
        if signature is None or code is not function.__code__ or defaults is not function.__defaults__:
            signature = read(func)
            kept[is_bound] = function.__code__, function.__defaults__, signature
        return signature

    return get_signature


def _kept_views(make: Callable[[Any, type], Any]) -> Callable[[Any, type], Any]:
    """`view_as`, which makes one view of each kind: a view has no values of its own, it reads and writes those of the options."""
    known: WeakKeyDictionary[Any, dict[type, Any]] = WeakKeyDictionary()

    @functools.wraps(make)
    def view_as(options: Any, cls: type) -> Any:
        views = known.setdefault(options, {})
        view = views.get(cls)
        if view is None or view._all_options is not options._all_options or view._flags is not options._flags:
            view = views[cls] = make(options, cls)
        return view

    return view_as


def _specs_where_there_are(read: Callable[[Any], tuple[set, set]], parameter: type) -> Callable[[Any], tuple[set, set]]:
    """`get_dofn_specs`, which looks closer only where some method has a default that Beam fills in, as those of states and timers are."""

    def may_have(step: Any) -> bool:
        for name in dir(step):
            method = getattr(step, name, None)
            if type(method) is not MethodType:
                continue
            if name.startswith("_inspect_") and type(getattr(step, name[9:], None)) is MethodType:
                return True  # it says the arguments of that method
            function = method.__func__
            if type(function) is not FunctionType or {"__wrapped__", "__signature__"} & vars(function).keys():
                return True
            if any(isinstance(default, parameter) for default in function.__defaults__ or ()):
                return True
        return False

    @functools.wraps(read)
    def get_dofn_specs(dofn: Any) -> tuple[set, set]:
        return read(dofn) if may_have(dofn) else (set(), set())

    return get_dofn_specs


def _imported_submodules(code: CodeType, top_level_dependencies: list[Any]) -> list[ModuleType]:
    """Submodules of packages that a function uses by their names, as cloudpickle has it: asks for them instead of looking at all modules."""

    def below(package: str) -> list[ModuleType]:
        names = [f"{package}.{name}" for name in dict.fromkeys(code.co_names) if f"{package}.{name}" in sys.modules]
        return [module for name in names for module in (sys.modules[name], *below(name))]

    packages = [
        one for one in top_level_dependencies if isinstance(one, ModuleType) and getattr(one, "__package__", "")
    ]
    return [module for package in packages for module in below(package.__name__)]
