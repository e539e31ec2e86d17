"""The charts of lesson 12 draw what they are given, and say it in their alt text."""

from __future__ import annotations

import pandas as pd
from alt_text import alt

from course.figures import migrate


def test_costs_stack_work_on_imports_and_mark_tensorflow() -> None:
    table = pd.DataFrame({"imports": [6.0, 6.0], "work": [2.0, 6.0]}, index=["DataGate", "Transform"])
    figure = migrate.costs(table, 5.0)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [6.0, 6.0, 2.0, 6.0]
    assert [bar.get_x() for bar in figure.axes[0].patches] == [0.0, 0.0, 6.0, 6.0]
    assert figure.axes[0].lines[0].get_xdata()[0] == 5.0
    title = "".join(figure.axes[0].get_title(loc) for loc in ("left", "center"))  # the style of the course puts it left
    assert title.startswith("Imports are 60%")
    assert "DataGate 6.0 and 2.0; Transform 6.0 and 6.0. A dashed line at 5.0" in alt(figure)
