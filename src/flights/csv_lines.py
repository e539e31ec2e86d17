"""Is every line of a CSV file one row? Asked of the bytes before anything parses them, because parsers are forgiving.

A single stray quote makes Arrow's threaded reader lose its place, and two of them swallow the rows between them in any reader that follows
RFC 4180, where a quoted cell may hold line ends. Here a cell ends on the line on which it begins. What is wrong is returned as
text that begins with the line, for `data` to raise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

OTHER_FORMATS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip or Excel",
    b"\xd0\xcf\x11\xe0": "old Excel",
    b"PAR1": "Parquet",
}
"""What files of other formats begin with."""

LONGEST_LINE = 100_000
"""Bytes; a flight has some 100."""

LONGEST_NAME = 100
"""Letters of a column's name; what is longer is rather a line without commas."""

MOST_NAMES = 40
"""That a message lists."""

DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

CELL = rb'(?:"(?:[^"\r\n]|"")*+"|[^",\r\n]*+)'
LINE = rb"%b(?:,%b)*+\r?" % (CELL, CELL)
LINES = re.compile(rb"(?:%b\n)*+(?:%b\Z)?" % (LINE, LINE))
CELLS = re.compile(rb"(?:\A|,)(%b)" % CELL)
WHOLE_CELLS = re.compile(rb"(?:%b,)*+" % CELL)


def first_fault(content: bytes, declared: Sequence[str], required: Sequence[str]) -> str:
    """The first thing that keeps a file from being a table with a row on each line; empty when there is none.

    Args:
        content: the file, not empty, without the byte order mark.
        declared: names of columns that mean something.
        required: those of them that have to be there.
    """
    return (
        text_fault(content)
        or line_end_fault(content)
        or long_line_fault(content)
        or delimiter_fault(content, declared)
        or quote_fault(content)
        or control_fault(content)
        or header_fault(content, declared, required)
    )


def text_fault(content: bytes) -> str:
    """Another format, or another encoding than UTF-8."""
    for begin, name in OTHER_FORMATS.items():
        if content.startswith(begin):
            return f"line 1: a file of {name} format, whatever its name says. Save it as CSV."
    wrong = content.find(b"\0")  # allowed in UTF-8, and the sign of UTF-16 or of a disk that filled up
    if not content.isascii():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = error.start
    if wrong < 0:
        return ""
    return f"line {_line_at(content, wrong)}: not UTF-8 text (byte 0x{content[wrong]:02x}). Save the file as UTF-8."


def line_end_fault(content: bytes) -> str:
    """A carriage return that is not part of a line end: the whole file is an old Mac's, or a cell holds one."""
    returns = count(content, "\r")
    if not returns or returns == content.count(b"\r\n"):
        return ""
    if b"\n" not in content:
        return (
            f"line 1: its {returns:,} lines end with a carriage return, as on old Macs. Save the file with line feeds."
        )
    lone = re.search(rb"\r(?!\n)", content).start()
    return (
        f"line {_line_at(content, lone)}: a carriage return without a line feed. Is a line end inside a cell, or do the lines end "
        "in different ways? Save the file with a line feed after each row, and nowhere else."
    )


