"""Asks a SavedModel for its predictions: a step of a trial.

    main([MODELS, EXAMPLES, OUTPUT, PREDICTIONS])

MODELS is the folder of the versions, of which the newest is asked; EXAMPLES has a serialised tf.Example in each line, in base64; the tensor PREDICTIONS of what
`serving_default` returns, or the last one where none has this name, goes to OUTPUT, as a JSON list of numbers.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

BATCH = 512


def main(arguments: list[str]) -> None:
    """Asks it."""
    import tensorflow as tf

    models, examples, output, name = arguments
    newest = max(
        (folder for folder in Path(models).iterdir() if folder.name.isdigit()), key=lambda folder: int(folder.name)
    )
    serve = tf.saved_model.load(str(newest)).signatures["serving_default"]
    key = next(iter(serve.structured_input_signature[1]))
    rows = [base64.b64decode(line) for line in Path(examples).read_bytes().splitlines()]
    found: list[float] = []
    for start in range(0, len(rows), BATCH):
        answer = serve(**{key: tf.constant(rows[start : start + BATCH])})
        [*_, only] = answer.values()
        found += answer.get(name, only).numpy().reshape(-1).tolist()
    Path(output).write_text(json.dumps(found), encoding="utf-8")
