"""A project for tests of `operation`: how probable it is that a parcel gets lost, which is known when it should have come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd


class Parcels:
    name = "parcels"
    key = ("sent", "number")
    label = "lost"
    costs = SimpleNamespace(false_alarm=1.0, miss=4.0, threshold=0.2)
    slices: Mapping[str, Any] = {"depot": lambda rows: rows["depot"], "large": lambda rows: rows["grams"] > 1000}

    def day(self, rows: pd.DataFrame) -> pd.Series:
        return pd.to_datetime(rows["sent"], format="%Y-%m-%d", errors="coerce")


PARCELS = Parcels()


def line(number: int, sent: str = "2026-01-05", prediction: float | None = 0.25, **other: Any) -> dict[str, Any]:
    """A line as the server's log has it."""
    head = {"time": f"{sent[:7]}-01T12:00:00.5+00:00", "id": f"id-{number}", "version": 3, "role": "champion"}
    return head | {"sent": sent, "number": number, "prediction": prediction} | other


def write(file: Path, lines: Sequence[dict[str, Any] | str | bytes]) -> Path:
    """Writes a log; what is no dictionary as it is."""
    made = [
        one if isinstance(one, bytes) else (one if isinstance(one, str) else json.dumps(one)).encode() for one in lines
    ]
    file.write_bytes(b"".join(one + b"\n" for one in made))
    return file


def outcome(
    number: int, lost: float | None = 0, sent: str = "2026-01-05", depot: str = "A", grams: int = 500
) -> dict[str, Any]:
    return {"sent": sent, "number": number, "depot": depot, "grams": grams, "lost": lost}


def month(
    first: str, parcels: int, rate: float, said: float, seed: int = 1, noise: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A month's lines and outcomes: of parcels with a rate of loss, predictions that are `said` on average and rank them somewhat.

    Returns:
        Two tables, of `parcels` rows each.
    """
    draw = np.random.default_rng(seed)
    lost = draw.random(parcels) < rate
    score = 1 / (1 + np.exp(-(draw.normal(size=parcels) * noise + lost)))
    prediction = np.clip(score * said / score.mean(), 0, 1)
    start = pd.Timestamp(first)
    sent = [(start + pd.Timedelta(days=int(day))).date().isoformat() for day in draw.integers(0, 28, parcels)]
    lines = [line(one, sent[one], float(prediction[one])) for one in range(parcels)]
    outcomes = [outcome(one, int(lost[one]), sent[one], "AB"[one % 2], 400 * (1 + one % 3)) for one in range(parcels)]
    return pd.DataFrame(lines), pd.DataFrame(outcomes)
