"""Beam keeps what it would work out again for every step of a pipeline, which was a seventh of a small pipeline's work. What it does stays the same.

Beam reads the signatures of all methods of a step some ten times, and builds a parser of its options whenever it looks at one of them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from inspect import Signature
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

LOADED = (
    "apache_beam.options.pipeline_options",
    "apache_beam.transforms.core",
    "apache_beam.typehints.decorators",
)


def keep() -> None:
    """Begins to keep signatures of functions and views of options, in this process and its forks; does nothing where Beam is not loaded."""
    if not all(name in sys.modules for name in LOADED):
        return
    options, core, decorators = (sys.modules[name] for name in LOADED)
    if hasattr(options.PipelineOptions.view_as, "__wrapped__"):
        return
    options.PipelineOptions.view_as = _kept_views(options.PipelineOptions.view_as)
    core.get_signature = decorators.get_signature = _kept_signatures(decorators.get_signature)


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
