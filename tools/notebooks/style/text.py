"""Rules about what a reader reads: opening and closing cells, rhythm, callouts, alt text, links."""

from __future__ import annotations

import re
from urllib.parse import unquote

from tools.notebooks.style.base import LESSON, SOLUTION, Cell, Found, Notebook, rule

LEADS = ("You will", "Before you start", "Time", "Runs on")
CLOSING = ("What you learned", "Check yourself", "Next", "Sources")
CALLOUTS = ("Note", "Warning", "In production")
PROSE_LINES = 40
"""Lines of prose, of up to 120 characters, that may stand between two code cells."""
CODE_CELLS = 3
"""So many code cells without prose between them are too many."""
UNNAMED = re.compile(r"\b(nobody|somebody|whoever|anybody|everybody|simply|obviously)\b", re.IGNORECASE)

_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d+\.) +\S", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
_HTML_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"""\balt=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_LINK = re.compile(r"""(?<!\\)\]\(\s*<?([^)\s>]+)>?(?:\s+["'][^"']*["'])?\s*\)""")


@rule(LESSON)
def opening_cell(notebook: Notebook) -> Found:
    """The first cell: `# NN Title`, a sentence of purpose, and four paragraphs with their bold leads, in order."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or not first.is_text:
        yield first, "the first cell has to be the opening cell, in Markdown: `# NN Title`"
        return
    number = notebook.path.name[:2]
    if not re.match(rf"# {number} \S", first.source):
        yield first, f"it has to begin with `# {number} Title`, the number being that of the file"
    purpose = re.split(r"^\*\*", first.source, maxsplit=1, flags=re.MULTILINE)[0].split("\n", 1)
    if len(purpose) < 2 or not purpose[1].strip():
        yield first, "between the title and **You will** a sentence has to say what the lesson is for"
    places = [_lead(first.source, lead) for lead in LEADS]
    for lead, place in zip(LEADS, places, strict=True):
        if place is None:
            yield first, f"it lacks the paragraph that begins with **{lead}**"
    found = [place for place in places if place is not None]
    if found != sorted(found):
        yield first, f"its paragraphs have to come in this order: {', '.join(LEADS)}"
    aims = len(_aims(first.source))
    if places[0] is not None and not 3 <= aims <= 5:
        yield first, f"**You will** has to be a list of 3 to 5 things to do afterwards, not of {aims}"


@rule(LESSON)
def closing_cells(notebook: Notebook) -> Found:
    """The last four sections, in order; what they hold."""
    found = sections(notebook)
    names = tuple(name for name, _, _ in found)
    if names[-4:] != CLOSING:
        ends = ", ".join(names[-4:]) or "none"
        yield (
            None,
            f"it has to end with the sections {', '.join(f'## {name}' for name in CLOSING)}; it ends with: {ends}",
        )
        return
    learned, questions, following, sources = found[-4:]
    after = [cell for cell in notebook.code if cell.number > learned[1].number]
    if after:
        yield after[0], "no code may come after ## What you learned"
    aims, lines = len(_aims(notebook.cells[0].source)), len(_ITEM.findall(learned[2]))
    if lines < aims:
        yield (
            learned[1],
            f"## What you learned needs a line for each of the {aims} things under **You will**; it has {lines}",
        )
    yield from ((questions[1], what) for what in _questions(questions[2]))
    if not following[2].strip():
        yield following[1], "## Next has to say what comes, and why it follows"
    if not _ITEM.search(sources[2]):
        yield sources[1], "## Sources has to list each source that the text leans on"


@rule(LESSON)
def plain_words(notebook: Notebook) -> Found:
    """A sentence names who acts: the planner, a colleague, the pipeline. "Simply" and "obviously" say nothing."""
    for cell in notebook.cells:
        if found := UNNAMED.search(cell.source):
            start = max(0, found.start() - 20)
            around = cell.source[start : found.end() + 20].replace("\n", " ")
            yield cell, f"{found[1]!r} is no word of a lesson, name who acts or leave it out: {around!r}"


