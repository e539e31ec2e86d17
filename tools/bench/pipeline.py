"""The pipeline itself, each run in a new process and a new folder."""

from __future__ import annotations

import json
import sys
import tempfile

from tools.bench.process import FULL_DATA, Row, run

FULL_YEAR = {
    "batch_size": 1024,
    "train_epochs": 5,
    "l2": 1e-4,
    "dropout": 0.0,
    "hidden_units": (128, 64),
    "materialize": False,
}
"""Settings for hundreds of thousands of flights, chosen on November with three seeds; the defaults of `Config` are for a few thousand."""


def pipeline(what: str, target: str, months: tuple[int, int], **settings: object) -> Row:
    """One run of the pipeline in a new folder; seconds are those after the imports."""
    with tempfile.TemporaryDirectory() as folder:
        request = {"months": months, "output_root": folder, **settings}
        said, _, _, peak = run([sys.executable, "-m", "tools.bench.one_run", json.dumps(request)])
    result = json.loads(said.strip().splitlines()[-1])
    slowest = sorted(result["nodes"].items(), key=lambda node: -node[1])[:4]
    remark = ", ".join(f"{name} {seconds:.0f}" for name, seconds in slowest) + f"; AUC {result['auc']:.3f}"
    return Row(what, result["seconds"], result["cpu_seconds"], peak, target, remark)


def sample() -> list[Row]:
    """January of the sample."""
    return [pipeline("pipeline, one month of the sample (2,000 flights)", "30 s", (1, 1))]


def year() -> list[Row]:
    """All flights of 2013: eleven months to learn from, December to be judged on."""
    return [
        pipeline("pipeline, full year (327,346 flights)", "100 s, 2 GB", (1, 12), data_root=str(FULL_DATA), **FULL_YEAR)
    ]


def month() -> list[Row]:
    """A further month with a window of three months, early and late in the year."""
    return [
        pipeline(f"a further month, all flights: {name}", target, months, data_root=str(FULL_DATA), **FULL_YEAR)
        for name, target, months in (
            ("March after January and February", "", (1, 3)),
            ("December after October and November", "the same as in spring", (10, 12)),
        )
    ]
