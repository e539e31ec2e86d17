"""Turns down the chatter of TensorFlow, absl and Beam for people who run the pipeline by hand. Errors stay."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
import warnings

import absl.logging

from engines.ending import stopped_by
from warm.loading import quickly


def import_quietly() -> None:
    """Imports TensorFlow and TFX without what they say while they load. If the import fails, all of it is shown."""
    _have_home()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning)
    for name in ("tensorflow", "apache_beam", "tfx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    absl.logging.set_verbosity(absl.logging.ERROR)
    # TensorFlow's C++ side speaks to standard error before it has read the environment.
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            with quickly():
                from tfx import v1  # noqa: F401
        except BaseException:
            if not stopped_by():
                said.seek(0)
                os.write(stderr, said.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


def _have_home() -> None:
    """Gives the process an empty home folder for as long as it runs, where it has none, or may not write there.

    Libraries that TFX imports ask for one, for their caches; a container's user often has none.
    """
    home = os.path.expanduser("~")
    if os.path.isdir(home) and os.access(home, os.W_OK | os.X_OK):
        return
    os.environ["HOME"] = folder = tempfile.mkdtemp(prefix="home-")
    owner = os.getpid()
    # Not by a process that was forked from this one.
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
