"""A component from inside."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import NORMAL, SMALL, Sheet

_ALT = """A component is a frame with three boxes in a row: the driver finds the inputs and asks whether the work was done
before; the executor does the work; the publisher records what came out. Input artifacts and the configuration enter the driver from the
left, output artifacts leave the publisher to the right. Below lies the metadata store. The driver looks up in it
what was done before, and registers the execution that starts; the publisher records what came out. A dashed arrow goes from the driver past the executor to the publisher: when nothing has changed, cached results are reused."""


def component_anatomy() -> Figure:
    """Driver, executor and publisher of a TFX component, and what each has to do with the metadata store."""
    sheet = Sheet("Inside a component: driver, executor, publisher", 470, _ALT)
    blue = style.PHASES["Data"]
    sheet.box(150, 56, 600, 236, colour=style.MUTED, kind="bare", radius=10)
    sheet.text(166, 78, "component", colour=style.MUTED, across="left")
    parts = (
        (170, "driver", "finds the inputs;\nwas this done\nbefore?"),
        (366, "executor", "does the work"),
        (562, "publisher", "records what\ncame out"),
    )
    driver, executor, publisher = (_part(sheet, x, name, does) for x, name, does in parts)
    sheet.arrow(driver.right, executor.left, colour=style.INK)
    sheet.arrow(executor.right, publisher.left, colour=style.INK)

    top = 92
    sheet.path(
        [(driver.top[0], driver.y), (driver.top[0], top), (publisher.top[0], top), (publisher.top[0], driver.y - 2)],
        colour=blue,
        dashed=True,
    )
    sheet.text(450, top - 14, "done before: reuse the result from the cache", size=SMALL, colour=blue)

    _outside(sheet, 16, 130, "input\nartifacts", (driver.x, 155))
    _outside(sheet, 16, 212, "configuration", (driver.x, 237), dashed=True)
    box = sheet.box(784, 171, 100, 50, "output\nartifacts", colour=blue, kind="outlined")
    sheet.arrow(publisher.right, box.left, colour=style.INK)

    store = sheet.box(150, 376, 600, 74, colour=style.INK, kind="filled", radius=10)
    sheet.text(*_shift(store.centre, -13), "metadata store", size=13, weight="bold", colour=style.PAPER)
    sheet.text(
        *_shift(store.centre, 14),
        "artifacts · executions · which made which, from what, with which settings",
        colour=style.PAPER,
    )
    for x, words, reads in (
        (driver.centre[0] - 40, "looks up", True),
        (driver.centre[0] + 46, "registers", False),
        (publisher.centre[0], "records", False),
    ):
        ends = ((x, store.y), (x, driver.bottom[1])) if reads else ((x, driver.bottom[1]), (x, store.y))
        sheet.arrow(*ends, colour=style.INK)
        sheet.text(x + 10, 334, words, across="left", size=NORMAL)
    return sheet.figure


def _part(sheet: Sheet, x: float, name: str, does: str):
    """One of the three parts: its name and what it does."""
    box = sheet.box(x, 118, 168, 156, colour=style.INK, kind="outlined")
    sheet.text(x + 84, 144, name, size=14, weight="bold")
    sheet.text(x + 84, 208, does)
    return box


def _outside(sheet: Sheet, x: float, y: float, words: str, end: tuple[float, float], dashed: bool = False) -> None:
    """What enters from the left."""
    colour = style.MUTED if dashed else style.PHASES["Data"]
    box = sheet.box(x, y, 108, 50, words, colour=colour, kind="outlined")
    sheet.arrow(box.right, end, colour=style.MUTED if dashed else style.INK, dashed=dashed)


def _shift(point: tuple[float, float], down: float) -> tuple[float, float]:
    return point[0], point[1] + down
