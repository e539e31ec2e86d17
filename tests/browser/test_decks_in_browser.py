"""Every lesson has a deck that fits, opens offline and can be read from the back row; and the measure can see what does not."""

from __future__ import annotations

import base64
import io
import itertools
from pathlib import Path

import nbformat
import pytest
from browsing import chromium, deck
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tools.decks.build import ROOT, build

LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
PICTURES = ROOT / "out/reports/screens/decks"
PROSE, TEXT = 24, 18
"""The smallest letters, in pixels of a slide of 1280 x 720: of prose, and of code, outputs and tables."""
FIGURE = 0.6
"""The least size of a figure, over the size that it was drawn for: letters of 10.5 points are then 9 pixels high or so."""

HEADING = "return Reveal.getCurrentSlide?.().querySelector('h1, h2, h3')?.textContent"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_every_slide_fits_and_the_deck_is_all_there_is(lesson: Path, chrome: webdriver.Chrome, tmp_path: Path) -> None:
    file = build(lesson, tmp_path).file
    seen = deck.look(chrome, file)
    small = [
        f"slide {s.number} ({s.heading}): letters of {min(s.prose, s.text):.0f} px"
        for s in seen.slides
        if s.prose < PROSE or s.text < TEXT
    ]
    squeezed = [
        f"slide {s.number} ({s.heading}): a figure at {figure:.0%} of its size"
        for s in seen.slides
        for figure in s.figures
        if figure < FIGURE
    ]
    if found := seen.problems + small + squeezed:
        deck.look(chrome, file, PICTURES / lesson.stem)
        pytest.fail("\n".join([*found, f"pictures of the slides are in {PICTURES / lesson.stem}"]), pytrace=False)
    assert 12 <= len(seen.slides) <= 40, f"a deck has 12 to 40 slides, this one {len(seen.slides)}"
    assert seen.requests == [], "a deck loads nothing"
    assert seen.complaints == [], "errors in the console"


TOO_MUCH = {
    "too many lines": "\n".join(f"- line {number}" for number in range(30)),
    "a table that is too wide": '<table><tr><td style="white-space: nowrap">' + "wide " * 60 + "</td></tr></table>",
    "a line that cannot wrap": '<p style="white-space: nowrap">' + "long " * 60 + "</p>",
    "text that is cut off": '<div style="height: 60px; overflow: hidden">' + "<p>lost</p>" * 9 + "</div>",
    "text over text": '<p style="height: 10px; margin-bottom: -60px">under</p>\n\n## over',
    "an answer that is too long": "<details><summary>Why?</summary>\n\n" + "Because. " * 600 + "\n\n</details>",
}


@pytest.mark.parametrize("kind", ["slide", "subslide"])
def test_what_does_not_fit_is_found_and_named(kind: str, chrome: webdriver.Chrome, tmp_path: Path) -> None:
    cells = [(slide("## Good\n\nA line."), slide(f"## {name}\n\n{bad}", kind)) for name, bad in TOO_MUCH.items()]
    seen = deck.look(chrome, build(make_lesson(tmp_path, *itertools.chain(*cells)), tmp_path).file)
    found = [s for s in seen.slides if s.problems]
    assert [(s.number, s.heading) for s in found] == list(zip(itertools.count(5, 2), TOO_MUCH, strict=False))
    assert seen.problems[0].startswith("slide 5 (too many lines): ")


def test_code_and_output_that_do_not_fit_are_found(chrome: webdriver.Chrome, tmp_path: Path) -> None:
    long = nbformat.v4.new_code_cell("\n".join(f"value_{number} = {number}" for number in range(40)))
    wide = nbformat.v4.new_code_cell("table", outputs=[html("<table><tr>" + "<td>number</td>" * 40 + "</tr></table>")])
    lesson = make_lesson(tmp_path, slide("## Long"), long, slide("## Wide"), wide)
    seen = deck.look(chrome, build(lesson, tmp_path).file)
    assert [s.heading for s in seen.slides if s.problems] == ["Long", "Wide"]


def test_a_fragment_that_does_not_fit_is_found(chrome: webdriver.Chrome, tmp_path: Path) -> None:
    late = slide(TOO_MUCH["too many lines"], "fragment")
    seen = deck.look(chrome, build(make_lesson(tmp_path, slide("## Late"), late), tmp_path).file)
    assert [s.heading for s in seen.slides if s.problems] == ["Late"]


def test_small_letters_and_squeezed_figures_are_found(chrome: webdriver.Chrome, tmp_path: Path) -> None:
    small = slide('## Small\n\n<p style="font-size: 14px">small print</p>')
    wide, high = (nbformat.v4.new_code_cell("show()", outputs=[picture(size)]) for size in [(1800, 900), (900, 2400)])
    lesson = make_lesson(tmp_path, small, slide("## Wide"), wide, slide("## High"), high)
    by_heading = {s.heading: s for s in deck.look(chrome, build(lesson, tmp_path).file).slides}
    assert by_heading["Small"].prose == 14
    assert by_heading["Wide"].figures[0] > 1 > FIGURE > by_heading["High"].figures[0]
    assert not by_heading["High"].problems, "it fits: it was made small enough"


