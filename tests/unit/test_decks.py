"""From a lesson to its deck: what lands where, and what is refused with a sentence that helps."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat import NotebookNode

from tools.decks import __main__ as command_line
from tools.decks import build as deck_build
from tools.decks import layout, reveal, slides
from tools.decks.slides import DeckError

OPENING = """# 07 Train `and` tune

One sentence of purpose.

**You will**

- train a model
- tune it

**Before you start**: lesson 06.

**Time**: 20 minutes."""


def md(source: str, kind: str | None = None) -> NotebookNode:
    metadata = {"slideshow": {"slide_type": kind}} if kind else {}
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def code(source: str, *outputs: NotebookNode, kind: str | None = None, tags: list[str] | None = None) -> NotebookNode:
    metadata: dict = {"slideshow": {"slide_type": kind}} if kind else {}
    if tags:
        metadata["tags"] = tags
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def shows(**data: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", data={key.replace("_", "/"): text for key, text in data.items()})


def printed(text: str) -> NotebookNode:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def lesson(folder: Path, *cells: NotebookNode, opening: str = OPENING) -> Path:
    """A lesson of an opening cell, one slide with an output, and the cells."""
    first = [md(opening, "slide"), md("## First\n\nA statement.", "slide"), code("print(1)", printed("one\n"))]
    path = folder / "07-train.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[*first, *cells]), path)
    return path


def sections(folder: Path, *cells: NotebookNode, opening: str = OPENING) -> list[Tag]:
    """The slides of the deck of such a lesson."""
    built = deck_build.build(lesson(folder, *cells, opening=opening), folder / "decks")
    found = BeautifulSoup(built.file.read_text(encoding="utf-8"), "html.parser").select("section > section")
    assert len(found) == built.slides
    return found


def text(element: Tag | None) -> str:
    return " ".join(element.get_text(" ").split()) if element else ""


def test_opening_cell_becomes_title_aims_and_notes(tmp_path: Path) -> None:
    title, aims, *_ = sections(tmp_path)
    assert text(title.h1) == "Train and tune"
    shown = text(title.select_one(".slide"))
    assert "One sentence of purpose." in shown
    assert "lesson 06" not in shown
    assert "lesson 06" in text(title.select_one("aside.notes"))
    assert [text(item) for item in aims.select(".slide li")] == ["train a model", "tune it"]


def test_slide_types_decide_where_a_cell_lands(tmp_path: Path) -> None:
    *_, first, sub = sections(
        tmp_path,
        md("What is **said**.", "notes"),
        code("hidden = 1", printed("never shown"), kind="skip"),
        code("late()", printed("later"), kind="fragment"),
        md("### Deeper", "subslide"),
        md("More."),
    )
    assert text(first.select_one("aside.notes")) == "What is said ."
    assert "said" not in text(first.select_one(".slide"))
    assert text(first.select_one(".fragment .outputs")) == "later"
    assert text(sub.select_one(".slide")).startswith("Deeper More.")
    assert first.parent is sub.parent, "a subslide stands under its slide"
    assert "never shown" not in first.parent.get_text()


def test_slide_without_heading_repeats_that_of_its_section(tmp_path: Path) -> None:
    *_, continued = sections(tmp_path, code("more()", printed("more"), kind="subslide"))
    assert text(continued.select_one("h2.continued")) == "First"


def test_answers_are_closed_on_the_slide_and_open_in_the_notes(tmp_path: Path) -> None:
    question = "## Check yourself\n\n<details><summary>Why?</summary>\n\nBecause **so**.\n\n</details>"
    *_, check = sections(tmp_path, md(question, "slide"))
    shown, note = check.select_one(".slide details"), check.select_one("aside.notes details")
    assert "Because so" in text(shown)
    assert not shown.has_attr("open")
    assert note.has_attr("open")
    assert "Because so" in text(note)


def test_links_lead_to_decks_or_nowhere(tmp_path: Path) -> None:
    linked = "## L\n\n[next](08-evaluate.ipynb), [sheet](../data/README.md), [web](https://example.org/a)"
    *_, slide = sections(tmp_path, md(linked, "slide"))
    assert [link["href"] for link in slide.select("a")] == ["08-evaluate.html", "https://example.org/a"]
    assert "sheet" in text(slide)


def test_callouts_are_marked(tmp_path: Path) -> None:
    *_, slide = sections(tmp_path, md("## C\n\n> **In production** Somebody is woken.", "slide"))
    assert slide.blockquote["class"] == ["callout", "in-production"]


def test_best_form_of_an_output_is_shown_and_controls_are_left_out(tmp_path: Path) -> None:
    line = '<p class="course-live-only">Run in JupyterLab, this figure has controls: threshold.</p>'
    view = shows(text_html="<table><tr><td>cell</td></tr></table>", text_plain="Table(...)")
    *_, slide = sections(tmp_path, md("## O", "slide"), code("x", shows(text_html=line), view))
    assert text(slide.select_one(".outputs")) == "cell"


def figure(width: int = 900, height: int = 450) -> NotebookNode:
    look = {"alt": "A <rise>", "width": width, "height": height}
    data = {"image/png": "AAAA", "text/plain": "x"}
    return nbformat.v4.new_output("display_data", data=data, metadata={"image/png": look})


def test_figure_keeps_its_alt_text(tmp_path: Path) -> None:
    *_, slide = sections(tmp_path, code("show()", figure(), kind="slide"))
    assert slide.img["alt"] == "A <rise>"


def test_figure_stands_where_it_is_larger() -> None:
    short, long = "a = 1\nb = 2", "a = 1\n" * 14
    assert "beside" not in layout.classes(code(short, figure()))
    assert "beside" in layout.classes(code(long, figure()))
    assert "beside" not in layout.classes(code(long, figure(900, 180)))


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        ("course.show(figures.lifecycle())", True),
        ("# costs\ncourse.explore(\n    draw,\n    threshold=(0, 1),\n)", True),
        ("figure = draw()\ncourse.show(figure)", False),
        ("course.views.statistics(channel)", False),
        ("%matplotlib inline", False),
    ],
)
def test_code_that_only_shows_a_figure_is_left_out(source: str, hidden: bool) -> None:
    assert ("shown" in layout.classes(code(source, figure()))) == hidden
    assert "shown" not in layout.classes(code(source, printed("no figure"))), "only where there is a figure"


def test_tagged_cell_is_on_its_slide_without_its_code() -> None:
    assert layout.classes(code("long = 1\nprint(long)", printed("1"), tags=["hide-input"])) == ["code", "shown"]
    assert "shown" in layout.classes(code("figure = draw()\ncourse.show(figure)", figure(), tags=["hide-input"]))
    assert "shown" not in layout.classes(code("long = 1", tags=["hide-input"])), "without outputs nothing would be left"


def test_letters_are_larger_where_there_is_room() -> None:
    sizes = [layout.density([code("value = 1\n" * lines)], continued=False) for lines in (3, 22, 24, 40)]
    assert sizes == ["airy", "normal", "dense", "tight"]


def test_error_that_is_meant_shows_its_last_line(tmp_path: Path) -> None:
    error = nbformat.v4.new_output("error", ename="DataError", evalue="line <3>", traceback=["\x1b[31mlong trace"])
    *_, slide = sections(tmp_path, code("read()", error, kind="slide", tags=["raises-exception"]))
    assert text(slide.select_one(".error")) == "DataError: line <3>"
    assert "long trace" not in slide.get_text()


def test_image_beside_the_notebook_is_put_into_the_deck(tmp_path: Path) -> None:
    (tmp_path / "a b.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    *_, slide = sections(tmp_path, md("## I\n\n![drawn](a%20b.svg)", "slide"))
    assert slide.img["src"].startswith("data:image/svg+xml;base64,")


def test_deck_is_the_same_each_time_and_carries_the_licence(tmp_path: Path) -> None:
    path = lesson(tmp_path)
    first, again = (deck_build.build(path, tmp_path / name).file.read_bytes() for name in ("a", "b"))
    assert first == again
    assert b"Permission is hereby granted" in first
    for name in reveal.SCRIPTS:
        assert reveal.script(name).encode() in first
        assert "</script" not in reveal.script(name).lower()


REFUSED = {
    "a remote image": (md("## B\n\n![x](https://example.org/x.png)", "slide"), "Slide 'B'.*https://example.org/x.png"),
    "a remote style": (md("## B\n\n<p style='background: url(//example.org/x)'>t</p>", "slide"), "Slide 'B'.*style"),
    "a frame": (md("## B\n\n<iframe src='other.html'></iframe>", "slide"), "Slide 'B'.*iframe"),
    "an image that is not there": (md("## B\n\n![x](missing.png)", "slide"), "no image 'missing.png'"),
    "a formula": (md("## B\n\nIt costs $5 or $6.", "slide"), r"Slide 'B'.*formula"),
    "an unknown slide type": (md("## B", "slides"), "Cell 4 has the slide type 'slides'"),
    "a failed cell": (
        code("1/0", nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="division", traceback=[])),
        "Cell 4 ended with ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_the_place_and_nothing_is_written(what: str, tmp_path: Path) -> None:
    cell, message = REFUSED[what]
    with pytest.raises(DeckError, match=message):
        deck_build.build(lesson(tmp_path, cell), tmp_path / "decks")
    assert not list(tmp_path.rglob("*.html*"))


def test_lesson_that_was_not_run_or_has_no_slides_is_refused(tmp_path: Path) -> None:
    path = lesson(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].outputs = []
    with pytest.raises(DeckError, match=r"no outputs.*tools\.notebooks save"):
        slides.arrange(notebook)
    bare = nbformat.v4.new_notebook(cells=[md(OPENING), md("## A"), code("1", printed("1"))])
    with pytest.raises(DeckError, match="No cell starts a slide"):
        slides.arrange(bare)
    with pytest.raises(DeckError, match="opening cell"):
        slides.arrange(nbformat.v4.new_notebook(cells=[md("A text"), *bare.cells[1:]]))
    with pytest.raises(DeckError, match="opening cell"):
        slides.arrange(nbformat.v4.new_notebook())


@pytest.mark.parametrize(
    "content", ["", "no JSON", "[]", "{}", '{"cells": 1}', '{"nbformat": 4, "cells": [{}]}', "\xff\xfe"]
)
def test_what_is_no_notebook_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "07-train.ipynb"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DeckError, match=r"not a (valid )?notebook"):
        deck_build.build(path, tmp_path)
    assert not list(tmp_path.glob("*.html"))


def test_bad_lesson_leaves_its_old_deck_and_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    good, decks = lesson(tmp_path), tmp_path / "decks"
    bad = tmp_path / "08-bad.ipynb"
    bad.write_text("broken", encoding="utf-8")
    decks.mkdir()
    (decks / "08-bad.html").write_text("the deck of yesterday", encoding="utf-8")
    arguments = [str(bad), str(tmp_path / "09-missing.ipynb"), str(good), "-o", str(decks)]
    assert command_line.main(arguments) == 1
    said = capsys.readouterr()
    assert "08-bad.ipynb: no deck." in said.err
    assert "09-missing.ipynb: no deck. There is no such file." in said.err
    assert "07-train.html: 3 slides" in said.out
    assert (decks / "08-bad.html").read_text(encoding="utf-8") == "the deck of yesterday"
    assert sorted(path.name for path in decks.iterdir()) == ["07-train.html", "08-bad.html"]


def test_interrupted_write_leaves_no_half_deck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deck_build.os, "replace", stops)
    with pytest.raises(KeyboardInterrupt):
        deck_build.build(lesson(tmp_path), tmp_path / "decks")
    assert not list((tmp_path / "decks").iterdir())
