"""Concept figures: what they say, that it can be read, and that who cannot see them is told."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Bbox

from course import figures, style
from course.figures import lifecycle_figure, proof_of_concepts, technical_debt, tfx
from course.figures.canvas import Sheet

NAMED = {
    "analyze_and_map": ["analyse", "map", "mean", "quantiles", "vocabulary", "constants", "training", "serving"],
    "component_anatomy": [
        *("driver", "executor", "publisher", "metadata store", "cache", "looks up", "registers", "records"),
    ],
    "example_gen": ["CSV files", "ImportExampleGen", "QueryBasedExampleGen", "splits", "Split-train", "nothing of it"],
    "exported_model": ["raw flight", "parse", "transform graph", "network", "serving_default", "probability"],
    "feature_store": ["registry", "offline store", "online store", "materialise", "point-in-time join", "look-up"],
    "hidden_debt": ["ML code", "monitoring", "configuration", "feature engineering", "machine-resource management"],
    "lifecycle": ["Plan", "Data", "Model", "Deployment", "business analyst", "data engineer", "data scientist"],
    "pipeline_dag": ["ExampleGen", "Transform", "Trainer", "Evaluator", "Pusher", "schema", "configuration"],
    "poc_factory": ["80", "85", "production", "pilot", "low returns"],
    "run_on_kubeflow": [
        "count-flights",
        "share-of-delays",
        "Recurring Runs",
        "Clone run",
        "Pipeline Spec",
        "Logs",
        "Output Artifacts",
    ],
    "spans": ["January", "span 3", "version 2", "static range", "rolling window", "split by time", "eval"],
    "step_on_kubeflow": ["driver", "launcher", "your command", "pod", "object store", "metadata store", "the cache"],
    "tfx_lifecycle": ["ExampleGen", "Tuner", "InfraValidator", "BulkInferrer", "ML Metadata", "Apache Airflow"],
    "trainer_anatomy": ["run_fn", "train_files", "transform_output", "hyperparameters", "base_model", "model_run_dir"],
    "tuner_loop": ["search space", "oracle", "trial", "best hyperparameters", "Trainer"],
    "warm_start": ["by place", "by word", "unknown"],
}
SMALLEST = 10.5
"""Points: 15 pixels as displayed."""


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text of a figure with its place, in displayed pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [(t.get_text(), t.get_window_extent(renderer)) for t in figure.axes[0].texts]


@pytest.mark.parametrize("name", sorted(figures.__all__))
def test_every_figure_can_be_read_and_its_alt_text_says_what_it_shows(name: str) -> None:
    """Title and words are there; it fits a page and a slide; nothing is too small, cut off, written over something else, or wider than its box."""
    figure = getattr(figures, name)()
    placed, axes = texts(figure), figure.axes[0]
    assert figure.course_title in [words for words, _ in placed]
    assert 100 < len(figure.course_alt) < 1200
    shown = " ".join(words for words, _ in placed).lower()
    for word in NAMED[name]:
        assert word.lower() in figure.course_alt.lower(), f"alt text says nothing of {word}"
        assert all(part in shown for part in word.lower().split()), f"figure shows nothing of {word}"
    width, height = figure.get_size_inches() * style.DPI
    assert width == 900
    assert height <= 540
    assert min(t.get_size() for t in axes.texts) >= SMALLEST
    boxes = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    for words, box in placed:
        assert box.x0 >= 8, f"{words!r} is cut off"
        assert box.x1 <= width - 8, f"{words!r} is cut off"
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        if around := [b for b in boxes if b.x0 <= x <= b.x1 and b.y0 <= y <= b.y1]:
            smallest = min(around, key=lambda b: b.width * b.height)
            assert smallest.x0 + 2 <= box.x0, f"{words!r} is wider than its box"
            assert box.x1 <= smallest.x1 - 2, f"{words!r} is wider than its box"
    for (one, first), (other, second) in itertools.combinations(placed, 2):
        overlap = Bbox.intersection(first, second)
        area = 0 if overlap is None else overlap.width * max(0, overlap.height - 5)
        assert area < 1, f"{one!r} and {other!r} overlap"


def test_the_dark_box_has_the_area_of_the_machine_learning_code() -> None:
    figure = technical_debt.hidden_debt()
    cells = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch) and p.get_height() > 60]
    gap = 6  # between two boxes: each cell is that much wider than its box
    areas = [(p.get_width() + gap) * (p.get_height() + gap) for p in cells]
    dark = [
        area
        for p, area in zip(cells, areas, strict=True)
        if p.get_facecolor()[:3] == pytest.approx((0.122, 0.161, 0.2), abs=0.01)
    ]
    assert len(cells) == 14
    assert len(dark) == 1
    assert dark[0] / sum(areas) == pytest.approx(technical_debt.ML_SHARE, abs=0.001)


def test_a_hundred_companies_are_divided_as_published() -> None:
    figure = proof_of_concepts.poc_factory()
    squares = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch) and p.get_width() == 25]
    filled = [p for p in squares if p.get_facecolor() == p.get_edgecolor()]
    assert len(squares) == 100
    assert len(squares) - len(filled) == proof_of_concepts.STUCK[1] - proof_of_concepts.STUCK[0]
    green = [p for p in filled if p.get_facecolor()[1] > p.get_facecolor()[0]]
    assert len(green) == 100 - proof_of_concepts.STUCK[1]


def test_every_role_and_phase_has_a_leader() -> None:
    for phase in lifecycle_figure.STEPS:
        assert sum(shares.get(phase) == 2 for shares in lifecycle_figure.ROLES.values()) == 1


def test_every_component_of_the_lecture_is_there() -> None:
    shown = {name for _, _, components, _ in tfx.COLUMNS for name, _ in components}
    wanted = "ExampleGen StatisticsGen SchemaGen ExampleValidator Transform Trainer Tuner Evaluator InfraValidator Pusher BulkInferrer"
    assert set(wanted.split()) <= shown


@pytest.mark.parametrize("colour", [*style.PHASES.values(), *style.STATES.values(), style.INK, style.MUTED])
def test_white_words_can_be_read_on_every_filled_box(colour: str) -> None:
    def luminance(code: str) -> float:
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_two_sheets_do_not_share_anything() -> None:
    one, other = Sheet("One", 200, "first"), Sheet("Other", 300, "second")
    one.box(10, 60, 50, 30, "only here")
    assert [words for words, _ in texts(other.figure)] == ["Other"]
    assert (one.figure.course_alt, other.figure.course_alt) == ("first", "second")
