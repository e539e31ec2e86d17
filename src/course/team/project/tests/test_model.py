import pytest

from delays import model

FLIGHT = {"sched_dep_time": "900", "carrier": "UA", "dest": "SFO", "precip": ""}
FLIGHTS = [FLIGHT | {"late": late} for late in ("0", "0", "0", "1")]


def test_probability_of_a_group_is_its_share_of_late_flights():
    assert model.predict(model.train(FLIGHTS), FLIGHT) == pytest.approx(0.25)


def test_new_group_gets_the_share_of_all_flights():
    evening = FLIGHT | {"sched_dep_time": "2300"}
    assert model.predict(model.train(FLIGHTS), evening) == pytest.approx(0.25)
