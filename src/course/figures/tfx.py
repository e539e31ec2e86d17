"""Which part of TFX serves which step of the lifecycle."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

COLUMNS = [
    ("Ingest", "Data", [("ExampleGen", "ingests, splits")], "CSV, Parquet, Avro,\nTFRecord, BigQuery"),
    ("Validate", "Data", [("StatisticsGen", "describes"), ("SchemaGen", "says what is right"), ("ExampleValidator", "finds anomalies")], "TF Data Validation"),
    ("Prepare", "Data", [("Transform", "makes features")], "TF Transform"),
    ("Train", "Model", [("Tuner", "finds settings"), ("Trainer", "trains")], "KerasTuner,\nTensorFlow"),
    ("Judge", "Model", [("Evaluator", "measures, blesses"), ("InfraValidator", "tries to serve it")], "TF Model Analysis"),
    ("Deliver", "Deployment", [("Pusher", "delivers"), ("model server", "answers requests"), ("BulkInferrer", "predicts in batch")], "TF Serving, Lite,\nJS, Hub"),
]  # fmt: skip
"""A column for each task: its name, phase, components with what they do, and the library that does the work."""

BANDS = [
    ("metadata store", "ML Metadata: every artifact and execution of every run"),
    ("orchestrator", "Apache Airflow · Kubeflow Pipelines · Vertex AI · a local run"),
    ("data processing", "Apache Beam: on this machine, on Flink, on Spark, on Dataflow"),
]
"""What all the components share."""


def tfx_lifecycle() -> Figure:
    """TFX's components over the phases of the lifecycle, with the libraries behind them and the layers below."""
    sheet = Sheet("TFX has a component for each step from data to deployment", 492, _alt())
    left, gap = 16.0, 8.0
    width = (sheet.width - 32 - 5 * gap) / 6
    _phases(sheet, left, width, gap)
    for number, (task, phase, components, library) in enumerate(COLUMNS):
        _column(sheet, left + number * (width + gap), width, task, style.PHASES[phase], components, library)
    for row, (name, words) in enumerate(BANDS):
        y = 372 + row * 38
        sheet.box(left, y, sheet.width - 32, 32, colour=style.INK, kind="bare", radius=6)
        sheet.text(left + 14, y + 16, name, weight="bold", across="left")
        sheet.text(left + 160, y + 16, words, across="left")
    return sheet.figure


def _phases(sheet: Sheet, left: float, width: float, gap: float) -> None:
    """The bars with the names of the phases, over their columns."""
    names = [phase for _, phase, _, _ in COLUMNS]
    for phase in dict.fromkeys(names):
        first, count = names.index(phase), names.count(phase)
        x, wide = left + first * (width + gap), count * width + (count - 1) * gap
        sheet.box(x, 48, wide, 30, phase, colour=style.PHASES[phase], kind="filled", weight="bold", size=13)


def _column(
    sheet: Sheet, x: float, width: float, task: str, colour: str, components: list[tuple[str, str]], library: str
) -> None:
    """One task: its components from the top, its library at the bottom."""
    sheet.box(x, 84, width, 276, colour=colour, kind="bare")
    sheet.text(x + width / 2, 104, task, colour=style.MUTED)
    for row, (name, does) in enumerate(components):
        y = 122 + row * 60
        sheet.box(x + 5, y, width - 10, 52, colour=colour, kind="outlined", radius=5)
        sheet.text(x + width / 2, y + 18, name, weight="bold", size=11.3)
        sheet.text(x + width / 2, y + 38, does, size=SMALL, colour=style.MUTED)
    sheet.text(x + width / 2, 330, library, size=SMALL)


def _alt() -> str:
    phases = dict.fromkeys(phase for _, phase, _, _ in COLUMNS)
    parts = []
    for phase in phases:
        tasks = [
            f"{task}: {', '.join(name for name, _ in components)}"
            + (f" with {' '.join(library.split())}" if library else "")
            for task, of, components, library in COLUMNS
            if of == phase
        ]
        parts.append(f"{phase}: {'; '.join(tasks)}.")
    bands = " ".join(f"{name.capitalize()}: {words}." for name, words in BANDS)
    return f"TFX's components in columns under the phases of the lifecycle. {' '.join(parts)} Three bands lie under all of them. {bands}"
