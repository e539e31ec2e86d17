"""Lab 1, tasks 4 and 7: a contract is judged by what it lets through, however it was made."""

from __future__ import annotations

import functools
from pathlib import Path

import lab_one
import pandas as pd
import pytest
import yaml

from course.labs.lab_1_data import statistics
from flights.data import COLUMN_TYPES, INTEGER, TEXT, WEATHER, source_table
from judges.lab_1 import check_contract, contract_cases, faults, monthly_data, tfdv_validation
from judges.lab_1.questions import COLUMNS, QUESTIONS, TARGET, labelled
from tools.labs import source

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]

WHOLE = [name for name in COLUMNS if COLUMN_TYPES.get(name, INTEGER) == INTEGER]
WORDS = [name for name in COLUMNS if COLUMN_TYPES.get(name) == TEXT]
RANGES = {
    **{"year": (2000, 2030), "month": (1, 12), "day": (1, 31), "weekday": (1, 7), "flight": (0, 9999)},
    **{"sched_dep_time": (0, 2400), "sched_arr_time": (0, 2400), "dep_time": (0, 2400), "arr_time": (0, 2400)},
    **{"distance": (0, 12_000), "plane_year": (1903, 2020), "seats": (1, 1000), "air_time": (1, 2000), TARGET: (0, 1)},
    **{"temp": (-80, 140), "humid": (0, 100), "wind_dir": (0, 360), "wind_speed": (0, 250), "visib": (0, 75)},
    **{"dewp": (-100, 120), "precip": (0, 20), "pressure": (800, 1100), "wind_gust": (0, 300)},
    **{"dep_delay": (-300, 5000), "arr_delay": (-300, 5000)},
}
LEAST = {
    **dict.fromkeys(WEATHER, 0.75),
    **{"plane_year": 0.5, "seats": 0.6, "pressure": 0.6, "tailnum": 0.9, "wind_gust": 0, "air_time": 0.7},
    **dict.fromkeys(("dep_time", "dep_delay", "arr_time", "arr_delay"), 0.8),
}
NAMES = {
    "*": [*COLUMNS, TARGET],
    "ALWAYS": [name for name in (*COLUMNS, TARGET) if name not in LEAST],
    "USUALLY": [name for name in LEAST if name != "wind_gust"],
}
CONTRACTS = yaml.safe_load(Path(__file__).parents[1].joinpath("lab_1_contracts.yaml").read_text(encoding="utf-8"))
FEW = ["carrier", "origin", "dest", "distance", "month", "weekday", "sched_dep_time", "temp"]


