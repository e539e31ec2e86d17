"""The checks of the sample lab."""

from __future__ import annotations

from course import checks


def data(lab: checks.Lab) -> list[str]:
    """Gives the words."""
    (lab.workspace / "words.txt").write_text("span split", encoding="utf-8")
    return ["words.txt: two words"]


@checks.task("sum", points=2, title="The sum")
def the_sum(lab: checks.Lab, total: object) -> None:
    if type(total) is not int:
        raise checks.Wrong("`TOTAL` is not a whole number.")
    if total != 7:
        raise checks.Wrong(
            "`TOTAL` is not what the numbers add up to. Look at `NUMBERS`.", points=0.5 if total == 12 else 0
        )


@checks.task("words", points=1, title="The words")
def the_words(lab: checks.Lab, words: object) -> None:
    if not isinstance(words, list) or sorted(map(str, words)) != ["span", "split"]:
        raise checks.Wrong("`WORDS` has to be a list of two words.")


@checks.task("report", points=3, title="The report")
def the_report(lab: checks.Lab, total: object, file: object) -> None:
    if not isinstance(file, str) or "/" in file:
        raise checks.Wrong("`REPORT` is not the name of a file.")
    path = lab.workspace / file
    if not path.is_file():
        raise checks.Wrong(f"There is no file {file} in the workspace.")
    if path.read_text(errors="replace") != "sum: 7":
        raise checks.Wrong("The report does not hold the sum.", points=1)
