"""Lab 6, task 7: the numbers of the incident's page, in the forms in which people write them."""

from __future__ import annotations

import datetime

import lab_six
import pytest

from course import checks
from course.labs.lab_6 import alerts
from judges.lab_6 import check_page, incidents, traffic

FLIGHTS, COST = "flights_until_then", "cost_of_all_affected_flights"


@pytest.fixture
def lab(tmp_path):
    return lab_six.of_kind("labels", tmp_path)


def _write(lab, **values):
    text = check_page.TEMPLATE
    for name, value in values.items():
        text = text.replace(f"| {name.replace('_', ' ')} | |", f"| {name.replace('_', ' ')} | {value} |")
    (lab.workspace / check_page.FILE).write_text(text, encoding="utf-8")


def _page(lab, **values):
    _write(lab, **values)
    return lab_six.evaluate(lab, "page")


def _right(lab, day):
    rows = traffic.rows(incidents.world(lab.seed))
    before = rows["number"] < (day - incidents.FIRST).days
    cost = check_page.cost(incidents.world(lab.seed))
    return {"noticed": day, FLIGHTS: int((rows["is_affected"] & before).sum()), COST: round(cost)}


@pytest.fixture
def noticed(lab, monkeypatch):
    """The day on which a rule is said to fire: five days after it has begun."""
    incident = incidents.world(lab.seed).incident
    day = incident.since + datetime.timedelta(days=5)
    monkeypatch.setattr(check_page, "noticed", lambda *_: day)
    return day


FORMS = {
    "noticed": (
        "{:%Y-%m-%d %H:%M}",
        "{:%d %B %Y}",
        "{:%B %d}",
        "**{:%d.%m.%Y}**",
        "{:%m/%d/%Y}",
        "{:%A, %B %d, 06:00}",
    ),
    FLIGHTS: ("{} flights", "{}.0", "`{}`", "about {:_}", "{:e}"),
    COST: ("{:,} dollars", "${:,}.00", "USD {}", "{} $", "~{:_}", "{}.5", "{:.3e}"),
}


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, forms in FORMS.items() for form in forms])
def test_number_and_day_are_read_as_people_write_them(lab, noticed, name, form):
    right = _right(lab, noticed)
    assert _page(lab, **right | {name: form.format(right[name])}) == (2, "")


@pytest.mark.parametrize("between", [".", " ", "\u202f", "'", "\u2019"])
def test_thousands_are_separated_in_many_ways(lab, noticed, between):
    right = _right(lab, noticed)
    assert right[COST] > 1000
    assert _page(lab, **right | {COST: f"{right[COST]:,}".replace(",", between)}) == (2, "")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("noticed", "June", "is a day"),
        ("noticed", "14", "is a day"),
        ("noticed", "", "is a day"),
        ("noticed", "2013-06-01", "first fires on your days"),
        (FLIGHTS, "100 of 900", "is one number"),
        (FLIGHTS, "22,000", "of the days before that one"),
        (FLIGHTS, "", "the table has no value for flights"),
        (COST, "100", "By the plan"),
        (COST, "-90,000", "By the plan"),
        (COST, "nan", "By the plan"),
        (COST, "much", "is one number"),
        (COST, "100, 2000 or 60000", "is one number"),
        (COST, "", "the table has no value for cost"),
    ],
)
def test_number_that_is_not_so_is_told(lab, noticed, name, value, told):
    points, message = _page(lab, **_right(lab, noticed) | {name: value})
    assert (points, told in message) == (1, True), message


def test_none_is_a_number_of_flights_where_the_rule_fires_at_once(lab, monkeypatch):
    day = incidents.world(lab.seed).incident.since
    monkeypatch.setattr(check_page, "noticed", lambda *_: day)
    assert _right(lab, day)[FLIGHTS] == 0
    assert _page(lab, **_right(lab, day)) == (2, "")


def test_template_as_it_was_delivered_is_not_answered(lab):
    for text in (
        check_page.TEMPLATE,
        "# It was JFK\n",
        check_page.TEMPLATE.replace("first affected day | |", "first affected day | 3 |"),
    ):
        (lab.workspace / check_page.FILE).write_text(text, encoding="utf-8")
        assert checks.evaluate(lab, "page", {}).state == "not answered yet"


@pytest.mark.slow
@pytest.mark.long
def test_day_is_the_one_on_which_the_own_rule_fires(lab):
    world = incidents.world(lab.seed)
    assert "There is no rule" in _page(lab, noticed=world.incident.since)[1]
    (lab.workspace / alerts.FILE).write_text(lab_six.rules(lab_six.ANSWERS["rules"]["right"]["labels"][0]))
    right = _right(lab, check_page.noticed(lab, world))
    assert _page(lab, **right) == (2, "")
    for value, told in ((world.incident.since, "first fires on your days"), ("never", "is a day")):
        points, message = _page(lab, **right | {"noticed": value})
        assert (points, told in message) == (1, True), message
    for rule, told in (("operation_auc > 1", "does not fire"), ("up == 1", "fires before it has begun")):
        (lab.workspace / alerts.FILE).write_text(lab_six.rules(rule))
        for value in ("", "never", world.incident.since):
            points, message = _page(lab, **right | {"noticed": value, FLIGHTS: 0})
            assert (points, told in message) == (1, True), message
