"""Kubeflow's page with a run on it: a drawing of what the real one shows, and where.

Names, order and places are those of `frontend/src` of Kubeflow Pipelines 2.16.1: `components/SideNav.tsx`, `pages/RunDetailsV2.tsx`,
`components/tabs/RuntimeNodeDetailsV2.tsx` and `InputOutputTab.tsx`, `lib/v2/StaticFlow.ts` (which edges the graph has).
"""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Box, Sheet

PLACES = ["Pipelines", "Experiments", "Runs", "Recurring Runs", "Artifacts", "Executions"]
BUTTONS = [("Retry", 592, False), ("Clone run", 652, True), ("Terminate", 736, False), ("Archive", 816, True)]
"""Words, place, and whether a run that is complete can be clicked there."""
PANEL = [
    ("Input Parameters", [("rows", "2000")]),
    ("Input Artifacts", [("table", "minio://mlpipeline/v2/artifacts/...")]),
    ("Output Parameters", [("Output", '"EWR"')]),
    (
        "Output Artifacts",
        [
            ("shares", "(This is an empty file by default)"),
            ("", "minio://mlpipeline/v2/artifacts/..."),
            ("executor-logs", "minio://mlpipeline/v2/artifacts/..."),
        ],
    ),
]
"""What the side panel says of the step `share-of-delays`."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 152, 152, 884, 524
_SPLIT = 520


def run_on_kubeflow() -> Figure:
    """The run of the lesson's first pipeline: navigation, buttons, graph, and the side panel of one step."""
    sheet = Sheet("A run on Kubeflow's page, drawn after the real one", 540, _alt())
    sheet.box(16, 46, _RIGHT - 16, _BOTTOM - 46, colour=style.LINE, kind="outlined", radius=4)
    sheet.box(_LEFT, _TOP, _SPLIT - _LEFT, _BOTTOM - _TOP, colour=style.MUTED, kind="bare", radius=1)
    sheet.axes.plot([_LEFT, _LEFT], [46, _BOTTOM], color=style.LINE, linewidth=1)
    sheet.axes.plot([_LEFT, _RIGHT], [_TOP, _TOP], color=style.LINE, linewidth=1)
    for n, place in enumerate(PLACES):
        here = place == "Runs"
        sheet.text(44, 82 + 38 * n, place, size=SMALL, colour=style.BLUE if here else style.MUTED, across="left")
    sheet.axes.plot([18, 18], [144, 172], color=style.BLUE, linewidth=3)
    _mark(sheet, 32, 82, "1")
    _mark(sheet, 32, 158, "2")
    _mark(sheet, 32, 196, "3")
    _head(sheet)
    _graph(sheet)
    _panel(sheet)
    return sheet.figure


def _head(sheet: Sheet) -> None:
    sheet.text(168, 66, "Experiments > Default", size=SMALL, colour=style.MUTED, across="left")
    _done(sheet, 176, 94)
    sheet.text(190, 94, "delays-by-airport, January", size=13, across="left")
    _mark(sheet, 572, 80, "4")
    for words, x, can in BUTTONS:
        sheet.text(x, 80, words, size=SMALL, colour=style.BLUE if can else style.MUTED, across="left")
    _tabs(sheet, 132, [("Graph", 168), ("Detail", 232), ("Pipeline Spec", 296)])


def _graph(sheet: Sheet) -> None:
    _mark(sheet, 168, 170, "5")
    count = _node(sheet, 214, 166, "count-flights")
    table = _node(sheet, 184, 238, "table", artifact=True)
    share = _node(sheet, 266, 310, "share-of-delays")
    row_of = _node(sheet, 172, 382, "row-of")
    shares = _node(sheet, 352, 382, "shares", artifact=True)
    row = _node(sheet, 172, 454, "row", artifact=True)
    for one, other in ((count, table), (share, shares), (row_of, row)):
        sheet.arrow(one.bottom, other.top, gap=1)
    sheet.arrow((table.x + 110, table.y + table.height), share.top, gap=1)
    sheet.arrow((table.x + 40, table.y + table.height), (row_of.x + 40, row_of.y), gap=1)
    sheet.arrow((count.x + 130, count.y + count.height), (share.x + 126, share.y), gap=1)
    sheet.arrow((share.x + 30, share.y + share.height), (row_of.x + 110, row_of.y), gap=1)


