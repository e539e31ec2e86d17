"""Every line of a month is a row, or the file is refused with its line; a number is what every reader takes for the same."""

from __future__ import annotations

import gzip
import itertools
import random
import re
from pathlib import Path

import pyarrow.csv
import pytest

from flights import data
from tools.data import fixtures

ROWS = 5


def month_file(folder: Path, content: bytes, span: str = "span-01") -> Path:
    path = folder / span / "flights.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(data.DataError) as refused:
        data.read_table(month_file(folder, content))
    assert "\n" not in str(refused.value)
    return str(refused.value).removeprefix("span-01/flights.csv, ").removeprefix("span-01/flights.csv: ")


def month(row: int = 0, **cells: str) -> bytes:
    """A small month in which cells of a row are others."""
    rows = fixtures.sample_rows()[:ROWS]
    rows[row] |= cells
    return fixtures.to_csv(rows)


def header(old: str, new: str) -> bytes:
    first, rest = month().split(b"\n", 1)
    return first.decode().replace(old, new).encode() + b"\n" + rest


def quoted(line: bytes) -> bytes:
    return b",".join(b'"%b"' % cell for cell in line.split(b","))


# --- Quotes ---------------------------------------------------------------------------------------------------------


def test_a_stray_quote_in_a_month_of_several_blocks_is_refused_with_its_line(tmp_path):
    """Arrow's reader takes a megabyte at a time, on threads: of 26,398 flights it let 16,417 through."""
    lines = fixtures.month_path(fixtures.SAMPLE, 1).read_bytes().splitlines(keepends=True)
    lines = [lines[0], *(lines[1:] * 13)]
    lines[10] = re.sub(rb",(N\d)", rb',"\1', lines[10])
    message = refusal(tmp_path, b"".join(lines))
    assert message.startswith("line 11, column tailnum: a quote that does not enclose a whole cell ('\"N")


def test_two_stray_quotes_do_not_swallow_the_rows_between_them(tmp_path):
    lines = month().split(b"\n")
    for number in (2, 4):
        lines[number] = lines[number].replace(b",N", b',"N', 1)
    assert refusal(tmp_path, b"\n".join(lines)).startswith("line 3, column tailnum: a quote")


@pytest.mark.parametrize(
    "cell",
    ['"N1', 'N"1', 'N1"', ' "N1"', '"N1"x', '"N1""', '"""', '"N\\"1"', '"N1\n2"', '"N1\r\n2"', '"N1\r2"', "N1\r2"],
)
def test_a_quote_or_line_end_inside_a_cell_is_refused_with_the_line_of_its_beginning(cell, tmp_path):
    assert refusal(tmp_path, month(2, tailnum=cell)).startswith("line 4")


def test_a_quote_anywhere_loses_no_flight(tmp_path):
    draw, content = random.Random(1), fixtures.to_csv(fixtures.sample_rows()[:300])
    for place in draw.sample(range(len(content)), 60):
        message = refusal(tmp_path, content[:place] + b'"' + content[place:])
        assert message.startswith(f"line {content.count(10, 0, place) + 1}, column "), message


@pytest.mark.parametrize(("cell", "read"), [('"N1"', "N1"), ('"N,1"', "N,1"), ('"N""1"', 'N"1'), ('""', None)])
def test_a_cell_between_two_quotes_is_read(cell, read, tmp_path):
    assert data.read_table(month_file(tmp_path, month(2, tailnum=cell)))["tailnum"].to_pylist()[2] == read


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_month_with_every_cell_in_quotes_is_the_same_month(line_end, tmp_path):
    content = line_end.join(map(quoted, month().splitlines())) + line_end
    table = data.read_table(month_file(tmp_path / "quoted", content))
    assert table.equals(data.read_table(month_file(tmp_path / "plain", month())))


# --- Line ends ------------------------------------------------------------------------------------------------------


def test_line_ends_of_old_macs_are_named(tmp_path):
    assert refusal(tmp_path, month().replace(b"\n", b"\r")).startswith("line 1: its 6 lines end with a carriage return")