@rule(LESSON)
def rhythm(notebook: Notebook) -> Found:
    """Never 40 lines of prose without code, never three code cells without prose."""
    closing = next((cell.number for name, cell, _ in sections(notebook) if name == CLOSING[0]), len(notebook.cells) + 1)
    opening = notebook.code[1].number if len(notebook.code) > 1 else 1  # set-up and parameters have their fixed place
    lines, run = 0, 0
    for cell in notebook.cells[opening:]:
        if cell.number >= closing:
            break
        if cell.is_code:
            lines, run = 0, run + 1
            if run == CODE_CELLS:
                yield (
                    cell,
                    f"this is code cell {CODE_CELLS} in a row without prose: say what the output means before the next one",
                )
        elif cell.is_text:
            before, lines = lines, lines + _prose_lines(cell)
            if before <= PROSE_LINES < lines:
                yield (
                    cell,
                    f"here prose reaches {lines} lines without code ({PROSE_LINES} at most): show something, or say less",
                )
            if re.sub(r"^#.*$", "", cell.prose, flags=re.MULTILINE).strip():
                run = 0


@rule(LESSON, SOLUTION)
def callouts(notebook: Notebook) -> Found:
    """A block quote is a callout, and begins with Note, Warning or In production."""
    allowed = re.compile(rf"^\s{{0,3}}>\s*\*\*({'|'.join(CALLOUTS)})\b[^*]*\*\*")
    for cell in notebook.text:
        previous = ""
        for line in cell.prose.splitlines():
            if re.match(r"\s{0,3}>", line) and not re.match(r"\s{0,3}>", previous) and not allowed.match(line):
                words = ", ".join(f"**{word}**" for word in CALLOUTS)
                yield cell, f"a block quote has to begin with {words}: {line.strip()[:60]!r}"
            previous = line


@rule()
def alt_text(notebook: Notebook) -> Found:
    """Every image has alt text that says what it shows, in Markdown, in HTML and among the outputs."""
    for cell in notebook.text:
        yield from ((cell, what) for what in _images(cell.prose))
    for cell in notebook.code:
        for output in cell.outputs:
            data, metadata = output.get("data", {}), output.get("metadata", {})
            for kind in (kind for kind in data if kind.startswith("image/")):
                alt = metadata.get(kind, {}).get("alt", "") if isinstance(metadata.get(kind), dict) else ""
                if reason := weak_alt(alt):
                    yield cell, f"the {kind} in its output {reason}; show it with course.show(figure, alt='...')"
            html = data.get("text/html", "")
            yield from ((cell, f"in its HTML output: {what}") for what in _images(html, markdown=False))
            for tag in re.findall(r"<svg\b[^>]*>(?:\s*<title>)?", html, re.IGNORECASE):
                if "<title>" not in tag and "aria-label" not in tag and 'aria-hidden="true"' not in tag:
                    yield (
                        cell,
                        "an <svg> in its HTML output has no text for who cannot see it: give it aria-label or <title>",
                    )


@rule()
def formulas(notebook: Notebook) -> Found:
    """No sums of money between dollar signs: JupyterLab shows what is between two of them as a formula."""
    for cell in notebook.text:
        for paragraph in re.split(r"\n\s*\n", re.sub(r"`[^`]*`", "", cell.prose)):
            if found := re.search(r"(?<!\\)\$\d[^$]*(?<!\\)\$", paragraph):
                yield cell, f"this is shown as a formula, write `dollars`: {found[0][:60]!r}"


@rule()
def links(notebook: Notebook) -> Found:
    """A relative link leads to a file that exists, and within a notebook to a heading that is there."""
    for cell in notebook.text:
        for target in link_targets(cell.prose):
            file, _, anchor = unquote(target).partition("#")
            where = notebook.path.parent / file
            if file and not where.exists():
                yield cell, f"the link to {target} leads nowhere"
            elif anchor and (not file or where.suffix == ".ipynb"):
                known = anchors(Notebook.read(where) if file else notebook)
                if anchor not in known:
                    near = next((name for name in known if name.lower() == anchor.lower()), "")
                    yield cell, f"the link to {target} leads to a heading that is not there{near and f' ({near} is)'}"


def anchors(notebook: Notebook) -> list[str]:
    """Returns the anchors of a notebook's headings, as JupyterLab and nbconvert make them: the text, with - for each space."""
    names = [name for cell in notebook.text for _, name in headings(cell.prose)]
    return [
        re.sub(r"\[([^\]]*)\]\([^)]*\)|[*`]", lambda found: found[1] or "", name).replace(" ", "-") for name in names
    ]


