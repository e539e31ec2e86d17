"""Asks versions of a model about rows: a step of a trial.

    main([FOLDER, ROWS, ANSWERS])

FOLDER holds a folder for each version, ROWS is a JSON list of flights; to ANSWERS goes, for each version, its predictions, or the sentence that says why there are none.
"""

from __future__ import annotations

import json
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Asks them."""
    from flights.serving import PROJECT
    from serving import models

    folder, rows, answers = map(Path, arguments)
    examples = PROJECT.encode(PROJECT.check(json.loads(rows.read_text(encoding="utf-8"))))
    found: dict[str, list[float] | str] = {}
    for version, place in models.versions_in(folder).items():
        try:
            found[str(version)] = models.load(place, PROJECT).predict(examples)
        except Exception as error:
            found[str(version)] = f"{type(error).__name__}: {error}"[:300]
    answers.write_text(json.dumps(found), encoding="utf-8")
