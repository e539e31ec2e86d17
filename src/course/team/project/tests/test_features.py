from delays.features import group, hour

FLIGHT = {"sched_dep_time": "1700", "carrier": "UA", "dest": "SFO", "precip": ""}


def test_hour_of_a_time_is_its_first_digits():
    assert hour(1745) == 17


def test_flights_of_one_hour_are_one_group():
    assert group(FLIGHT) == group(FLIGHT | {"sched_dep_time": "1745"})