def by_hand(edits=(), question="hotel", known=None):
    """A contract that was written, not inferred: own ranges, inline domains, presence and value counts instead of shapes."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema(default_environment=["SERVING", "TRAINING"])
    for name in reversed([*COLUMNS, TARGET]):
        kind = "BYTES" if name in WORDS else "INT" if name in (*WHOLE, TARGET) else "FLOAT"
        feature = schema.feature.add(name=name, type=kind)
        feature.value_count.max = 1
        feature.presence.min_fraction = LEAST.get(name, 1.0)
        if name in RANGES:
            domain = feature.float_domain if kind == "FLOAT" else feature.int_domain
            domain.min, domain.max = RANGES[name]
        if name not in (known or QUESTIONS[question].known):
            feature.not_in_environment.append("SERVING")
    find(schema, "carrier").string_domain.value[:] = source_table("airlines").carrier
    find(schema, "origin").string_domain.value[:] = ["LGA", "JFK", "EWR"]
    return edited(schema, dict(edits))


def edited(schema, edits):
    """Some features of a contract changed; `+` adds a feature (tests/lab_1_contracts.yaml says the rest)."""
    from google.protobuf import text_format

    for names, text in edits.items():
        for name in NAMES.get(names) or names.split():
            feature = schema.feature.add(name=name) if text.startswith("+") else find(schema, name)
            for word in text.split():
                if word.startswith("-"):
                    feature.ClearField(word[1:])
            text_format.Merge(" ".join(word.lstrip("+") for word in text.split() if word[0] != "-"), feature)
    return schema


def find(schema, name):
    return next(feature for feature in schema.feature if feature.name == name)


def inferred(environments=("TRAINING", "SERVING")):
    """What TFDV infers from the four months, and nothing more."""
    import tensorflow_data_validation as tfdv

    given = [labelled(monthly_data.month(number), QUESTIONS["hotel"]) for number in range(1, 5)]
    schema = tfdv.infer_schema(statistics(pd.concat(given)))
    schema.default_environment[:] = environments
    for feature in schema.feature if environments else ():
        if feature.name not in QUESTIONS["hotel"].known:
            feature.not_in_environment.append("SERVING")
    return schema


def shared_words(schema):
    """A domain of its own for all, a third environment, and constraints of the whole month."""
    schema.default_environment.append("DEBUGGING")
    schema.dataset_constraints.min_examples_count = 1000
    for name in ("carrier", "origin"):
        feature = find(schema, name)
        schema.string_domain.add(name=f"all of {name}").value[:] = feature.string_domain.value
        feature.domain = f"all of {name}"
    return schema


def seen(name):
    words = {word for number in range(1, 5) for word in monthly_data.month(number)[name]}
    return {name: "-domain_info string_domain {" + " ".join(f'value:"{word}"' for word in sorted(words)) + "}"}


def write(lab, schema, folder="contract"):
    from google.protobuf import text_format

    (lab.workspace / folder).mkdir(exist_ok=True)
    text = schema if isinstance(schema, str) else text_format.MessageToString(schema)
    (lab.workspace / folder / "schema.pbtxt").write_text(text)


@pytest.fixture
def lab(tmp_path):
    return lab_one.lab(tmp_path)


def judge(lab, schema=None, question="hotel", variables=None):
    if schema is not None:
        write(lab, schema)
    variables = variables or lab_one.KNOWN[question]
    return lab_one.evaluate(lab, "contract", question=question, variables=variables)


# --- Task 4 -------------------------------------------------------------------------------------------------------

RIGHT = {
    "for a passenger": lambda: (by_hand(question="train"), "train"),
    "for a dispatcher": lambda: (by_hand(question="gain"), "gain"),
    "for fewer variables": lambda: (by_hand(known=FEW), "hotel", FEW),
    "domains of their own": lambda: (shared_words(by_hand()),),
    **{what: functools.partial(lambda edits: (by_hand(edits),), edits) for what, edits in CONTRACTS["right"].items()},
}


EACH_DAY = {
    "for a passenger",
    "for fewer variables",
    "domains of their own",
    "shapes instead of presence",
    "shapes and counts",
}
EACH_DAY |= {"a label that is true or false", "no number is not a number", "gaps by number, not by share"}


@pytest.mark.parametrize("what", lab_one.rows(RIGHT, EACH_DAY))
def test_right_contract_passes(lab, what):
    assert judge(lab, *RIGHT[what]()) == (4, "")


def test_inferred_and_curated_contract_passes(tmp_path):
    lab = lab_one.lab(tmp_path, deliver=True)
    names = lab_one.solve(lab, *lab_one.TO_MONTHS, *lab_one.TO_CONTRACT)
    assert judge(lab, None, names["QUESTION"], names["VARIABLES"]) == (4, "")


WRONG = {
    "inferred only": (inferred, 0, "Good months (0 of 1): Your contract refuses another good month"),
    "without environments": (lambda: inferred(()), 0, "does not know the environments SERVING and TRAINING"),
    "the destinations that were seen": (lambda: by_hand(seen("dest")), 2, "`dest` (Examples contain values missing"),
    "the carriers that were seen": (lambda: by_hand(seen("carrier")), 3, "`carrier` (Examples contain values missing"),
    "the service of another question": (lambda: by_hand(question="gain"), 3, "refuses a batch as it comes on the last"),
    "too long": ("# " + "x" * 1_100_000, 0, "is larger than a megabyte"),
    **CONTRACTS["wrong"],
}


EACH_DAY_WRONG = {
    *(
        "inferred only",
        "the destinations that were seen",
        "the service of another question",
        "too long",
        "no schema",
        "nothing",
    ),
    *("empty", "as cold and hot as it was", "a gap is impossible because there was none", "whole numbers as decimals"),
    *("whole numbers of the weather as decimals", "numbers as text", "all as decimals", "a column without a type"),
    *(
        "seats without a demand",
        "counted, not demanded",
        "no longer in use",
        "a range from above only",
        "in neither environment",
    ),
    *(
        "years without an end",
        "no ranges",
        "labels with gaps",
        "half may be gone",
        "any carrier",
        "any airport of departure",
    ),
    *("a domain of no definition", "a carrier may be missing", "no demand at all", "planned, not in production"),
    *("the label is served", "the outcome is served", "the label may be served", "the outcome may be served"),
}


@pytest.mark.parametrize("what", lab_one.rows(WRONG, EACH_DAY_WRONG))
def test_wrong_contract_is_told(lab, what):
    given, points, told = WRONG[what]
    got, message = judge(lab, given() if callable(given) else by_hand(given) if isinstance(given, dict) else given)
    assert told in message
    assert got == points


def test_leaking_variables_are_not_judged_by_their_service(lab):
    points, message = judge(lab, by_hand(), variables=[*lab_one.KNOWN["hotel"], "arr_delay"])
    assert points == 3
    assert "mend task 2 first" in message


def test_file_that_is_not_there_or_elsewhere_or_no_text_is_told(lab):
    assert "There is no file `contract/schema.pbtxt`" in judge(lab)[1]
    write(lab, "")
    path = lab.workspace / "contract" / "schema.pbtxt"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not a schema in text form" in judge(lab)[1]
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert "leads out of your workspace" in judge(lab)[1]


def test_text_of_the_lab_says_how_many_bad_months_there_are():
    text = source.notebook(lab_one.LAB).read_text(encoding="utf-8")
    assert f"in each of {len(contract_cases.faults())} bad months" in text


def test_every_column_of_numbers_has_bad_months_and_a_range_that_lets_the_world_change():
    assert set(RANGES) == set(contract_cases.IMPOSSIBLE) == {*WHOLE, *COLUMNS, TARGET} - set(WORDS)
    assert set(contract_cases.POSSIBLE) == set(RANGES) - {"year", "month", "day", "weekday", TARGET}
    for name, values in contract_cases.POSSIBLE.items():
        known = monthly_data.year()[name].dropna()
        # One flight of the year has 17 miles: lesson 05 takes it for a fault.
        assert name == "distance" or min(values) <= known.min(), name
        assert max(values) >= known.max(), name


def test_range_that_sees_all_bad_months_sees_the_impossible_numbers_of_each_may():
    """What passes task 4 cannot fail task 7 for a number that only some students' May has."""
    for name, values in faults.IMPOSSIBLE.items():
        lowest, highest = contract_cases.IMPOSSIBLE[name]
        assert not [value for value in values if lowest < float(value) < highest], name