def _panel(sheet: Sheet) -> None:
    left = _SPLIT + 18
    _mark(sheet, left + 8, 174, "6")
    sheet.text(left + 26, 174, "share-of-delays", size=13, weight="bold", across="left")
    _tabs(sheet, 206, [("Input/Output", left), ("Task Details", left + 108), ("Logs", left + 212)])
    y = 238
    for title, entries in PANEL:
        sheet.text(left, y, title, size=SMALL, weight="bold", across="left")
        for name, value in entries:
            y += 23
            sheet.text(
                left + 10, y, name, size=SMALL, colour=style.BLUE if "Artifacts" in title else style.INK, across="left"
            )
            sheet.text(left + 112, y, value, size=SMALL, colour=style.MUTED, across="left")
        y += 32


def _tabs(sheet: Sheet, y: float, tabs: list[tuple[str, float]]) -> None:
    """Words in a row; the first is open."""
    for n, (words, x) in enumerate(tabs):
        text = sheet.text(x, y, words, size=SMALL, colour=style.MUTED if n else style.BLUE, across="left")
        if not n:
            sheet.axes.plot([x, x + sheet.measure(text)], [y + 15, y + 15], color=style.BLUE, linewidth=3)


def _node(sheet: Sheet, x: float, y: float, words: str, artifact: bool = False) -> Box:
    """A step that is complete, with its tick, or an artifact, with its folder."""
    box = sheet.box(x, y, 160, 38, colour=style.LINE, kind="outlined", radius=7)
    sheet.text(x + (90 if artifact else 70), y + 19, words, size=SMALL)
    if artifact:
        sheet.box(x + 12, y + 13, 20, 13, colour=style.ORANGE, kind="filled", radius=2)
        sheet.box(x + 12, y + 10, 9, 6, colour=style.ORANGE, kind="filled", radius=1)
    else:
        _done(sheet, x + 142, y + 19)
    return box


def _done(sheet: Sheet, x: float, y: float) -> None:
    """A green circle with a tick: complete."""
    sheet.box(x - 9, y - 9, 18, 18, colour=style.GREEN, kind="filled", radius=9)
    sheet.axes.plot([x - 4, x - 1, x + 4], [y, y + 3.5, y - 4], color=style.PAPER, linewidth=1.8)


def _mark(sheet: Sheet, x: float, y: float, number: str) -> None:
    """A number that the text refers to; the real page has none."""
    sheet.box(x - 9, y - 9, 18, 18, number, colour=style.RED, kind="filled", size=SMALL, weight="bold", radius=9)


def _alt() -> str:
    return f"""A drawing of a web page; six places have numbers. On the left a list: Pipelines (1), Experiments, Runs (2, open), Recurring Runs (3),
        Artifacts, Executions. At the top the run's name, delays-by-airport, January, with a green tick; on its right the buttons
        {", ".join(words for words, *_ in BUTTONS)} (4). Below, the tabs Graph (open), Detail and Pipeline Spec. The graph (5): step count-flights
        with a tick, an arrow to the artifact table; from table and from count-flights arrows to step share-of-delays, from
        there to the artifact shares and to step row-of, which table leads to as well, and last the artifact row. On the right the
        panel of share-of-delays (6) with the tabs Input/Output (open), Task Details and Logs. It lists Input Parameters: rows 2000;
        Input Artifacts: table and its minio address; Output Parameters: Output "EWR"; Output Artifacts: shares, an empty file by default, and executor-logs."""
