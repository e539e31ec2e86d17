"""Lab 3's solution, without TFX: its package is right as it is saved, and its lineage is found for every student."""

from __future__ import annotations

import lab_three
import pytest

from judges.lab_3 import inherited_store, months
from tools.labs import source
from tools.notebooks import form

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


def cells():
    return {source.marks(cell).get("grade_id"): cell.source for cell in form.read(source.notebook(lab_three.LAB)).cells}


@pytest.mark.parametrize("student", ["anna-k", "b.berg@example.org", "student-7", "Z"])
def test_solution_finds_both_lineages(tmp_path, student):
    lab = lab_three.lab(tmp_path, student)
    store = lab_three.Store(lab)
    store.run()
    store.run(cached=lab_three.AGAIN)
    store.run(flights=lab_three.FEBRUARY)
    inherited_store.write(lab.workspace, lab.seed)
    names = {"workspace": lab.workspace, "STORE": str(lab.workspace / lab_three.STORE)}
    for name in ("opened", "made-from", "lineage", "own-inherited"):
        exec(cells()[name], names)
    given = {"store": names["STORE"], "own": names["OWN"], "inherited": names["INHERITED"]}
    assert lab_three.evaluate(lab, "lineage", **given) == (5, "")


def test_solution_takes_the_column_from_what_the_gate_says_for_every_fault():
    """The first line of the message is of what breaks the contract, in every fault."""
    import re

    import tensorflow_data_validation as tfdv

    from flights import gate
    from flights.config import SCHEMA_FOLDER

    [pattern] = re.findall(r're\.search\(r"(.+?)"', cells()["march"])
    contract = tfdv.load_schema_text(str(SCHEMA_FOLDER / "schema.pbtxt"))
    for seed, fault in enumerate(months.FAULTS):
        statistics = tfdv.generate_statistics_from_dataframe(months.spoilt(seed))
        found = gate.sentences("month-03", tfdv.validate_statistics(statistics, contract, environment="TRAINING"))
        assert re.search(pattern, "\n  ".join(found))[1] == fault.column


def test_solution_leaves_its_package_as_the_first_check_has_run_it_elsewhere():
    """The same text, to the letter: another would be run elsewhere once more."""
    assert cells()["taken-out"] == cells()["derived"] != cells()["edit"]
