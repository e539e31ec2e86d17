"""From the cells of a lesson to the slides of its deck."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.decks import layout

SLIDE_TYPES = ("slide", "subslide", "fragment", "-", "notes", "skip")
STARTS = ("slide", "subslide")

_HEADING = re.compile(r"^(#{1,4}) +(.+?)\s*$", re.MULTILINE)
_OPENING = re.compile(r"\A# (\d\d) +(.+?)\s*$", re.MULTILINE)
_LEAD = re.compile(r"^\*\*([^*]+?):?\*\*:?", re.MULTILINE)


class DeckError(Exception):
    """A lesson cannot become a deck. The message says which cell, and what to do."""


@dataclass
class Part:
    """Cells of a slide that appear together.

    Attributes:
        kind: "" (at once), "fragment" (at a key press) or "notes" (to the speaker only).
    """

    kind: str = ""
    cells: list[NotebookNode] = field(default_factory=list)


@dataclass
class Slide:
    """One slide.

    Attributes:
        kind: "title" or "content".
        heading: of the section, for the footer.
        continued: the slide has no heading of its own, so that of its section is repeated.
        number: counted from 1 over the deck.
        parts: what is shown.
        notes: cells that become the speaker notes.
    """

    kind: str = "content"
    heading: str = ""
    continued: bool = False
    number: int = 0
    parts: list[Part] = field(default_factory=list)
    notes: list[NotebookNode] = field(default_factory=list)

    @property
    def groups(self) -> list[Part]:
        """The parts, and the notes as the last one."""
        return [*self.parts, Part("notes", self.notes)]

    @property
    def density(self) -> str:
        """The size of its letters, as a class of the theme."""
        return layout.density([cell for part in self.parts for cell in part.cells], self.continued)

    def show(self, cell: NotebookNode, fragment: bool = False) -> None:
        """Adds a cell; what follows a fragment appears with it."""
        if fragment or not self.parts:
            self.parts.append(Part("fragment" if fragment else ""))
        self.parts[-1].cells.append(cell)


@dataclass
class Deck:
    """A lesson as slides: `stacks` are its sections, each a list of slides.

    Attributes:
        number: the lesson's, two digits.
        title: without the number.
    """

    number: str
    title: str
    stacks: list[list[Slide]]

    @property
    def slides(self) -> list[Slide]:
        """All slides in the order in which they are shown."""
        return [slide for stack in self.stacks for slide in stack]


def read(path: Path) -> NotebookNode:
    """Reads a notebook.

    Raises:
        DeckError: there is none, or it is not valid.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except FileNotFoundError as error:
        raise DeckError("There is no such file.") from error
    except (nbformat.reader.NotJSONError, json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise DeckError("This is not a notebook: its content is not a notebook's JSON.") from error
    except (nbformat.ValidationError, nbformat.reader.ValidationError, KeyError, TypeError) as error:
        raise DeckError(f"This is not a valid notebook: {str(error).splitlines()[0]}") from error
    return notebook


def arrange(notebook: NotebookNode) -> Deck:
    """Arranges a lesson's cells as slides.

    The opening cell becomes the title slide (title and the sentence of purpose) and a slide of its "You will" list; the rest
    of it goes to the speaker notes.

    Raises:
        DeckError: the lesson has no outputs, no slide types, a slide type that does not exist, a cell that failed, or no
            opening cell as STYLE.md asks.
    """
    _check(notebook)
    match = _OPENING.match(notebook.cells[0].source)
    assert match, "_check has seen it"
    deck = Deck(match[1], plain(match[2]), [_opening(notebook.cells[0])])
    heading = deck.title
    for cell in notebook.cells[1:]:
        kind = slide_type(cell)
        if kind == "skip" or not (cell.source.strip() or cell.get("outputs")):
            continue
        if kind in STARTS:
            own = _HEADING.search(cell.source) if cell.cell_type == "markdown" else None
            heading = plain(own[2]) if own else heading
            slide = Slide(heading=heading, continued=not own)
            if kind == "slide" or len(deck.stacks) == 1:
                deck.stacks.append([])
            deck.stacks[-1].append(slide)
        slide = deck.stacks[-1][-1]
        if kind == "notes":
            slide.notes.append(cell)
        elif slide.kind == "title" or len(deck.stacks) == 1:
            # Before the first slide of its own, a cell would land on the title or on the list of aims.
            slide.notes.append(cell)
        else:
            slide.show(look(cell), fragment=kind == "fragment")
    for number, slide in enumerate(deck.slides, start=1):
        slide.number = number
    return deck


def slide_type(cell: NotebookNode) -> str:
    """Returns the slide type of a cell, "-" where it has none."""
    slideshow = cell.metadata.get("slideshow")
    return (slideshow.get("slide_type") if isinstance(slideshow, dict) else None) or "-"


def plain(markdown: str) -> str:
    """Returns a heading without its markup."""
    return re.sub(r"\[([^]]+)\]\([^)]*\)|[*_`]", lambda found: found[1] or "", markdown).strip()


def look(cell: NotebookNode) -> NotebookNode:
    """Marks a cell with what the theme has to know of it, in `cell.metadata.deck`; two blank lines become one."""
    if cell.cell_type == "code":
        cell.source = re.sub(r"\n{3,}", "\n\n", cell.source)
    cell.metadata.deck = layout.classes(cell)
    return cell


def _check(notebook: NotebookNode) -> None:
    cells = notebook.cells
    if not cells or cells[0].cell_type != "markdown" or not _OPENING.match(cells[0].source):
        raise DeckError("The first cell has to be the opening cell, `# NN Title` (see STYLE.md).")
    for number, cell in enumerate(cells, start=1):
        kind = slide_type(cell)
        if kind not in SLIDE_TYPES:
            raise DeckError(f"Cell {number} has the slide type {kind!r}; there are {', '.join(SLIDE_TYPES)}.")
        failed = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if failed and "raises-exception" not in cell.metadata.get("tags", []):
            raise DeckError(f"Cell {number} ended with {failed[0].ename}: {failed[0].evalue} Mend it and save again.")
    if not any(slide_type(cell) in STARTS for cell in cells[1:]):
        raise DeckError(
            "No cell starts a slide. Give the cells slide types (in JupyterLab: the gear, Slide Type; see STYLE.md)."
        )
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    if code and not any(cell.outputs for cell in code):
        raise DeckError(
            "It has no outputs, and making a deck runs no code. `python -m tools.notebooks save NOTEBOOK` stores them."
        )


def _opening(cell: NotebookNode) -> list[Slide]:
    """The title slide, and the slide of what one will be able to do."""
    source = cell.source.strip()
    leads = list(_LEAD.finditer(source))
    ends = [lead.start() for lead in leads[1:]] + [len(source)]
    sections = {lead[1].strip(): source[lead.end() : end].strip() for lead, end in zip(leads, ends, strict=True)}
    head = source[: leads[0].start()].strip() if leads else source
    paragraphs = re.split(r"\n\s*\n", head)
    title = Slide(kind="title", heading=plain(_OPENING.match(source)[2]))  # type: ignore[index]
    title.show(_markdown(cell, "\n\n".join(paragraphs[1:2])))
    rest = [*paragraphs[2:], *(f"**{lead}**: {text}" for lead, text in sections.items() if lead != "You will")]
    if rest:
        title.notes.append(_markdown(cell, "\n\n".join(rest)))
    if "You will" not in sections:
        return [title]
    aims = Slide(heading=title.heading)
    aims.show(_markdown(cell, "## You will\n\n" + sections["You will"]))
    return [title, aims]


def _markdown(cell: NotebookNode, source: str) -> NotebookNode:
    part = nbformat.v4.new_markdown_cell(source)
    if cell.get("attachments"):
        part.attachments = cell.attachments
    return look(part)
