"""The sample lab is known, and `hostile` is found beside the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _sample_lab(monkeypatch):
    monkeypatch.setenv("COURSE_LABS", "sample_lab")