@pytest.mark.parametrize("ends", [("\r", "\n"), ("\n", "\r"), ("\r\n", "\r"), ("\r\r\n", "\n")])
def test_mixed_line_ends_are_refused_where_one_is_no_line_end(ends, tmp_path):
    lines = month().decode().splitlines()
    content = "".join(line + ends[number > 2] for number, line in enumerate(lines)).encode()
    assert re.match(r"line [14]: a carriage return without a line feed", refusal(tmp_path, content))


@pytest.mark.parametrize(
    "change", [lambda text: text.replace(b"\n", b"\r\n", 3), lambda text: text.replace(b"\n", b"\n\n")]
)
def test_windows_line_ends_and_blank_lines_lose_nothing(change, tmp_path):
    table = data.read_table(month_file(tmp_path / "changed", change(month())))
    assert table.equals(data.read_table(month_file(tmp_path / "plain", month())))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n\n"])
def test_a_header_alone_is_told_whether_its_line_ends_or_not(end, tmp_path):
    content = month().split(b"\n")[0] + end
    assert refusal(tmp_path, content).startswith("a header and no flights.")


def test_rows_that_are_not_as_many_as_the_lines_are_the_last_defence(tmp_path, monkeypatch):
    read = pyarrow.csv.read_csv
    monkeypatch.setattr(pyarrow.csv, "read_csv", lambda *args, **options: read(*args, **options).slice(1))
    assert refusal(tmp_path, month()).startswith("4 rows on 5 lines.")


@pytest.mark.parametrize(
    "change",
    [
        {"tailnum": "N" * 140_000},
        {"tailnum": f'"{"N" * 3_000_000}"'},
        {"seats": "9" * 200_000},
        {"temp": "," * 2_000_000},
    ],
)
def test_a_line_of_an_impossible_length_is_named_and_reaches_no_parser(change, tmp_path):
    """Arrow 18 crashes at some of them; Python's csv module, in TFX's reader, has an error of its own for long cells."""
    assert re.match(r"line 3: [\d,]+ bytes long \('2013,", refusal(tmp_path, month(1, **change)))


def test_a_row_with_too_many_cells_is_not_told_as_one_that_was_cut_off(tmp_path):
    lines = month().split(b"\n")
    lines[2] += lines.pop(3)
    said = refusal(tmp_path, b"\n".join(lines))
    assert said.startswith("line 3: 47 of 24 fields (")
    assert said.endswith(" Is there a comma too many, or a line end missing?")


# --- What is no table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delimiter", "called"), [(b";", "semicolons"), (b"\t", "tabs"), (b"|", "vertical bars")])
@pytest.mark.parametrize("change", [lambda line: line, quoted])
def test_another_delimiter_is_named_in_one_sentence(delimiter, called, change, tmp_path):
    content = b"\n".join(map(change, month().splitlines())).replace(b",", delimiter)
    assert (
        refusal(tmp_path, content)
        == f"line 1: the columns are divided by {called}, not by commas. Save the file with commas."
    )


@pytest.mark.parametrize(
    ("content", "called"),
    [(gzip.compress(b"a", mtime=0), "gzip"), (b"PK\x03\x04\x14", "zip or Excel"), (b"PAR1\x15\x04", "Parquet")],
)
def test_a_file_of_another_format_is_named(content, called, tmp_path):
    assert refusal(tmp_path, content) == f"line 1: a file of {called} format, whatever its name says. Save it as CSV."


@pytest.mark.parametrize("letter", "\x01\x08\t\x0b\x0c\x1a\x1f\x7f")
def test_a_control_character_is_named_by_its_number(letter, tmp_path):
    said = refusal(tmp_path, month(3, tailnum=f"N{letter}1"))
    assert said.startswith(f"line 5: a control character (byte 0x{ord(letter):02x}) inside a cell.")


@pytest.mark.parametrize("letter", ["\u00a0", "\u200b", "\u00ad", "\u2028", "\ufeff", "\u0085"])
def test_a_character_that_does_not_show_in_a_cell_is_named(letter, tmp_path):
    said = refusal(tmp_path, month(3, tailnum=f"N1{letter}"))
    assert said.startswith("line 5, column tailnum: 'N1\\")
    assert f"U+{ord(letter):04X}" in said