def link_targets(markdown: str) -> list[str]:
    """Returns the targets of a Markdown text's links and images that are neither addresses nor attachments."""
    text = re.sub(r"`[^`\n]*`", "", markdown)
    targets = _LINK.findall(text) + re.findall(r"""\b(?:href|src)=["']([^"']+)["']""", text)
    targets += re.findall(r"^\[[^\]]+\]:\s*(\S+)", text, re.MULTILINE)
    return [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE)]


def weak_alt(alt: str) -> str | None:
    """Returns what is wrong with an alt text, or None."""
    words = alt.split()
    if not words:
        return "has no alt text"
    if len(words) < 3:
        return f"has {alt!r} as alt text, which does not say what it shows"
    if re.match(r"(an? |the )?(image|picture|figure|graphic|photo(graph)?)\b", alt, re.IGNORECASE):
        return f"says in its alt text that it is an image ({alt[:40]!r}) and not what it shows"
    return None


def headings(markdown: str) -> list[tuple[int, str]]:
    """Returns level and text of the headings in a Markdown text that has no fenced code in it."""
    return [(len(level), name) for level, name in re.findall(r"^(#{1,6}) +(.+?)\s*#*\s*$", markdown, re.MULTILINE)]


def _lead(source: str, lead: str) -> int | None:
    found = re.search(rf"^\*\*{lead}[.:]?\*\*", source, re.MULTILINE)
    return found.start() if found else None


def _aims(source: str) -> list[str]:
    """Returns the items of the list under **You will**."""
    start = _lead(source, LEADS[0])
    if start is None:
        return []
    rest = source[start + 4 :]
    end = re.search(r"^\*\*", rest, re.MULTILINE)
    return _ITEM.findall(rest[: end.start()] if end else rest)


def sections(notebook: Notebook) -> list[tuple[str, Cell, str]]:
    """Returns the `##` sections: name, the cell that holds the heading, and the Markdown under it, over several cells."""
    found: list[tuple[str, Cell, str]] = []
    for cell in notebook.text:
        pieces = re.split(r"^## +(.+?)\s*$", cell.prose, flags=re.MULTILINE)
        if found:
            name, holder, text = found[-1]
            found[-1] = (name, holder, f"{text}\n{pieces[0]}")
        found += [(name, cell, text) for name, text in zip(pieces[1::2], pieces[2::2], strict=True)]
    return found


def _questions(text: str) -> list[str]:
    found = []
    answers = re.findall(r"<details\b[^>]*>(.*?)</details>", text, re.DOTALL | re.IGNORECASE)
    opened = len(re.findall(r"<details\b", text, re.IGNORECASE))
    if opened != len(answers):
        found.append(f"## Check yourself opens {opened} <details> and closes {len(answers)}")
    if not 3 <= len(answers) <= 5:
        found.append(
            f"## Check yourself needs 3 to 5 questions in <details><summary>…</summary>…</details>; it has {len(answers)}"
        )
    for number, answer in enumerate(answers, start=1):
        parts = re.match(r"\s*<summary>(.+?)</summary>(.*)", answer, re.DOTALL | re.IGNORECASE)
        if not parts or len(parts[2].strip()) < 20:
            found.append(
                f"question {number} of ## Check yourself needs a <summary> with the question, and an answer after it"
            )
    return found


def _prose_lines(cell: Cell) -> int:
    """Returns how much there is to read; headings, tables and code in the text are no prose."""
    lines = [line for line in cell.prose.splitlines() if line.strip() and not line.lstrip().startswith(("#", "|", "<"))]
    return sum(-(-len(line) // 120) for line in lines)


def _images(text: str, markdown: bool = True) -> list[str]:
    found = [f"an image {reason}" for alt in _IMAGE.findall(text) if markdown and (reason := weak_alt(alt))]
    for tag in _HTML_IMAGE.findall(text):
        alt = _ALT.search(tag)
        if reason := weak_alt((alt[1] or alt[2] or "") if alt else ""):
            found.append(f"an <img> {reason}")
    return found
