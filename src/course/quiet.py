"""The one place that silences log noise. Errors are not noise: exceptions and error logs still show."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

LOGGERS = ("absl", "apache_beam", "tensorflow", "tfx")
"""Python loggers that speak below the level of errors about what is none of the reader's business."""

LIBRARIES = "apache_beam|keras|kfp|ml_metadata|tensorflow|tensorflow_.*|tf_keras|tfx|tfx_bsl|google|pkg_resources"
"""Modules whose warnings are for their own developers, as a regular expression."""

NATIVE_NOISE = r"^[IW][0-9]{4} |^WARNING: All log messages before absl::InitializeLog|^[-0-9]+ [:.0-9]+: [IW] "
"""Information and warnings of native code, by absl's and TensorFlow's line formats. Errors start with E or F."""


def logs() -> None:
    """Quiets TensorFlow, absl, Beam and TFX below the level of errors. Call before they are imported; safe to repeat."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # native information and warnings off, errors on
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same last digits on every processor
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # no complaint that there is no GPU
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=rf"({LIBRARIES})(\..*)?$")
    if not any(isinstance(finder, _QuietImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietImport())


@contextlib.contextmanager
def native_errors_only() -> Iterator[None]:
    """Lets of what native code writes to standard error only what is no information or warning pass through.

    A process of its own does the filtering, so that the last words of a crash are not lost with this process.
    """
    grep = shutil.which("grep")
    if grep is None:
        yield
        return
    sys.stderr.flush()
    original = os.dup(2)
    reader = subprocess.Popen([grep, "-a", "-v", "-E", NATIVE_NOISE], stdin=subprocess.PIPE, stdout=original)
    os.dup2(reader.stdin.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
        reader.stdin.close()
        reader.wait(timeout=10)


class _QuietImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports TensorFlow as usual, without the lines that its native libraries print while they load.

    TensorFlow 2.21 prints them before it reads `TF_CPP_MIN_LOG_LEVEL`.
    """

    def __init__(self) -> None:
        self._loader: importlib.abc.Loader | None = None

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module's own loader stands in its spec, as if nothing had happened.
        module.__spec__.loader = module.__loader__ = self._loader
        with native_errors_only():
            self._loader.exec_module(module)
