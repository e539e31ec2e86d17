"""The picture of the pipeline in the README is the figure that the lessons show."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"), dtype=float)


def test_picture_of_the_pipeline_is_drawn_by_the_course(tmp_path):
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    pictures.draw_pipeline(tmp_path / "pipeline.png")
    drawn, committed = pixels(tmp_path / "pipeline.png"), pixels(pictures.IMAGES / "pipeline.png")
    assert drawn.shape == committed.shape, "run: .venv/bin/python docs/pictures.py"
    # Not byte for byte: another system's rasteriser may shade the edge of a letter otherwise.
    assert np.mean(np.abs(drawn - committed) > 40) < 0.001, "run: .venv/bin/python docs/pictures.py"
