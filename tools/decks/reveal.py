"""Where reveal.js comes from: the wheel of `pyreveal`, which carries the whole of reveal.js and depends on nothing.

What was compared: `sphinx-revealjs` brings Sphinx and twelve libraries along and still has reveal.js 5; `jupyterlab-rise`,
which is installed anyway, has it only inside its own webpack bundle; a copy in this repository would have to be kept up to
date by hand. `pyreveal` is pinned with its hash like every other library, and the five files of reveal.js 6.0.1 that a deck
needs are byte for byte those of the npm package `reveal.js` (MIT licence). Its Python code is not used, and not imported.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tools.decks.slides import DeckError

SCRIPTS = ("dist/reveal.js", "dist/plugin/notes.js")
STYLES = ("dist/reset.css", "dist/reveal.css")


def folder() -> Path:
    """Returns the folder of reveal.js.

    Raises:
        DeckError: the package is not in this environment.
    """
    package = importlib.util.find_spec("pyreveal")
    places = list(package.submodule_search_locations or []) if package else []
    if not places or not (Path(places[0]) / "revealjs" / SCRIPTS[0]).is_file():
        raise DeckError("reveal.js is not installed: `make lab` brings it (in the package pyreveal).")
    return Path(places[0]) / "revealjs"


def licence() -> str:
    """Returns the licence of reveal.js, which has to travel with each copy of it."""
    return (folder() / "LICENSE").read_text(encoding="utf-8").strip()


def script(name: str) -> str:
    """Returns one of `SCRIPTS` so that it can stand inside `<script>`: nothing in it ends that element early."""
    text = (folder() / name).read_text(encoding="utf-8")
    return re.sub(r"<(/script|!--)", r"<\\\1", text, flags=re.IGNORECASE)


def styles() -> str:
    """Returns reveal.js's own style sheets (its layout; the looks are ours)."""
    return "\n".join((folder() / name).read_text(encoding="utf-8") for name in STYLES)
