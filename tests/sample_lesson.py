"""A small notebook that is as STYLE.md wants a lesson, made in memory: tests break copies of it, one thing at a time."""

from __future__ import annotations

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.notebooks import form

NAME = "90-sample"
OPENING = """\
# 90 Sample

A lesson that exists only in tests.

**You will**
- count flights;
- draw their delays;
- see an error on purpose.

**Before you start**: nothing.

**Time**: 1 minute.

**Runs on**: any laptop, offline.
"""
CLOSING = """\
## What you learned

- Flights were counted.
- Delays were drawn.
- An error was seen.

## Check yourself

<details><summary>How many flights?</summary>

Three, as the output says.

</details>
<details><summary>How late is the last?</summary>

Twenty-five minutes, as the figure shows.

</details>
<details><summary>Which error?</summary>

A division by zero, which was meant.

</details>

## Next

Nothing: this is a sample.

## Sources

- no author, no year.
"""
DRAW = """\
figure, axes = plt.subplots(figsize=(4, 2.5))
axes.bar(range(len(delays)), delays)
axes.set(title="The third flight is late", xlabel="flight", ylabel="delay (minutes)")
course.show(figure, alt="Three bars: delays of 5, 10 and 25 minutes.")"""
SECTIONS = [
    ("print(f'{len(delays)} flights')\nsum(delays)", []),
    (DRAW, []),
    ("1 / 0", ["raises-exception"]),
    ("from IPython.display import HTML\n\nHTML('<b>late: 1</b>')", []),
]

EXERCISES = [
    (
        "Late flights",
        "limit = 15  # minutes\nlate = ...",
        "late=late",
        "limit = 15  # minutes\nlate = [delay for delay in delays if delay > limit]",
    ),
    (
        "The longest delay",
        "def longest(delays):\n    return ...",
        "longest=longest",
        "def longest(delays):\n    return max(delays)",
    ),
    (
        "Shares",
        "early = ...\nshares = {'late': ...}",
        "early=early, shares=shares",
        "early = 2\nshares = {'late': 1 / 3}",
    ),
]
"""Title, unsolved cell, what is checked, answer."""


def cells() -> list[NotebookNode]:
    """The cells, without outputs."""
    made = [
        new_markdown_cell(OPENING, metadata={"slideshow": {"slide_type": "slide"}}),
        new_code_cell(f'import course\nimport matplotlib.pyplot as plt\n\nworkspace = course.begin("{NAME}")'),
        new_code_cell("delays = [5, 10, 25]  # minutes", metadata={"tags": ["parameters"]}),
    ]
    for number, (source, tags) in enumerate(SECTIONS, start=1):
        made += [
            new_markdown_cell(f"## Idea {number}", metadata={"slideshow": {"slide_type": "slide"}}),
            new_markdown_cell("Why, and what to expect.", metadata={"slideshow": {"slide_type": "notes"}}),
            new_code_cell(source, metadata={"tags": tags} if tags else {}),
            new_markdown_cell("What it means.", metadata={"slideshow": {"slide_type": "notes"}}),
        ]
    made += [new_markdown_cell(f"## Summary {n}", metadata={"slideshow": {"slide_type": "slide"}}) for n in range(6)]
    made.append(new_markdown_cell(CLOSING, metadata={"slideshow": {"slide_type": "slide"}}))
    return made


def source() -> NotebookNode:
    """The notebook before it is executed."""
    return form.normalise(new_notebook(cells=cells()))


def exercise(title: str, unsolved: str, checked: str, answer: str) -> list[NotebookNode]:
    """The three cells of an exercise, which is called by the last word of its first answer's name."""
    name = checked.rpartition("=")[2]
    opened = f"<details><summary>Answer</summary>\n\n```python\n{answer}\n```\n\nAs the text above says.\n\n</details>"
    return [
        new_markdown_cell(f"### Exercise: {title}\n\nWrite it.", metadata={"slideshow": {"slide_type": "subslide"}}),
        new_code_cell(f'{unsolved}\n\ncourse.exercise("{name}", {checked})', metadata={"tags": ["exercise"]}),
        new_markdown_cell(opened, metadata={"slideshow": {"slide_type": "notes"}}),
    ]


def in_parts() -> NotebookNode:
    """The notebook in the form with parts, each of which ends in an exercise, before it is executed."""
    old = cells()
    old[0].source = old[0].source.replace("1 minute.", "11 minutes to read and do, 1 to run.")
    made = old[:3]
    for number, asked in enumerate(EXERCISES, start=1):
        idea = old[4 * number - 1 : 4 * number + 3]
        idea[0].source = f"## Part {number}: Idea {number}"
        more = new_markdown_cell(f"### More of {number}", metadata={"slideshow": {"slide_type": "slide"}})
        made += [*idea, more, *exercise(*asked)]
    return form.normalise(new_notebook(cells=[*made, old[-1]]))


def with_outputs() -> NotebookNode:
    """The notebook with outputs written by hand, for tests that execute nothing."""
    node = source()
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
    show = nbformat.v4.new_output
    code[2].outputs = [
        show("stream", name="stdout", text="3 flights\n"),
        show("execute_result", data={"text/plain": "40"}, execution_count=3),
    ]
    alt = {"alt": "Three bars: delays of 5, 10 and 25 minutes."}
    code[3].outputs = [show("display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": alt["alt"]})]
    code[3].outputs[0].metadata = nbformat.from_dict({"image/png": alt})
    code[4].outputs = [show("error", ename="ZeroDivisionError", evalue="division by zero", traceback=["..."])]
    data = {"text/html": "<b>late: 1</b>", "text/plain": "<IPython.core.display.HTML object>"}
    code[5].outputs = [show("execute_result", data=data, execution_count=6)]
    return form.normalise(node)