@pytest.fixture(scope="module")
def clean(chrome: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A deck that neither loads anything nor fails."""
    folder = tmp_path_factory.mktemp("clean")
    file = build(make_lesson(folder), folder).file
    seen = deck.look(chrome, file)
    assert not seen.requests + seen.complaints
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "added",
    [
        '<img src="http://127.0.0.1:9/picture.png">',
        '<link rel="stylesheet" href="http://127.0.0.1:9/style.css">',
        "<script>fetch('http://127.0.0.1:9/data')</script>",
        "<script>throw new Error('broken')</script>",
    ],
)
def test_a_deck_that_loads_or_fails_is_found(added: str, clean: str, chrome: webdriver.Chrome, tmp_path: Path) -> None:
    file = tmp_path / "deck.html"
    file.write_text(clean.replace("</body>", added + "</body>", 1), encoding="utf-8")
    seen = deck.look(chrome, file)
    assert seen.requests + seen.complaints, "neither the network log nor the console shows it"


def test_a_request_is_seen_where_no_rule_forbids_it(chrome: webdriver.Chrome, tmp_path: Path) -> None:
    """The decks' own Content-Security-Policy stops loads before they start; the log has to see them without it, too."""
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/picture.png">', encoding="utf-8")
    chromium.forget(chrome)
    chrome.get(page.as_uri())
    assert "http://127.0.0.1:9/picture.png" in chromium.requests(chrome)


def test_the_arrow_key_leads_through_all_slides(chrome: webdriver.Chrome, tmp_path: Path) -> None:
    deck.show(chrome, build(make_lesson(tmp_path, slide("## One"), slide("### Two", "subslide")), tmp_path).file)
    headings = []
    for _ in range(5):
        headings.append(chrome.execute_script(HEADING))
        chrome.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_RIGHT)
    assert headings == ["Testing", "You will", "Filled", "One", "Two"]


def test_printed_a_slide_is_a_page(chrome: webdriver.Chrome, tmp_path: Path) -> None:
    cells = [slide("## One"), slide("- at first\n- and", "-"), slide("later", "fragment")]
    built = build(make_lesson(tmp_path, *cells), tmp_path)
    chrome.get(built.file.as_uri() + "?print-pdf")
    pages = "return document.querySelectorAll('.pdf-page').length"
    WebDriverWait(chrome, 20).until(lambda page: page.execute_script(pages), "no pages")
    assert chrome.execute_script(pages) == built.slides


def test_the_speaker_sees_slide_and_notes_offline(tmp_path: Path) -> None:
    if chromium.missing():
        pytest.skip(chromium.missing())
    file = build(make_lesson(tmp_path, slide("## One"), note("Say this of **one**.")), tmp_path).file
    with chromium.open_browser(wait_for_load=False) as chrome:
        deck.show(chrome, file)
        chrome.execute_script("Reveal.slide(2, 0)")
        audience = chrome.current_window_handle
        chrome.find_element(By.TAG_NAME, "body").send_keys("s")
        WebDriverWait(chrome, 20).until(lambda page: len(page.window_handles) == 2, "S opens no window")
        chrome.switch_to.window(next(handle for handle in chrome.window_handles if handle != audience))
        notes = "return document.querySelector('.speaker-controls-notes .value')?.innerText ?? ''"
        WebDriverWait(chrome, 20).until(lambda page: "Say this of one." in page.execute_script(notes), "no notes")
        WebDriverWait(chrome, 20).until(lambda page: page.find_elements(By.TAG_NAME, "iframe"), "no slide")
        chrome.switch_to.frame(0)
        WebDriverWait(chrome, 20).until(lambda page: page.execute_script(HEADING) == "One", "not this slide")


def make_lesson(folder: Path, *cells: nbformat.NotebookNode) -> Path:
    """Writes a short lesson: title slide, aims, a filled slide, then the cells."""
    opening = slide("# 99 Testing\n\nA lesson that is made by a test.\n\n**You will**\n\n- see\n\n**Time**: none.")
    filled = [slide("## Filled\n\nA statement."), nbformat.v4.new_code_cell("1 + 1", outputs=[html("<p>2</p>")])]
    path = folder / "99-testing.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[opening, *filled, *cells]), path)
    return path


def slide(source: str, kind: str = "slide") -> nbformat.NotebookNode:
    """A markdown cell with a slide type."""
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def note(source: str) -> nbformat.NotebookNode:
    """A cell of speaker notes."""
    return slide(source, "notes")


def html(source: str) -> nbformat.NotebookNode:
    """An output of HTML."""
    return nbformat.v4.new_output("display_data", data={"text/html": source})


def picture(size: tuple[int, int]) -> nbformat.NotebookNode:
    """An output of a grey picture."""
    buffer = io.BytesIO()
    Image.new("L", size, 128).save(buffer, "PNG")
    data = {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": "grey"}
    return nbformat.v4.new_output("display_data", data=data, metadata={"image/png": {"alt": "a grey picture"}})