def test_range_that_is_missing_is_seen_in_its_column_and_nowhere_else():
    for name, numbers in contract_cases.IMPOSSIBLE.items():
        passed = check_contract._passed(by_hand({name: "-domain_info"}), "hotel")
        assert passed == {f"{value:g} in `{name}`": "range" for value in numbers}


def test_a_fault_alone_is_seen_as_it_is_beside_others_and_without_histograms():
    """One of each kind, against all statistics of a month that has it and nothing else."""
    contract, flights = by_hand(), labelled(monthly_data.month(5, monthly_data.UNSEEN), QUESTIONS["hotel"])
    for fault in {fault.kind: fault for fault in contract_cases.faults()}.values():
        alone = tfdv_validation.anomalies(statistics(fault.plant(flights.copy())), contract, "TRAINING")
        beside = next(found for month, found in contract_cases.bad("hotel") if fault in month)
        together = tfdv_validation.anomalies(beside, contract, "TRAINING")
        assert alone
        assert alone == {name: together[name] for name in fault.columns if name in together}


# --- Task 7 -------------------------------------------------------------------------------------------------------


RANGES_OF_NEWS = {
    **{"taxi_in": "int_domain {min:0 max:180}", "belt": "int_domain {min:1 max:30}"},
    "codeshare": "int_domain {min:0 max:1}",
}


def news(lab, skip="", also=None, served=None, least=None, limits=None):
    """Edits for each piece of news, by the feature; `skip` is left out, and `also` taken for news."""
    delivery = faults.delivery(lab.seed)
    if least is None:
        least = 0.7 * (delivery.cells[delivery.facts["gaps"]["column"]] != "").mean()
    limits = RANGES_OF_NEWS.get(delivery.added.name, "") if limits is None else limits
    kind = "INT" if all(value.isdigit() for value in delivery.added.values) else "BYTES"
    served = delivery.added.known_before if served is None else served
    given = {
        "value": f'string_domain {{value:"{delivery.facts["value"]["value"]}"}}',
        "gaps": f"presence {{min_fraction:{least}}}",
        "column": f"+type:{kind} {limits}" + ("" if served else ' not_in_environment:"SERVING"'),
    }
    kinds = [kind for kind in (*delivery.news, also) if kind not in (skip, None)]
    return {delivery.facts[kind]["column"]: given[kind] for kind in kinds}


