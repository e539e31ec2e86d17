"""A deck in the browser: each slide shown, measured and, if wanted, photographed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from browsing import chromium

_MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")
_SHOW = """
const show = ([h, v]) => {
  Reveal.slide(h, v);
  for (const part of Reveal.getCurrentSlide().querySelectorAll('.fragment')) part.classList.add('visible');
};
"""
_LOOK = f"""{_SHOW}
const measure = () => {{ {_MEASURE} }};
const look = () => {{
  const answers = [...Reveal.getCurrentSlide().querySelectorAll('.slide details')];
  const open = chosen => answers.forEach(answer => {{ answer.open = answer === chosen; }});
  const heading = (Reveal.getCurrentSlide().querySelector('h1, h2, h3')?.textContent || '').trim();
  const found = measure();
  const opened = answers.map(answer => {{ open(answer); return measure().problems; }});
  open(null);
  return {{...found, heading, opened}};
}};
return Reveal.getSlides().map(slide => {{
  const {{h, v}} = Reveal.getIndices(slide);
  show([h, v ?? 0]);
  return {{at: [h, v ?? 0], ...look()}};
}});
"""


@dataclass
class SlideSeen:
    """One slide as the browser shows it; sizes are pixels of a 1280 x 720 slide.

    Attributes:
        number: from 1.
        heading: its heading.
        problems: what does not fit, a sentence each.
        prose: smallest letters of prose (infinite where there is none).
        text: smallest letters of all.
        figures: for each figure, its size over the size that it was drawn for.
    """

    number: int
    heading: str
    problems: list[str]
    prose: float
    text: float
    figures: list[float]


@dataclass
class DeckSeen:
    """A deck as the browser shows it, what it asked the network for, and the errors in the console."""

    slides: list[SlideSeen] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What does not fit, with the slide."""
        return [f"slide {s.number} ({s.heading}): {problem}" for s in self.slides for problem in s.problems]


def look(chrome: webdriver.Chrome, deck: Path, pictures: Path | None = None) -> DeckSeen:
    """Opens a deck and goes through all of its slides, fragments shown, answers opened one after the other.

    Args:
        chrome: the browser, with a page of 1280 x 720.
        deck: the HTML file.
        pictures: folder for a picture of each slide.
    """
    chrome.get("about:blank")
    chromium.forget(chrome)
    show(chrome, deck)
    seen = DeckSeen()
    for number, found in enumerate(chrome.execute_script(_LOOK), start=1):
        if pictures:
            chrome.execute_script(f"{_SHOW} show(arguments[0]);", found["at"])
            chromium.screenshot(chrome, pictures / f"{number:02d}.png")
        for answer, problems in enumerate(found["opened"], start=1):
            found["problems"] += [f"with answer {answer} open, {problem}" for problem in problems]
        prose, text = (found[key] if found[key] is not None else float("inf") for key in ("prose", "text"))
        seen.slides.append(SlideSeen(number, found["heading"], found["problems"], prose, text, found["figures"]))
    own = deck.resolve().as_uri()
    seen.requests = [address for address in chromium.requests(chrome) if address.split("#")[0] != own]
    seen.complaints = chromium.complaints(chrome)
    return seen


def show(chrome: webdriver.Chrome, deck: Path) -> None:
    """Opens a deck from its file, as by a double click, and waits until reveal.js is ready and the figures are decoded."""
    chrome.get(deck.resolve().as_uri())
    ready = """return document.querySelector('.reveal.ready') !== null && typeof Reveal.getSlides === 'function'
               && [...document.images].every(image => image.complete)"""
    WebDriverWait(chrome, 30).until(lambda page: page.execute_script(ready), f"{deck.name}: reveal.js did not start")
