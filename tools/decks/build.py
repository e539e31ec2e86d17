"""From slides to a deck: one HTML file with everything in it."""

from __future__ import annotations

import base64
import copy
import functools
import mimetypes
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets.config import Config

from course import style
from tools.decks import reveal, slides
from tools.decks.slides import DeckError

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "slides"
DARK = "#0B2B40"
"""Background of the title slide: the palette's blue, darkened until white text on it has a contrast of 14 to 1."""

_LOADS = {
    "src": None,
    "srcset": None,
    "poster": None,
    "data": {"object"},
    "href": {"link", "use", "image"},
    "xlink:href": {"use", "image"},
}
"""Attributes by which an element loads something, and the elements (None: all) for which that is so."""


_DOLLARS = "Write it in words, code or a figure (and a dollar sign as \\\\$)."


@dataclass(frozen=True)
class Built:
    """A deck that was written, and how many slides it has."""

    file: Path
    slides: int


class DeckExporter(HTMLExporter):
    """nbconvert's HTML exporter with our template: no code is run, nothing is loaded from the network."""

    @property
    def default_config(self) -> Config:
        """Static forms only: a widget or a script has nothing behind it in a deck."""
        config = Config(
            {
                "NbConvertBase": {"display_data_priority": DISPLAYED},
                "Exporter": {"optimistic_validation": True},  # once, and not after each of its steps
            }
        )
        defaults = super().default_config.copy()
        defaults.merge(config)
        return defaults

    def from_notebook_node(self, *given: Any, **settings: Any) -> tuple[str, dict[str, Any]]:
        """As every exporter with a template has it. The HTML exporter reads the page once more, for what our template never leaves out or never has."""
        return TemplateExporter.from_notebook_node(self, *given, **settings)

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Markdown as nbconvert makes it, without anchors, and with formulas marked."""
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = _Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
        return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    """Marks formulas, because a deck has no program that sets them: `finish` refuses them on slides."""

    def multiline_math(self, text: str) -> str:
        return f'<span class="formula">{super().multiline_math(text)}</span>'

    def block_math(self, body: str) -> str:
        return f'<span class="formula">{super().block_math(body)}</span>'

    def inline_math(self, body: str) -> str:
        return f'<span class="formula">{super().inline_math(body)}</span>'


DISPLAYED = ["text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain"]
"""Forms of an output, the best one for a slide first."""


def build(notebook: Path, output: Path) -> Built:
    """Makes the deck of a lesson. The file is written in one step: it is the new deck, or what it was before.

    Args:
        notebook: a lesson with its outputs.
        output: folder for `<name of the notebook>.html`; made where it is missing.

    Raises:
        DeckError: the lesson cannot become a deck.
    """
    node = slides.read(notebook)
    deck = slides.arrange(node)
    html = finish(render(node, deck), notebook.parent)
    output.mkdir(parents=True, exist_ok=True)
    file = output / f"{notebook.stem}.html"
    _write(file, html)
    return Built(file, len(deck.slides))


def render(node: NotebookNode, deck: slides.Deck) -> str:
    """Returns the deck as HTML, with places for reveal.js left open."""
    resources = {
        "deck": deck,
        "dark": DARK,
        "palette": palette(),
        "reveal_styles": reveal.styles(),
        "reveal_licence": reveal.licence(),
    }
    html, _ = _exporter().from_notebook_node(node, resources=resources)
    return html


@functools.cache
def _exporter() -> DeckExporter:
    """One for all decks: it compiles the template when it is first used."""
    return DeckExporter(
        template_name="deck",
        extra_template_basedirs=[str(TEMPLATES)],
        filters={"highlight_code": Highlight2HTML(pygments_lexer="ipython3")},
    )


def palette() -> str:
    """Returns the colours of `course.style` as CSS, so that figures and slides have one palette."""
    names = ("BLUE", "ORANGE", "GREEN", "RED", "PURPLE", "SKY", "INK", "MUTED", "LINE", "WASH", "PAPER")
    colours = [f"--{name.lower()}: {getattr(style, name)};" for name in names]
    return ":root { --dark: " + DARK + "; " + " ".join(colours) + " }"


def finish(html: str, folder: Path) -> str:
    """Returns the deck complete: callouts marked, answers copied to the notes, links mended, reveal.js in its place.

    Args:
        html: what `render` returned.
        folder: of the notebook, where the images are that its text names.

    Raises:
        DeckError: something in it would be loaded from outside of the file, or is a formula.
    """
    soup = BeautifulSoup(html, "html.parser")
    tags = _tags(soup)
    formula = next((tag for tag in tags if "formula" in _classes(tag) and _on_slide(tag)), None)
    if formula:
        raise DeckError(
            f"{_where(formula)}: {formula.get_text()!r} is set as a formula, and slides show none. {_DOLLARS}"
        )
    _embed_images(tags, folder)
    for line in [
        tag for tag in tags if "html" in _classes(tag) and tag.find(class_="course-live-only", recursive=False)
    ]:
        line.decompose()
    tags = _tags(soup)
    _mark_callouts(tags)
    _mend_links(tags)
    _answers_to_notes(tags)
    for tag in tags:
        if _is_notes(tag) and not tag.get_text(strip=True) and not tag.find("img"):
            tag.decompose()
    refuse_loads(soup)
    html = str(soup)
    for name in reveal.SCRIPTS:
        place = f'<script data-inline="{name}"></script>'
        if place not in html:
            raise DeckError(f"The template has no place for {name}.")
        html = html.replace(place, f"<script>{reveal.script(name)}</script>")
    return html


def refuse_loads(soup: BeautifulSoup) -> None:
    """Checks that the file is all there is.

    Raises:
        DeckError: an element, or a style, loads from an address or a file.
    """
    for element in _tags(soup):
        for attribute in element.attrs.keys() & _LOADS.keys():
            address, elements = str(element[attribute]), _LOADS[attribute]
            if (elements is None or element.name in elements) and not address.startswith(("data:", "#")):
                raise DeckError(f"{_where(element)}: <{element.name}> loads {address!r}; a deck has to open offline.")
        for css in (element.get_text() if element.name == "style" else "", str(element.get("style", ""))):
            found = re.search(r"@import[^;]*|url\(\s*['\"]?(?!data:|#)[^)]*\)", css)
            if found:
                raise DeckError(f"{_where(element)}: a style loads {found[0]!r}; a deck has to open offline.")


def _tags(soup: BeautifulSoup) -> list[Tag]:
    """All elements, in order. A search for each kind would go through the whole page again."""
    return [tag for tag in soup.descendants if isinstance(tag, Tag)]


def _classes(tag: Tag) -> list[str]:
    return tag.get("class", [])


def _on_slide(tag: Tag) -> bool:
    return tag.find_parent("div", class_="slide") is not None


def _is_notes(tag: Tag) -> bool:
    return tag.name == "aside" and "notes" in _classes(tag)


def _where(element: Tag) -> str:
    slide = element.find_parent("div", class_="slide") or element.find_parent("aside", class_="notes")
    heading = slide.find_parent("section").find(["h1", "h2", "h3"]) if slide else None
    return f"Slide {heading.get_text()!r}" if heading else "The deck"


def _embed_images(tags: list[Tag], folder: Path) -> None:
    """Puts the images that stand beside the notebook into the deck."""
    for image in (tag for tag in tags if tag.name == "img" and "src" in tag.attrs):
        file = folder / unquote(image["src"])
        if image["src"].startswith(("data:", "http:", "https:")):
            continue
        if not file.is_file():
            raise DeckError(f"{_where(image)}: there is no image {image['src']!r}.")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        image["src"] = f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _mark_callouts(tags: list[Tag]) -> None:
    """Gives the callouts of STYLE.md a class each: note, warning, in-production."""
    for quote in (tag for tag in tags if tag.name == "blockquote"):
        lead = quote.find("strong")
        if lead:
            quote["class"] = ["callout", re.sub(r"\W+", "-", lead.get_text().strip().lower()).strip("-")]


def _answers_to_notes(tags: list[Tag]) -> None:
    """Copies the answers of questions to the speaker notes; on the slide they stay closed, one open at a time."""
    sections = [tag for tag in tags if tag.name == "section" and tag.parent.name == "section"]
    numbers = {id(section): number for number, section in enumerate(sections, start=1)}
    for details in (tag for tag in tags if tag.name == "details"):
        if _on_slide(details):
            section, answer = details.find_parent("section"), copy.copy(details)
            details["name"] = f"answers-{numbers[id(section)]}"
            details.attrs.pop("open", None)
            answer["open"] = ""
            section.select_one("aside.notes").append(answer)
        else:
            details["open"] = ""


def _mend_links(tags: list[Tag]) -> None:
    """Lets links to lessons lead to their decks, and takes other links into the repository away: a deck travels alone."""
    for link in (tag for tag in tags if tag.name == "a" and "href" in tag.attrs):
        address = link["href"]
        lesson = re.fullmatch(r"(?:\./)?(\d\d-[\w-]+)\.ipynb(?:#.*)?", address)
        if lesson:
            link["href"] = f"{lesson[1]}.html"
        elif not re.match(r"[a-z]+:", address):
            link.unwrap()


def _write(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