def fits(student, wanted):
    """Whether a student has such news: kinds, `-kind` for one that is none, `n` for a new column of numbers, and whether it is known before."""
    delivery = faults.delivery(lab_one.seed(student))
    return all(
        bool(delivery.added.impossible)
        if kind == "n"
        else delivery.added.known_before == kind
        if isinstance(kind, bool)
        else (kind.strip("-") in delivery.news) != ("-" in kind)
        for kind in wanted
    )


def revise(lab, schema=None, question="hotel"):
    if schema is not None:
        write(lab, schema, "contract-2")
    return lab_one.evaluate(lab, "revision", question=question, variables=lab_one.KNOWN[question])


ONE, OTHERS = slice(0, 1), pytest.param(slice(1, 6), marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("question", "students"),
    [("hotel", slice(0, 2)), ("train", ONE)]
    + [pytest.param(question, slice(0, 6), marks=pytest.mark.long) for question in QUESTIONS],
)
def test_contract_with_the_news_passes(tmp_path, question, students):
    for student in lab_one.IDS[students]:
        lab = lab_one.lab(tmp_path, student)
        write(lab, by_hand(question=question))
        assert revise(lab, by_hand(news(lab), question), question) == (2, ""), student


SAME_LINES = {"wind without a range", "delays without a range", "an airport that was not announced", "the rest may go"}
SAME_LINES |= {"a domain without words"}


@pytest.mark.parametrize("students", [ONE, OTHERS])
@pytest.mark.parametrize("what", lab_one.rows(CONTRACTS["revisions"], CONTRACTS["revisions"].keys() - SAME_LINES))
def test_wrong_revision_is_told(tmp_path, what, students):
    wanted, taken, edits, points, told = CONTRACTS["revisions"][what]
    for student in [one for one in lab_one.IDS if fits(one, wanted)][students]:
        lab = lab_one.lab(tmp_path, student)
        write(lab, by_hand())
        added = faults.delivery(lab.seed).added.name
        renamed = {added if name == "NEW" else name: text for name, text in edits.items()}
        got, message = revise(lab, edited(by_hand(news(lab, **taken)), renamed))
        assert told in message or "the fault of kind range" in message, student
        assert got == points, student


@pytest.mark.parametrize(
    ("least", "most", "points", "told"),
    [
        (0, 180, 2, ""),
        (3, 11, 0, "but with 15 in `taxi_in`, which has not happened yet, but can,"),
        (0, 1440, 1, "lets through what is a fault: 1440 in `taxi_in`."),
        (-5, 180, 1, "lets through what is a fault: -1 in `taxi_in`."),
    ],
)
def test_new_column_of_minutes_has_a_range_that_lets_the_next_month_be_a_little_longer(lab, least, most, points, told):
    def added(student):
        return faults.delivery(lab_one.seed(student)).added.name

    students = (f"student-{number}" for number in range(2, 200))
    student = next(one for one in students if fits(one, ["column"]) and added(one) == "taxi_in")
    lab = lab_one.lab(lab.workspace, student)
    write(lab, by_hand())
    got, message = revise(lab, by_hand(news(lab, limits=f"int_domain {{min:{least} max:{most}}}")))
    assert told in message
    assert got == points


def test_what_the_first_contract_got_wrong_is_told_once(tmp_path):
    """A range that was never there, and one that is too narrow, cost points in task 4 only."""
    lab = lab_one.lab(tmp_path)
    assert "There is no file `contract-2/schema.pbtxt`" in revise(lab)[1]
    wrong = {
        "precip": "-domain_info",
        "carrier": 'string_domain {value:"ZZ"}',
        "sched_dep_time": "int_domain {min:500}",
    }
    after = edited(by_hand(wrong), news(lab))
    assert revise(lab, after)[0] == 1
    write(lab, by_hand(wrong))
    assert revise(lab, after) == (2, "")