def test_a_letter_of_any_language_is_text(tmp_path):
    assert (
        data.read_table(month_file(tmp_path, month(3, tailnum="Zürich 東京")))["tailnum"].to_pylist()[3]
        == "Zürich 東京"
    )


# --- The header -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown", "called"),
    [
        ("temp\u200b", "'temp\\u200b'", "U+200B ZERO WIDTH SPACE"),
        ("\u00a0temp", "'\\xa0temp'", "U+00A0 NO-BREAK SPACE"),
        ("te\u00admp", "'te\\xadmp'", "U+00AD SOFT HYPHEN"),
        ("t\u0435mp", "'t\\u0435mp'", "U+0435 CYRILLIC SMALL LETTER IE"),
        ("temp ", "'temp '", "a space at its edge"),
        (" temp", "' temp'", "a space at its edge"),
    ],
)
def test_a_name_that_only_looks_right_is_shown_with_what_is_wrong(name, shown, called, tmp_path):
    said = refusal(tmp_path, header("temp", name))
    assert said == f"line 1: column 15 is called {shown}, with {called}. Write its name with plain letters only."


def test_the_label_and_a_new_column_have_names_that_show_as_well(tmp_path):
    assert "U+200B" in refusal(tmp_path, header("late", "late\u200b"))
    content = b"\n".join(
        line + b"," + (b"gate\xc2\xad" if not number else b"A1")
        for number, line in enumerate(month().split(b"\n")[:-1])
    )
    assert "column 25 is called 'gate\\xad'" in refusal(tmp_path, content + b"\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("temp", "t" * 9_000, "line 1: the name of column 15 has 9,000 letters ('tttt"),
        (",", "\uff0c", "line 1: the name of column 1 has 186 letters ('year\uff0c"),
        (
            "temp",
            ",".join(f"x{number}" for number in range(9_000)),
            "line 1: column temp is missing; the file has: year",
        ),
        ("year", "year" + "".join(f",x{n},x{n}" for n in range(900)), "line 1: column x0, x1, x10,"),
    ],
)
def test_a_message_stays_short_whatever_the_header_is(old, new, said, tmp_path):
    message = refusal(tmp_path, header(old, new))
    assert message.startswith(said)
    assert len(message) < 500


def test_a_second_byte_order_mark_is_named(tmp_path):
    mark = b"\xef\xbb\xbf"
    assert "column 1 is called '\\ufeffyear', with U+FEFF" in refusal(tmp_path, mark + mark + month())


@pytest.mark.parametrize("column", [1, 25])
def test_a_column_without_a_name_is_named_by_its_place(column, tmp_path):
    lines = [b"," + line if column == 1 else line + b"," for line in month().splitlines()]
    assert refusal(tmp_path, b"\n".join(lines) + b"\n").startswith(f"line 1: column {column} of 25 has no name.")


def test_a_missing_header_is_not_told_as_a_list_of_names(tmp_path):
    said = refusal(tmp_path, month().split(b"\n", 1)[1])
    assert said.startswith("line 1: none of the columns is named in it ('2013,1,1,")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_two_files_put_together_are_known_by_the_second_header(mark, tmp_path):
    assert refusal(tmp_path, month() + mark + month()).startswith("line 7: the names of the columns again.")


# --- Numbers --------------------------------------------------------------------------------------------------------

NO_WHOLE_NUMBERS = [
    "0x1F",
    "-0X1f",
    "+5",
    " 5",
    "5 ",
    "1e3",
    '"1,000"',
    "1_000",
    "1 000",
    "nan",
    "5.0",
    "9223372036854775808",
    "\u0661",
    "--5",
]
NO_NUMBERS = [
    "0x1F",
    "+5",
    " 5",
    "5 ",
    "1e39",
    "-1e39",
    "nan",
    "-NaN",
    "Infinity",
    "1_0.0",
    '"1,5"',
    "1d5",
    ".",
    "5f",
    "\u0661",
]


