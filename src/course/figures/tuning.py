"""How a search for hyperparameters works, and how it spreads over machines; how a model is warm-started."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

_TUNER_ALT = """The Tuner as a loop. The search space, written by you, goes to the oracle, which proposes the settings of the next trial.
Workers, here three and on your laptop one, build a model with the proposed settings, train it and send back its score on the tuning
split. The oracle takes the scores into account and proposes again, until the number of trials is reached. Then the best
hyperparameters become an artifact, which the Trainer takes: it trains the model that will be served."""

_WARM_ALT = """Warm start across two vocabularies. In last month's list the places are 0 UA, 1 EV, 2 B6, 3 DL; in this month's list
0 EV, 1 UA, 2 DL, 3 B6. The rows of the embedding are drawn as bars with last month's weights. Copied by place, the row of UA becomes
the row of EV: every weight belongs to another carrier. Mapped by word, arrows cross and each carrier keeps its own row; a word that is
new gets the row for unknown words."""


def tuner_loop() -> Figure:
    """Search space, oracle, trials on workers, and the best hyperparameters as an artifact for the Trainer."""
    sheet = Sheet("A search asks, tries, and asks again", 380, _TUNER_ALT)
    model, muted = style.PHASES["Model"], style.MUTED
    space = sheet.box(16, 150, 150, 84, "search space\n(you write it)", colour=muted, kind="outlined")
    sheet.box(200, 66, 444, 288, "", colour=model, kind="bare")
    sheet.text(422, 90, "Tuner", size=14, weight="bold")
    oracle = sheet.box(220, 150, 150, 84, "oracle\nproposes settings", colour=model, kind="filled")
    for number in range(3):
        y = 112 + 72 * number
        worker = sheet.box(476, y, 150, 54, "worker: a trial", colour=model, kind="outlined" if number else "tinted")
        sheet.arrow((370, 176 + 16 * number - 4), (worker.x, worker.y + 20), colour=style.INK)
        sheet.arrow((worker.x, worker.y + 36), (370, 188 + 16 * number), colour=muted, dashed=True)
    sheet.text(422, 336, "solid: settings; dashed: a score on the tuning split", size=SMALL, colour=muted)
    sheet.arrow(space.right, oracle.left, colour=style.INK)
    best = sheet.box(690, 108, 194, 66, "best hyperparameters\n(an artifact)", colour=model, kind="outlined")
    trainer = sheet.box(690, 248, 194, 66, "Trainer", colour=model, kind="filled")
    sheet.arrow((644, 141), best.left, colour=style.INK)
    sheet.arrow(best.bottom, trainer.top, colour=style.INK)
    return sheet.figure


def warm_start() -> Figure:
    """Rows of an embedding from last month's places to this month's: by place (wrong) and by word (right)."""
    sheet = Sheet("The same place is not the same word", 400, _WARM_ALT)
    last, now = ("UA", "EV", "B6", "DL"), ("EV", "UA", "DL", "B6", "YV (new)")
    colours = dict(
        zip((*last, "unknown"), (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.MUTED), strict=True)
    )
    for left, title, by_word in ((16, "copied by place: wrong", False), (466, "mapped by word: right", True)):
        ink = style.PHASES["Deployment"] if by_word else style.PHASES["Model"]
        sheet.text(left + 209, 70, title, size=14, weight="bold", colour=ink)
        sheet.text(left + 70, 102, "last month's rows", size=SMALL, colour=style.MUTED)
        sheet.text(left + 340, 102, "this month's places", size=SMALL, colour=style.MUTED)
        rows = [*last, "unknown"]
        for number, word in enumerate(rows):
            y = 120 + 50 * number
            sheet.box(left, y, 140, 36, f"{number}  {word}", colour=colours[word], kind="tinted")
        for number, word in enumerate(now):
            y = 120 + 50 * number
            source = (word if word in rows else "unknown") if by_word else rows[number]
            start = 120 + 50 * rows.index(source) + 18
            sheet.box(left + 270, y, 148, 36, f"{number}  {word}", colour=colours[source], kind="tinted")
            sheet.arrow((left + 140, start), (left + 270, y + 18), colour=colours[source])
    sheet.text(450, 384, "the colour says whose weights a place gets", size=SMALL, colour=style.MUTED)
    return sheet.figure
