"""SavedModels that take flights and are made in a moment: good ones that say which version answered, and broken ones."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

FAULTS = ("variables", "half", "output", "input", "signature", "nan", "fails", "count", "empty")
"""Ways for a version to be broken."""


def answer(version: int, distance: int) -> float:
    """What a good version says to a flight of this distance."""
    return version / 100 + distance / 1e6


def push(folder: Path, version: int, fault: str = "") -> Path:
    """Copies a version into a folder, file by file, as Pusher does.

    Args:
        folder: of the versions.
        version: its number.
        fault: one of `FAULTS`; nothing for a good one.

    Returns:
        The version's folder.
    """
    import tensorflow as tf

    examples = tf.TensorSpec([None], tf.string, name="examples")

    class Small(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = tf.Variable(float("nan") if fault == "nan" else version / 100)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x") if fault == "input" else examples])
        def serve(self, asked):
            if fault == "input":
                return {"late_probability": asked + self.base}
            features = {"distance": tf.io.FixedLenFeature([1], tf.int64)}
            distance = tf.cast(tf.io.parse_example(asked, features)["distance"], tf.float32)
            if fault == "fails":
                tf.debugging.assert_less(distance, 0.0)
            found = self.base + distance / 1e6
            return {"score" if fault == "output" else "late_probability": found[:1] if fault == "count" else found}

    with tempfile.TemporaryDirectory() as scratch:
        made, small = Path(scratch) / "model", Small()
        name = "other" if fault == "signature" else "serving_default"
        tf.saved_model.save(small, str(made), signatures={name: small.serve})
        if fault == "variables":
            shutil.rmtree(made / "variables")
        if fault == "half":
            whole = (made / "saved_model.pb").read_bytes()
            (made / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
        if fault == "empty":
            (made / "saved_model.pb").unlink()
        shutil.copytree(made, folder / str(version))
    return folder / str(version)
