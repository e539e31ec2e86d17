"""The rules of STYLE.md that a program can check (those marked there).

    python -m tools.notebooks check notebooks/00-first-pipeline.ipynb

A rule is a function that takes a `Notebook` and yields findings; the decorator `rule` enters it in `RULES`. Each has tests
in `tests/unit/test_style.py` that show it a notebook which breaks it.

- `base`: what a rule gets and gives
- `text`: opening and closing cells, rhythm, callouts, alt text, links
- `code`: parameters, length, what must not be in a cell
- `outputs`: stable, compared, without noise
- `deck`: slide types
- `parts`: lessons in parts: exercises, links to lessons, the time counted
"""

from tools.notebooks.style import code, deck, outputs, parts, text
from tools.notebooks.style.base import RULES, Finding, Notebook, check

__all__ = ["RULES", "Finding", "Notebook", "check", "code", "deck", "outputs", "parts", "text"]
