"""A feature store: one definition, two stores, two readers."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

_ALT = """Sources on the left (weather each hour, landings each night) fill the offline store, which keeps all values with the time at
which each was known. From it two arrows lead on. Upper arrow: a point-in-time join gives features as of then to training. Lower arrow:
materialise copies the newest value of each key into the online store, and a look-up gives features as of now to serving. Above
both, the registry holds the definitions that both sides read: entities, views, time to live."""


def feature_store() -> Figure:
    """Sources, offline store, online store, registry, and who reads what."""
    sheet = Sheet("One definition, two stores, two readers", 430, _ALT)
    data, model, serve = style.PHASES["Data"], style.PHASES["Model"], style.PHASES["Deployment"]
    weather = sheet.box(16, 150, 140, 60, "weather,\neach hour", colour=style.MUTED, kind="outlined")
    landings = sheet.box(16, 300, 140, 60, "landings,\neach night", colour=style.MUTED, kind="outlined")
    registry = sheet.box(206, 56, 460, 52, colour=style.INK, kind="filled")
    sheet.text(
        registry.centre[0],
        registry.centre[1],
        "registry: entities, views, time to live",
        colour=style.PAPER,
        weight="bold",
    )
    offline = sheet.box(206, 146, 190, 214, colour=data, kind="tinted")
    sheet.text(301, 178, "offline store", size=14, weight="bold")
    sheet.text(301, 250, "every value, with the\ntime it was known")
    sheet.text(301, 328, "Parquet, a warehouse", size=SMALL, colour=style.MUTED)
    online = sheet.box(516, 276, 150, 118, colour=serve, kind="tinted")
    sheet.text(591, 300, "online store", size=14, weight="bold")
    sheet.text(591, 334, "newest value")
    sheet.text(591, 372, "SQLite, Redis", size=SMALL, colour=style.MUTED)
    training = sheet.box(746, 150, 138, 68, "training:\nas of then", colour=model, kind="tinted")
    serving = sheet.box(746, 301, 138, 68, "serving:\nas of now", colour=serve, kind="tinted")
    sheet.arrow(weather.right, (offline.x, 180), colour=style.INK)
    sheet.arrow(landings.right, (offline.x, 330), colour=style.INK)
    sheet.arrow((396, 184), training.left, colour=style.INK)
    sheet.text(486, 166, "point-in-time join", size=SMALL)
    sheet.arrow((396, 335), online.left, colour=style.INK)
    sheet.text(456, 316, "materialise", size=SMALL)
    sheet.arrow(online.right, serving.left, colour=style.INK)
    sheet.text(706, 316, "look-up", size=SMALL)
    for x, box in ((301, offline), (620, online)):
        sheet.arrow((x, 108), (x, box.y), colour=style.MUTED, dashed=True)
    return sheet.figure
