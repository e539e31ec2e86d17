"""Lab 3 is graded like any other: of a submission that cheats or forges, what is right in it counts.

That the right one gets full marks, and the unsolved one none, is shown where all notebooks are run; and the former by each `make grade` before it gives any.
"""

from __future__ import annotations

import classroom
import pytest

LAB = "lab-3-pipeline"
PACKAGE = (
    *("config", "columns", "filled", "derived", "preprocessing", "model-imports", "prepared", "network", "export"),
    *("batches", "run-fn", "pipeline-imports", "data-components", "source", "transform", "trainer", "baseline"),
    *("judging", "create", "create-pipeline"),
)
LINEAGE = ("opened", "made-from", "lineage")
"""The cells of tasks 1 and 6, which run no pipeline: 5 points, and 3 for the inherited store."""
NO_RUN = {
    "january": 'STORE, VERSION = "pipeline/metadata.sqlite", "1"',
    "own-inherited": """
left = workspace / "inherited"
OWN = INHERITED = lineage(opened(left / "metadata.sqlite"), (left / "served.txt").read_text().strip())
""",
}
REDEFINES = """
import sys

checks.check = lambda task, **answers: 25
for name in [name for name in sys.modules if name.startswith("course.checks")]:
    vars(sys.modules[name]).update(evaluate=lambda *given: None, Wrong=type("Wrong", (Warning,), {}))
for name in ("config", "features", "model", "pipeline"):
    (workspace / "package" / "my_flights" / f"{name}.py").write_text("")
STORE, VERSION, COLUMN = "inherited/metadata.sqlite", "1", "late"
OWN = INHERITED = dict.fromkeys(("model", "transform_graph", "schema", "examples", "data", "baseline"), 1)
"""
FORGES = """
import shutil
import sqlite3

STORE, VERSION, COLUMN = "pipeline/metadata.sqlite", "1", "late"
(workspace / "pipeline").mkdir()
shutil.copy(workspace / "inherited" / "metadata.sqlite", workspace / STORE)
with sqlite3.connect(workspace / STORE) as store:
    store.execute("UPDATE Artifact SET uri = '/etc'")
    store.execute("UPDATE Execution SET last_known_state = 3")
    store.execute("INSERT INTO Artifact (id, type_id, uri) VALUES (1000000, 1, ?)", ["x" * 10**6])
for name in ("config", "features", "model", "pipeline"):
    (workspace / "package" / "my_flights" / f"{name}.py").write_text("(" * 10**5)
(workspace / "package" / "my_flights" / "more.py").symlink_to("/etc/passwd")
OWN = INHERITED = [[[]]] * 10
"""
EMPTY = dict.fromkeys((*NO_RUN, "march"), "")
"""The names keep what the first cell gave them."""
CASES = {
    "without-runs": (8, (*PACKAGE, *LINEAGE), NO_RUN),
    "redefines": (0, (), EMPTY | {"config": REDEFINES}),
    "forges": (0, (), EMPTY | {"config": FORGES}),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded in one run; by name."""
    return classroom.grade(
        LAB,
        {name: classroom.submission(LAB, *answers) for name, (_, *answers) in CASES.items()},
        tmp_path_factory.mktemp("class"),
        prove=False,
    )


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_submission_of_lab_3_gets_its_marks(graded, name):
    one = graded[name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert one.points == CASES[name][0], (told, one.ended, one.remarks)
    assert not any("look at it by hand" in remark for remark in one.remarks), one.remarks
    assert one.ended == "finished", (one.ended, one.remarks)
