"""One step of a pipeline on Kubeflow, from the moment when it is ready to run to the record of what it made."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Box, Sheet

STATIONS = [
    ("driver", "a pod of Kubeflow's own", "looks up the inputs,\nasks the cache,\nwrites the message"),
    ("launcher", "added by Kubeflow", "puts the inputs\nunder /minio/...,\nstarts the command"),
    ("your command", "from your image", "mends the message,\nruns the executor,\nsays what came out"),
    ("launcher", "added by Kubeflow", "uploads the outputs,\nrecords what the\ncommand said"),
]
"""Who is at work, where, and what it does."""

_TOP, _HEIGHT, _WIDTH = 104, 148, 190


def step_on_kubeflow() -> Figure:
    """Driver, launcher and command in a row; the object store and the metadata store below them."""
    sheet = Sheet("One step on Kubeflow: who does what", 446, _alt())
    pod = sheet.box(240, 56, 644, 210, colour=style.BLUE, kind="bare", radius=10)
    sheet.text(pod.x + 14, 78, "the step's pod: your image, its limits, its volume", colour=style.BLUE, across="left")
    boxes = [_station(sheet, 16 if not n else 42 + n * 212, *station) for n, station in enumerate(STATIONS)]
    for left, right in pairwise(boxes):
        sheet.arrow(left.right, right.left, colour=style.INK)
    store = sheet.box(240, 344, 644, 78, colour=style.GREEN, kind="tinted", radius=10)
    sheet.text(store.centre[0], 368, "object store: the artifacts", weight="bold", size=13)
    sheet.text(store.centre[0], 398, "minio://mlpipeline/v2/artifacts/flights/RUN/Trainer/model/...", size=SMALL)
    records = sheet.box(16, 344, 190, 78, colour=style.INK, kind="filled", radius=10)
    sheet.text(records.centre[0], 368, "metadata store", weight="bold", size=13, colour=style.PAPER)
    sheet.text(records.centre[0], 398, "MLMD: what made what", size=SMALL, colour=style.PAPER)
    _between(sheet, boxes[0], records.y, "asks, records", up=None)
    _between(sheet, boxes[1], store.y, "inputs", up=True)
    _between(sheet, boxes[3], store.y, "outputs", up=False)
    # The line has a gap where the inputs cross it.
    start, crossing = boxes[3].x + 36, boxes[1].centre[0]
    for x in (start, crossing + 8):
        sheet.axes.plot([start, x], [_TOP + _HEIGHT if x == start else 292, 292], color=style.MUTED, linewidth=1.6)
    sheet.path([(crossing - 8, 292), (184, 292), (184, records.y)])
    sheet.text(430, 281, "the record of the outputs", size=SMALL, colour=style.MUTED, across="left")
    return sheet.figure


def _station(sheet: Sheet, x: float, name: str, where: str, does: str) -> Box:
    inside = name == "your command"
    box = sheet.box(x, _TOP, _WIDTH, _HEIGHT, colour=style.RED if inside else style.INK, kind="outlined")
    sheet.text(x + _WIDTH / 2, _TOP + 22, name, size=13, weight="bold", colour=style.RED if inside else style.INK)
    sheet.text(x + _WIDTH / 2, _TOP + 46, where, size=SMALL, colour=style.MUTED)
    sheet.text(x + _WIDTH / 2, _TOP + 96, does, size=SMALL)
    return box


def _between(sheet: Sheet, box: Box, y: float, words: str, up: bool | None) -> None:
    """An arrow between a station and a store; `up` None goes both ways."""
    x = box.centre[0] if up is not None else box.x + 48
    ends = [(x, box.y + box.height), (x, y)]
    if up is not False:
        sheet.arrow(*reversed(ends), colour=style.INK)
    if up is not True:
        sheet.arrow(*ends, colour=style.INK)
    sheet.text(x + 10, 322, words, size=SMALL, across="left")


def _alt() -> str:
    rows = "; ".join(f"{name} ({where}) {' '.join(does.split())}" for name, where, does in STATIONS)
    return f"""Four boxes in a row, with arrows from left to right: {rows}. The last three are in one frame, the step's pod: your
        image, its limits, its volume. Below lie the object store, which holds the artifacts, and the metadata store, MLMD. The driver asks
        and records in the metadata store. Inputs go up from the object store to the launcher, outputs go down to it, and the
        launcher writes the record of the outputs into the metadata store."""
