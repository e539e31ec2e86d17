"""The lifecycle of a machine-learning system, with the people in it."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

STEPS = {
    "Plan": ["identify use case", "frame problem", "identify variables", "define metrics"],
    "Data": [
        "ingest data",
        "analyse and clean",
        "define schema",
        "detect anomalies",
        "engineer features",
        "split data",
        "preprocess data",
    ],
    "Model": ["select algorithm", "train and tune", "evaluate model", "validate model"],
    "Deployment": ["validate model", "deploy model", "serve model", "monitor model", "trigger retraining"],
}
"""The steps of each phase. Validation ends the work on a model and begins its deployment, so it stands in both."""

ROLES = {
    "business analyst": {"Plan": 2, "Model": 1, "Deployment": 1},
    "data engineer": {"Plan": 1, "Data": 2, "Deployment": 1},
    "data scientist": {"Plan": 1, "Data": 1, "Model": 2, "Deployment": 1},
    "software developer": {"Model": 1, "Deployment": 2},
}
"""Who is in it: 2 leads the phase, 1 takes part."""

_ALT = """Four columns from left to right: Plan, Data, Model, Deployment. {steps} The step "validate model" stands in both
Model and Deployment, joined by an arrow. An arrow leads from "trigger retraining" in Deployment back to Data. Below, bars show who leads and who takes part in
each phase: the business analyst leads Plan, the data engineer Data, the data scientist Model, the software developer Deployment."""


def lifecycle() -> Figure:
    """Plan, Data, Model and Deployment, with their steps and roles, and the way back from production to data."""
    steps = " ".join(f"{phase}: {', '.join(names)}." for phase, names in STEPS.items())
    sheet = Sheet("A model in production goes round, not through", 520, _ALT.format(steps=steps))
    left, gap = 150, 14
    width = (sheet.width - left - 16 - 3 * gap) / 4
    places = {phase: left + i * (width + gap) for i, phase in enumerate(STEPS)}
    _phases(sheet, places, width)
    _return(sheet, places, width)
    _roles(sheet, places, width)
    return sheet.figure


def _phases(sheet: Sheet, places: dict[str, float], width: float) -> None:
    """The columns with their steps, and the step that two phases share."""
    top, bottom = 48, 330
    for phase, x in places.items():
        colour = style.PHASES[phase]
        sheet.box(x, top, width, bottom - top, colour=colour, kind="bare", radius=8)
        sheet.box(x, top, width, 32, phase, colour=colour, kind="filled", weight="bold", size=13, radius=8)
        for row, name in enumerate(STEPS[phase]):
            shared = name == "validate model"
            edge = style.INK if shared else colour
            box = sheet.box(x + 8, 88 + row * 34, width - 16, 28, name, colour=edge, kind="outlined", radius=5)
            if shared and phase == "Model":
                start = box.right
    middle = places["Deployment"] - 7
    sheet.path([start, (middle, start[1]), (middle, 102), (places["Deployment"] + 7, 102)], colour=style.INK)
    sheet.text(16, 64, "Steps", colour=style.MUTED, across="left")


def _return(sheet: Sheet, places: dict[str, float], width: float) -> None:
    """The arrow from monitoring back to the data."""
    start, end = places["Deployment"] + width / 2, places["Data"] + width / 2
    sheet.path([(start, 330), (start, 350), (end, 350), (end, 332)], colour=style.GREEN)
    sheet.text((start + end) / 2, 364, "new data, new behaviour of the world: retrain", size=SMALL, colour=style.MUTED)


def _roles(sheet: Sheet, places: dict[str, float], width: float) -> None:
    """A bar for each role and phase: dark where it leads, light where it takes part."""
    top = 390
    sheet.text(16, 368, "Roles", colour=style.MUTED, across="left")
    for row, (role, shares) in enumerate(ROLES.items()):
        y = top + row * 28
        sheet.text(16, y + 10, role, across="left")
        for phase, share in shares.items():
            kind = "filled" if share == 2 else "bare"
            word = "leads" if share == 2 else "takes part"
            sheet.box(places[phase], y, width, 21, word, colour=style.PHASES[phase], kind=kind, size=SMALL, radius=5)