@pytest.mark.parametrize(
    ("column", "cell"), [*(("seats", cell) for cell in NO_WHOLE_NUMBERS), *(("temp", cell) for cell in NO_NUMBERS)]
)
def test_what_one_reader_takes_for_a_number_and_another_does_not_is_refused(column, cell, tmp_path):
    said = refusal(tmp_path, month(3, **{column: cell}))
    wanted = "a whole number" if column == "seats" else "a number"
    assert said.startswith(f"line 5, column {column}: {cell.strip(chr(34))!r} is not {wanted}."), said


def test_a_number_is_what_arrow_and_python_agree_on(tmp_path):
    """All texts of up to four of these characters: what is read has the value that Python, and with it TFX, gives it."""
    kinds = {"seats": (data.INTEGER, int), "temp": (data.REAL, float)}
    texts = ["".join(letters) for size in (1, 2, 3, 4) for letters in itertools.product("01.+-eExXna _", repeat=size)]
    flight, taken_for_some_number = fixtures.sample_rows()[0], _numbers_to_arrow(texts)
    for column, (kind, python) in kinds.items():
        plain = [text for text in texts if re.match(data.NUMBER[kind], text)]
        rows = [flight | {column: text} for text in plain]
        read = data.read_table(month_file(tmp_path / column, fixtures.to_csv(rows)))[column]
        expected = pyarrow.array([python(text) for text in plain], pyarrow.float64()).cast(kind)
        assert read.combine_chunks().equals(expected)
        # The fast way looks for no more than three signs of what Arrow takes beside: each such text has one of them, or is not finite.
        others = [text for text in taken_for_some_number if text not in set(plain)]
        taken = [text for text in others if _arrow_takes(text, pyarrow.float64() if kind == data.REAL else kind)]
        assert taken
        assert all("+" in text or " " in text or "0x" in text.lower() or "n" in text for text in taken)


def _numbers_to_arrow(texts: list[str]) -> list[str]:
    """Those that Arrow takes for numbers of some kind: it infers the types of a row that has a column for each text."""
    row = f"{','.join(map(str, range(len(texts))))}\n{','.join(texts)}\n".encode()
    read, nulls = pyarrow.csv.ReadOptions(block_size=2 * len(row)), pyarrow.csv.ConvertOptions(null_values=[""])
    inferred = pyarrow.csv.read_csv(pyarrow.BufferReader(row), read_options=read, convert_options=nulls).schema.types
    numbers = (pyarrow.int64(), pyarrow.float64())
    return [text for text, kind in zip(texts, inferred, strict=True) if kind in numbers]


def _arrow_takes(text: str, kind: pyarrow.DataType) -> bool:
    options = pyarrow.csv.ConvertOptions(column_types={"a": kind}, null_values=[""])
    try:
        return (
            pyarrow.csv.read_csv(pyarrow.BufferReader(f"a\n{text}\n".encode()), convert_options=options).num_rows == 1
        )
    except pyarrow.ArrowInvalid:
        return False


def test_a_tail_number_with_an_x_and_text_with_spaces_change_no_value(tmp_path):
    """Where a cell could be hexadecimal, each is looked at more closely: with the same result."""
    content = month(1, tailnum="0x1F")
    assert data.read_table(month_file(tmp_path / "x", content))["tailnum"].to_pylist()[1] == "0x1F"
    spaces = data.read_table(month_file(tmp_path / "spaces", month(1, tailnum="N 1")))
    plain = data.read_table(month_file(tmp_path / "plain", month(1, tailnum="N1")))
    assert spaces.drop_columns("tailnum").equals(plain.drop_columns("tailnum"))


def test_a_real_number_is_rounded_as_tfx_rounds_it(tmp_path):
    """Python's float, then 32 bits. In one step, this number would be rounded down."""
    cell = "1.00000017881393432617187499"
    assert data.read_table(month_file(tmp_path, month(0, temp=cell)))["temp"].to_pylist()[0] == 1.0000002384185791
