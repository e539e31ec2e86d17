"""The charts of lesson 12. Each carries its alt text.

from course.figures import migrate as draw

course.show(draw.costs(table, tensorflow))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def costs(table: pd.DataFrame, tensorflow: float) -> Figure:
    """What each step spends on imports, and what on its work.

    Args:
        table: columns `imports` and `work` in processor seconds, a row for each step.
        tensorflow: processor seconds of `import tensorflow` alone.
    """
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8.6, 1.5 + 0.34 * len(table)))
    axes.barh(table.index, table["imports"], color=style.LINE, hatch="//", edgecolor=style.PAPER, label="imports")
    axes.barh(table.index, table["work"], left=table["imports"], color=style.BLUE, label="work")
    axes.axvline(tensorflow, color=style.RED, linewidth=1.5, linestyle="--", label="import tensorflow, alone")
    share = table["imports"].sum() / (table["imports"] + table["work"]).sum()
    axes.set_title(f"Imports are {share:.0%} of what the steps cost, on 2,000 flights", pad=28)
    axes.set(xlabel="processor seconds")
    axes.invert_yaxis()
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2, fontsize=9)
    rows = [f"{name} {row['imports']:.1f} and {row['work']:.1f}" for name, row in table.iterrows()]
    figure.course_alt = f"Stacked bars, processor seconds of imports and of work: {'; '.join(rows)}. A dashed line at {tensorflow:.1f} marks TensorFlow alone."
    return figure
