"""What texts claim of the course stays true: names in backticks, what one lesson says that another does, counts of lines, numbers of the bench."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from flights import cli
from tools.checks import files

NAME = re.compile(r"(?<![\w./-])(?:flights|course|tools)(?:\.[A-Za-z_]\w*)+(?!\w*[./]\w)")
SUFFIXES = ("csv", "parquet", "py", "json", "db", "R")
PLACE = re.compile(r"(?<![\w./-])(?:src|tools|deploy|docs|notebooks|solutions|labs|requirements|tests)/[\w./-]*\w")
LESSON = re.compile(r"[Ll]essons? (\d\d\b(?:(?:,| and| to|, and) \d\d\b)*)")
PROMISE = re.compile(r"[Ll]esson (\d\d)(?: then)? \w+s\b(?:(?!, lesson)[^.;:|?])*")


@pytest.fixture(scope="module")
def prose(root) -> dict[str, list[str]]:
    """The texts of documents and notebooks, in one line each: a notebook's by cell. The changelog tells of what was."""
    found = {}
    for path in files.tracked(root, ".md"):
        if path.name != "CHANGELOG.md":
            found[str(path.relative_to(root))] = [_line(path.read_text(encoding="utf-8"))]
    for path in [*(root / "notebooks").glob("*.ipynb"), *(root / "solutions").rglob("*.ipynb")]:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        told = [_line("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]
        found[str(path.relative_to(root))] = told
    assert {"README.md", "notebooks/00-first-pipeline.ipynb"} <= set(found)
    return found


@pytest.fixture(scope="module")
def lessons(root) -> dict[str, str]:
    """A lesson's text, code and printed outputs, by its number."""
    found = {}
    for path in sorted((root / "notebooks").glob("[0-9][0-9]-*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
        found[path.name[:2]] = _line("\n".join("".join(part) for part in [*(cell["source"] for cell in cells), *shown]))
    return found


@pytest.fixture(scope="module")
def bench(root) -> dict[str, dict]:
    """The rows of docs/bench.json by what they measure; `parts` are the numbers of a remark, by name."""
    sections = json.loads((root / "docs" / "bench.json").read_text(encoding="utf-8")).values()
    rows = {row["what"]: row for section in sections for row in section["rows"]}
    for row in rows.values():
        row["parts"] = {name: float(n) for name, n in re.findall(r"([A-Za-z]+) (\d+(?:\.\d+)?)", row["remark"])}
    return rows


def _line(text: str) -> str:
    return " ".join(text.split())


def _in_code(text: str) -> list[str]:
    found = re.findall(r"```(.*?)```|(?<!`)`([^`]+)`(?!`)|<code>(.*?)</code>", text)
    return ["".join(ways) for ways in found]


def none(faults) -> None:
    faults = sorted(set(faults))
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def resolves(root: Path, dotted: str) -> bool:
    """Whether a dotted name is a module of the repository, or something that one defines; read, and not imported."""
    first, *rest = dotted.split(".")
    place = root / ("tools" if first == "tools" else f"src/{first}")
    while rest and (place / rest[0]).is_dir():
        place /= rest.pop(0)
    file = place / f"{rest.pop(0)}.py" if rest and (place / f"{rest[0]}.py").is_file() else place / "__init__.py"
    if not rest:
        return file.is_file() or place.is_dir()
    return file.is_file() and _defines(root, ast.parse(file.read_text(encoding="utf-8")), rest)


def _defines(root: Path, body: ast.AST, names: list[str]) -> bool:
    """Whether a module or class has a name, and what it names the next one; an import within the repository is followed."""
    name, *rest = names
    for node in ast.walk(body):
        if isinstance(node, ast.ImportFrom) and name in [one.asname or one.name for one in node.names]:
            origin = next(one.name for one in node.names if name == (one.asname or one.name))
            inside = (node.module or "").partition(".")[0] in ("flights", "course", "tools")
            return not inside or resolves(root, ".".join([node.module, origin, *rest]))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return not rest or _defines(root, node, rest)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if name in [target.id for target in targets if isinstance(target, ast.Name)]:
            return True
    return False


@pytest.mark.parametrize(
    "name", ["flights.model.run_fn", "flights.config.Config.min_auc", "course.views", "course.show"]
)
def test_name_that_is_there_is_found(root, name):
    assert resolves(root, name)


@pytest.mark.parametrize(
    "name", ["flights.model.PATIENCE", "flights.modle", "flights.config.Config.no_such", "course.shows"]
)
def test_name_that_is_not_there_is_not_found(root, name):
    assert not resolves(root, name)


def test_names_in_backticks_exist(root, prose):
    none(
        f"{file}: `{name}` does not exist"
        for file, texts in prose.items()
        for code in (code for text in texts for code in _in_code(text))
        for name in NAME.findall(code)
        if name.rpartition(".")[2] not in SUFFIXES and not resolves(root, name)
    )


def test_files_in_backticks_exist(root, prose):
    none(
        f"{file}: `{place}` does not exist"
        for file, texts in prose.items()
        for code in (
            code for text in texts for code in _in_code(text) if not re.search(r"[*<{…]|NN|LAB|STUDENT|lab[-_]N", code)
        )
        for place in PLACE.findall(code)
        if not (root / place).exists()
    )


@pytest.mark.parametrize("command", ["run", "predict"])
def test_options_of_the_command_exist(prose, capsys, command):
    with pytest.raises(SystemExit):
        cli.parser().parse_args([command, "--help"])
    known = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert "--output-root" in known
    none(
        f"{file}: `flights {command}` has no option {option}"
        for file, texts in prose.items()
        for code in (code for text in texts for code in _in_code(text))
        for options in re.findall(rf"\bflights {command}\b([^;|&]*)", code)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", options)
        if option not in known
    )


def test_lessons_that_are_not_there_yet_are_spoken_of_as_planned(prose, lessons):
    none(
        f'{file}: lesson {number} is not there yet, and the sentence says neither "will" nor "planned": {sentence[:120]}'
        for file, texts in prose.items()
        for text in texts
        for sentence in re.split(r"(?<=[.?!]) ", text)
        for numbers in LESSON.findall(sentence)
        for number in re.findall(r"\d\d", numbers)
        if number not in lessons and not re.search(r"\b([Pp]lanned|will)\b", sentence)
    )


def test_lessons_that_are_there_are_not_called_planned(prose, lessons):
    none(
        f"{file}: lesson {number} is there: {words}"
        for file, texts in prose.items()
        for text in texts
        for words, number in re.findall(r"((?:[Ll]esson |\| )(\d\d)(?:\*(?= \|)|,? (?:which is )?planned))", text)
        if number in lessons
    )


def test_tables_of_lessons_name_only_those_that_are_there_or_planned(prose, lessons):
    none(
        f'{file}: a table names lesson {number}, which is not there yet: write "{number}, planned", or "{number}*" under "* planned"'
        for file, texts in prose.items()
        for text in texts
        if file.startswith("notebooks/") and re.search(r"\| lesson\b[^|]*\|", text)
        for cell in re.findall(r"\| ([^|]*\b\d\d\b[^|]*)(?= \|)", text)
        if re.fullmatch(r"(?:here, )?\d\d(?:(?:,| and| to) \d\d)*", cell.rstrip("" if "(* planned)" in text else "*"))
        for number in re.findall(r"\d\d", cell)
        if number not in lessons
    )


def test_what_one_lesson_says_of_another_is_shown_there(root, prose, lessons):
    """Each promise has a line in promises.yaml with what shows it; a promise without a line, and a line without a promise, are faults."""
    lines = yaml.safe_load((root / "tests" / "contract" / "promises.yaml").read_text(encoding="utf-8"))
    made = [
        (file[10:12], match[1], match[0].strip())
        for file, texts in prose.items()
        if file.startswith("notebooks/")
        for text in texts
        for match in PROMISE.finditer(re.sub(r"\]\([^)]*\)|[*`\[\]]", "", text))
    ]
    assert len(made) > 20, "the promises of lessons are not found any more"
    faults = []
    for source, target, words in made:
        shown = [
            line["shows"] for line in lines if line["in"] == source and words.lower().startswith(line["says"].lower())
        ]
        if target in lessons and not shown:
            faults.append(f'lesson {source} says "{words}": write into promises.yaml what shows it in lesson {target}')
        faults += [
            f'lesson {source} says "{words}", and lesson {target} has nothing like "{pattern}"'
            for pattern in shown
            if not re.search(pattern, lessons.get(target, ""))
        ]
    for line in lines:
        if not any(
            source == line["in"] and words.lower().startswith(line["says"].lower()) for source, _, words in made
        ):
            faults.append(f'promises.yaml: lesson {line["in"]} does not say "{line["says"]}" any more')
    none(faults)


LINES = [("notebooks/12-kubeflow.ipynb", r"Of the (\d+) lines of our compiler", "src/engines/kubeflow/compiler.py")]


@pytest.mark.parametrize(("file", "claim", "source"), LINES)
def test_count_of_lines_is_right_within_a_quarter(root, prose, file, claim, source):
    counted = len((root / source).read_text(encoding="utf-8").splitlines())
    told = [int(number) for text in prose[file] for number in re.findall(claim, text)]
    assert told, f"{file} does not say it any more: {claim}"
    assert told == [pytest.approx(counted, rel=0.25)]


def test_no_prose_counts_the_lines_of_a_module(prose):
    """Cells count them, and their output is compared: such a number ages with every change."""
    none(
        f"{file}: {sentence[:150]}"
        for file, texts in prose.items()
        for text in texts
        for sentence in re.split(r"(?<=[.?!:;]) ", text)
        if re.search(r"\w\.py\b", sentence) and re.search(r"\b\d[\d,]* lines\b", sentence)
    )


LOCAL, FLINK = (f"`flights run --engine {engine}`, the sample" for engine in ("local", "flink"))
YEAR = "pipeline, full year (327,346 flights)"
ONES = "notebooks/11-orchestrate.ipynb"
BEAM = ("StatisticsGen", "Transform", "Evaluator")


def quotes(bench: dict[str, dict]) -> dict[str, list[str]]:
    """What texts say in numbers of the bench, as it has to read today."""
    local, flink, year = bench[LOCAL], bench[FLINK], bench[YEAR]
    parts = {
        name: [round(row["parts"][one]) for one in BEAM] for name, row in (("FnApiRunner", local), ("Flink", flink))
    }
    auc = {what: f"{row['parts']['AUC']:.3f}" for what, row in bench.items() if "AUC" in row["parts"]}
    of_steps = [row for what, row in bench.items() if what.startswith("Kubeflow's step ")]
    least = min(row["parts"]["imports"] for row in of_steps)
    whole = sum(row["cpu_seconds"] for row in of_steps)
    forked = bench["all steps of the compiled pipeline, forked from one process, the sample"]["cpu_seconds"]
    alone = bench["`import tensorflow`, alone"]["cpu_seconds"]
    return {
        "README.md": ["327,346 flights of 2013"],
        "notebooks/07-train-and-tune.ipynb": [
            f"the trees reach {auc['gradient boosting, the same split']} in December and the network {auc[YEAR]}",
        ],
        ONES: [
            f"**{local['seconds']:.0f} seconds** on FnApiRunner, **{flink['seconds']:.0f}** on a Flink of its own",
            json.dumps(parts),
            f"{flink['cpu_seconds']:.0f} processor-seconds instead of {local['cpu_seconds']:.0f}",
            f"takes {year['seconds']:.0f} seconds on FnApiRunner, of which StatisticsGen, Transform and the Evaluator take "
            f"{sum(year['parts'][one] for one in BEAM):.0f}",
        ],
        "notebooks/12-kubeflow.ipynb": [
            f"tensorflow, imports = {alone:.1f}, {least:.1f}",
            f"takes {least:.1f} processor seconds, of which TensorFlow alone would take {alone:.1f}",
            f"Of {whole:.0f} processor seconds, {least * len(of_steps):.0f} are imports",
            f"the ten take {forked:.0f} processor seconds, and {whole:.0f} when each imports anew",
            "Transform, Evaluator, StatisticsGen and Trainer work for "
            f"{sum(year['parts'][one] for one in ('Transform', 'Evaluator', 'StatisticsGen', 'Trainer')):.0f} seconds together",
        ],
    }


def test_numbers_of_the_bench_are_quoted_as_they_are(root, bench):
    faults = []
    for file, wanted in quotes(bench).items():
        text = (root / file).read_text(encoding="utf-8")
        if file.endswith(".ipynb"):
            text = " ".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        faults += [f"{file} does not say: {words}" for words in wanted if words not in _line(text)]
    none(faults)


def test_seconds_beside_a_link_to_the_bench_are_compared_with_it(bench, prose):
    wanted = {file: " ".join(words) for file, words in quotes(bench).items()}
    none(
        f"{file} quotes {seconds} seconds beside a link to the bench: add it to `quotes`"
        for file, texts in prose.items()
        for text in texts
        if "docs/bench.md)" in text
        for seconds in re.findall(r"(\d+(?:\.\d+)?)\*{0,2} (?:processor[- ])?seconds", text)
        if not re.search(rf"(?<![\d.]){re.escape(seconds)}(?![\d.])", wanted.get(file, ""))
    )


@pytest.mark.parametrize(
    "file", ["README.md", "Makefile", "deploy/airflow/environment.sh", "src/engines/airflow/home.py"]
)
def test_airflows_environment_takes_everywhere_what_the_bench_has_measured(root, bench, file):
    row = bench["`make airflow-environment`, empty package cache"]
    sizes = [float(size) for size in re.findall(r"(\d\.\d+) GB", row["remark"])]
    assert row["seconds"] < 60
    assert sum(sizes) == pytest.approx(0.5, abs=0.1)
    assert "less than a minute, half a GB with its cache" in (root / file).read_text(encoding="utf-8")


def test_airflows_page_is_said_to_be_printed_and_its_dag_to_wait_for_a_switch(root):
    """Airflow makes DAGs paused unless it is told otherwise: `dags_are_paused_at_creation`, true in its configuration's reference."""
    home, standalone = (
        (root / "src/engines/airflow" / name).read_text(encoding="utf-8") for name in ("home.py", "standalone.py")
    )
    assert "DAGS_ARE_PAUSED_AT_CREATION" not in home
    assert "webbrowser" not in standalone
    assert "paused until you switch it on" in standalone
    for file in ("README.md", "Makefile"):
        lines = [
            line
            for line in (root / file).read_text(encoding="utf-8").splitlines()
            if re.search(r"`make airflow`|^airflow:", line)
        ]
        assert lines
        assert all("the address of its web page" in line for line in lines), file
