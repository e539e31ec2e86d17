"""Lab 3, task 5: a March that stops before anything is trained, and which column is wrong."""

from __future__ import annotations

import lab_three
import pytest
from lab_three import FEBRUARY, MARCH, STORE

from judges.lab_3 import months

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


@pytest.fixture
def store(lab):
    return lab_three.Store(lab)


OTHER = "humid"


def judge(lab, column=None):
    return lab_three.evaluate(lab, "refused", store=STORE, column=column or months.fault(lab.seed).column)


def test_right_march_passes(lab, store):
    store.run(flights=MARCH, anomaly=months.fault(lab.seed).column)
    assert judge(lab) == (3, "")
    assert judge(lab, f" {months.fault(lab.seed).column}\n") == (3, "")


def test_month_by_month_passes(lab, store):
    flights = {f"month-{number:02d}": {number: months.ROWS} for number in (1, 2, 3)}
    store.run(flights=flights, anomaly=months.fault(lab.seed).column)
    assert judge(lab) == (3, "")


def test_run_that_went_on_before_the_gate_was_mended_does_not_count(lab, store):
    fault = months.fault(lab.seed).column
    store.run(flights=MARCH, anomaly=fault, gate="none")
    store.run(flights=MARCH, anomaly=fault)
    store.run(flights={"train": {3: 1000}, "eval": {3: 1000}})  # a look at March alone
    assert judge(lab) == (3, "")


WRONG = {
    "no gate": ({"gate": "none"}, "the run went on: Transform, Trainer"),
    "a gate that lets pass": ({"gate": "passes"}, "the run went on"),
    "a gate that comes too late": ({"gate": "passes", "until": "Transform"}, "the run went on: Transform"),
    "another column": ({"anomaly": OTHER}, "found nothing in the column"),
    "nothing found": ({"anomaly": "", "until": "DataGate"}, "found nothing in the column"),
    "no March": ({"flights": FEBRUARY}, "has read March"),
    "March alone": ({"flights": {"train": {3: 1000}, "eval": {3: 1000}}}, "has read 1 month"),
    "March mixed": ({"flights": {"train": {1: 2000, 2: 2000, 3: 1000}, "eval": {3: 1000}}}, "as one split"),
    "half of March": ({"flights": {**MARCH, "month-03": {3: 1000}}}, "as one split"),
    "broken down in Transform": ({"gate": "none", "fails": "Transform"}, "does not read the anomalies"),
    "broken off": ({"gate": "passes", "until": "DataGate"}, "No component of the run on March has failed"),
}


@pytest.mark.parametrize("what", WRONG)
def test_march_that_is_not_refused_is_told(lab, store, what):
    how, told = WRONG[what]
    store.run(**{"flights": MARCH, "anomaly": months.fault(lab.seed).column, **how})
    got, message = judge(lab)
    assert told in message
    assert got == 0


@pytest.mark.parametrize("column", [OTHER, "dep_delay", "", 3, ["carrier"], {"a": 1}, "x" * 999])
def test_wrong_column_is_told_and_the_right_one_is_not_named(lab, store, column):
    fault = months.fault(lab.seed).column
    store.run(flights=MARCH, anomaly=fault)
    points, told = lab_three.evaluate(lab, "refused", store=STORE, column=column)
    assert points == 2
    assert fault not in told
    assert len(told) < 300


def test_every_fault_breaks_the_contract_in_its_column_and_january_and_february_keep_it():
    import tensorflow_data_validation as tfdv

    from flights.config import SCHEMA_FOLDER

    contract = tfdv.load_schema_text(str(SCHEMA_FOLDER / "schema.pbtxt"))

    def found(frame):
        statistics = tfdv.generate_statistics_from_dataframe(frame)
        return set(tfdv.validate_statistics(statistics, contract, environment="TRAINING").anomaly_info)

    for seed, fault in enumerate(months.FAULTS):
        assert found(months.spoilt(seed)) == {fault.column}
    assert [found(months.month(number)) for number in (*months.GOOD, months.SPOILT)] == [set()] * 3
