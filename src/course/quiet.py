"""The one place that silences log noise. Errors are not noise: exceptions and error logs still show."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

from course import imports
from warm.loading import quickly

LOGGERS = ("absl", "apache_beam", "tensorflow", "tfx")
"""Python loggers that speak below the level of errors about what is none of the reader's business."""

HEAVY = (
    "tensorflow",
    "apache_beam",
    "tfx.v1",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "tensorflow_transform",
)
"""Modules that take seconds to load, each with what it imports."""

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
        # TensorFlow and absl set their own levels anew, some at their first word in an interactive session.
        logging.getLogger(name).addFilter(is_error)
    logging.getLogger("absl").addFilter(tells_more_than_the_exception)
    logging.getLogger().addFilter(tells_no_untruth)
    warnings.filterwarnings("ignore", module=rf"({LIBRARIES})(\..*)?$")
    for name in HEAVY:
        imports.around(name, _loading)
    imports.around("apache_beam.runners.interactive.interactive_environment", _without_scripts_from_the_internet)


def is_error(record: logging.LogRecord) -> bool:
    """False below the level of errors."""
    return record.levelno >= logging.ERROR


def tells_more_than_the_exception(record: logging.LogRecord) -> bool:
    """False for the line that TFX's runners log before they raise the exception of the component that failed."""
    return record.msg != "Execution %d failed."


def tells_no_untruth(record: logging.LogRecord) -> bool:
    """False for what Beam's inference says (`apache_beam.ml.inference.base`) where a module of Python is there, and not under the name it looks for."""
    return not str(record.msg).startswith("Resource module is not available")


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


@contextlib.contextmanager
def _loading(module: ModuleType) -> Iterator[None]:
    """Loads a heavy module faster; TensorFlow 2.21 prints while it loads, before it reads TF_CPP_MIN_LOG_LEVEL."""
    with quickly(), native_errors_only() if module.__name__ == "tensorflow" else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _without_scripts_from_the_internet(module: ModuleType) -> Iterator[None]:
    """Keeps Beam from putting jQuery, from the internet, into the first cell that runs a Beam pipeline.

    It is for views of Interactive Beam, which the course does not use.
    """
    yield
    module.InteractiveEnvironment.load_jquery_with_datatable = lambda self: None


@contextlib.contextmanager
def children() -> Iterator[None]:
    """Lets go nowhere what processes that are started here write to standard output and error; Python's own prints stay."""
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        for number, original in enumerate(kept, start=1):
            os.dup2(original, number)
            os.close(original)
        os.close(nowhere)