def long_line_fault(content: bytes) -> str:
    """A line that no row has: Arrow 18 crashes at some of them, and TFX's reader at a cell of 131,072 characters."""
    ends = np.append(np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n")), len(content))
    lengths = np.diff(ends, prepend=-1)
    line = int(np.argmax(lengths > LONGEST_LINE))
    if lengths[line] <= LONGEST_LINE:
        return ""
    text = content[ends[line] - lengths[line] + 1 :][:40].decode(errors="ignore")
    return f"line {line + 1}: {lengths[line]:,} bytes long ({shown(text)}). Is a line end missing?"


def delimiter_fault(content: bytes, declared: Sequence[str]) -> str:
    """Columns that are divided by something else than commas."""
    names = fields(_first_line(content))
    bare = _first_line(content).decode().replace('"', "")
    for delimiter, called in DELIMITERS.items():
        if len(set(declared) & set(bare.split(delimiter))) > len(set(declared) & set(names)):
            return f"line 1: the columns are divided by {called}, not by commas. Save the file with commas."
    return ""


def quote_fault(content: bytes) -> str:
    """A quote that does not enclose a whole cell on its line."""
    if b'"' not in content:
        return ""
    good = LINES.match(content).end()
    if good == len(content):
        return ""
    begin = content.rfind(b"\n", 0, good) + 1
    line = content[begin:].split(b"\n", 1)[0]
    before = WHOLE_CELLS.match(line)[0]
    number, names = len(fields(before)), fields(_first_line(content))
    column = names[number - 1][:LONGEST_NAME] if begin and number <= len(names) else str(number)
    return (
        f"line {_line_at(content, begin)}, column {column}: a quote that does not enclose a whole cell "
        f"({shown(line[len(before) :].decode())}). Remove it, or enclose the cell and write quotes inside it twice; a cell ends on the "
        "line on which it begins."
    )


def control_fault(content: bytes) -> str:
    """A character that steers printers and terminals; a tab is one."""
    below_space = int(np.count_nonzero(np.frombuffer(content, np.uint8) < 0x20))
    if below_space == count(content, "\n") + count(content, "\r") and b"\x7f" not in content:
        return ""
    found = re.search(rb"[\0-\x09\x0b\x0c\x0e-\x1f\x7f]", content)
    return (
        f"line {_line_at(content, found.start())}: a control character (byte 0x{found[0][0]:02x}) inside a cell. Remove it, or ask the "
        "sender for the file again."
    )


def header_fault(content: bytes, declared: Sequence[str], required: Sequence[str]) -> str:
    """Names of columns that are missing, there twice, or not what they seem to be."""
    names = fields(_first_line(content))
    missing = [name for name in required if name not in names]
    if too_long := next((name for name in names if len(name) > LONGEST_NAME), None):
        return (
            f"line 1: the name of column {names.index(too_long) + 1} has {len(too_long):,} letters ({shown(too_long)}). "
            "Are the columns divided by commas?"
        )
    for number, name in enumerate(names, 1):
        odd = [letter for letter in name if not letter.isprintable() or (missing and not letter.isascii())]
        if name not in declared and (odd or name != name.strip()):
            which = ", ".join(map(code_point, dict.fromkeys(odd))) or "a space at its edge"
            return f"line 1: column {number} is called {name!a}, with {which}. Write its name with plain letters only."
    if missing and not set(declared) & set(names):
        return f"line 1: none of the columns is named in it ({shown(','.join(names))}). Is the line with the names missing?"
    if "" in names:
        return (
            f"line 1: column {names.index('') + 1} of {len(names)} has no name. Is there a comma too many, or a column of row numbers? "
            "Name it or remove it."
        )
    if missing:
        return f"line 1: column {', '.join(missing)} is missing; the file has: {_listed(names)}. Was it renamed or dropped?"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"line 1: column {_listed(twice)} is there twice. Remove one of them."
    return ""


def _listed(names: list[str]) -> str:
    more = [f"and {len(names) - MOST_NAMES:,} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*names[:MOST_NAMES], *more])


def rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file, header first, each with its line as an editor counts; slow, for messages only."""
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.rstrip(b"\r"):  # a blank line holds nothing, and readers pass it over
            yield number, fields(line)


def fields(line: bytes) -> list[str]:
    """The cells of one line."""
    line = line.removesuffix(b"\r")
    if b'"' not in line:
        return line.decode().split(",")
    cells = [cell.decode() for cell in CELLS.findall(line)]
    return [cell[1:-1].replace('""', '"') if cell.startswith('"') else cell for cell in cells]


def shown(cell: str) -> str:
    """The beginning of a cell as a message shows it, with characters that do not show as codes."""
    return repr(cell[:40]) if cell.isprintable() else ascii(cell[:40])


def code_point(letter: str) -> str:
    """A character by number and name, for one that does not show or looks like another."""
    return f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".rstrip()


def has_hexadecimal(content: bytes) -> bool:
    """Whether a cell may be a number such as 0x1F."""
    codes = np.frombuffer(content, np.uint8)
    for letter in (b"x", b"X"):
        at = np.flatnonzero(codes == ord(letter)) if letter in content else np.array([], int)
        if np.any((codes[at - 1] == ord("0")) & np.isin(codes[at - 2], list(b',\n"-'))):
            return True
    return False


def count(content: bytes, letter: str) -> int:
    """How often an ASCII character stands in the bytes: faster than `bytes.count` where it stands often."""
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == ord(letter)))


def _first_line(content: bytes) -> bytes:
    return content.split(b"\n", 1)[0]


def _line_at(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1
