"""Which pipeline Airflow runs: months of a run, and plain data that go from one environment to the other."""

from __future__ import annotations

import dataclasses
import datetime
import types

import pytest

from engines.airflow import project
from engines.airflow.project import ProjectError
from flights.config import Config, Demand, Plan
from flights.schedule import MONTHS
from flights.schedule import project as made

PLAN = Plan((Demand("AUC", at_least=0.6, at_most=0.8), Demand("AUC", by=("origin",), at_least=0.6)))


def in_month(month: int, year: int = 2013) -> datetime.datetime:
    return datetime.datetime(year, month, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("month", "history", "wanted"),
    [
        (1, 3, (1, 1)),
        (2, 3, (1, 2)),
        (4, 3, (1, 4)),
        (5, 3, (2, 5)),
        (12, 3, (9, 12)),
        (12, 11, (1, 12)),
        (7, 1, (6, 7)),
    ],
)
def test_a_month_is_judged_and_those_before_it_are_learned_from(month, history, wanted):
    assert made(history=history).spans(in_month(month)) == wanted


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [("4", (1, 4)), ("1", (1, 1)), ("9", (6, 9)), ("1-3", (1, 3)), ("4-4", (4, 4)), (" 2 ", (1, 2))],
)
def test_months_that_are_asked_for_go_before_the_logical_date(asked, wanted):
    assert made().spans(in_month(11, 2026), asked) == wanted


@pytest.mark.parametrize("asked", ["0", "13", "3-1", "march", "1-2-3", "-1", "1-"])
def test_months_that_are_none_are_refused(asked):
    with pytest.raises(ProjectError, match="months="):
        made().spans(in_month(1), asked)


@pytest.mark.parametrize("date", [in_month(11, 2026), None])
def test_a_logical_date_outside_the_data_names_what_to_do(date):
    with pytest.raises(ProjectError, match=r"not in 2013.*name the month in the field `months`"):
        made().spans(date)


def test_every_logical_date_gives_months_that_the_configuration_takes():
    for month in range(1, 13):
        assert Config(months=made().spans(in_month(month))).months[1] == month


@pytest.mark.parametrize("planned", [False, True])
def test_a_configuration_survives_the_way_through_json(planned):
    """All of it: tuples in tuples, demands, folders, and the class of another package."""
    config = Config(
        data_root="some/months",
        output_root="some/where",
        months=(1, 2),
        hidden_units=(32, 16),
        slices=(("origin",), ("origin", "carrier")),
        demands=(Demand("AUC", by=("carrier",), only=("UA",), at_least=0.5),),
    )
    config = dataclasses.replace(config, plan=PLAN) if planned else config
    given = project.load(project.of_config(config, "flights.pipeline:create_pipeline", MONTHS).to_json())
    again = given.make_config((1, 2))
    absolute = {name: str(project.Path(getattr(config, name)).absolute()) for name in ("data_root", "output_root")}
    assert again == dataclasses.replace(config, **absolute)
    assert type(again) is Config


def test_a_configuration_without_the_field_of_its_calendar_or_that_is_no_dataclass_is_refused_in_a_sentence():
    calendar = dataclasses.replace(MONTHS, field="weeks", last=4)
    with pytest.raises(
        ProjectError, match=r"flights\.config:Config has no field `weeks`.*`weeks: tuple\[int, int\] = \(1, 4\)`"
    ):
        project.of_config(Config(), "flights.pipeline:create_pipeline", calendar)
    with pytest.raises(ProjectError, match="SimpleNamespace is no dataclass"):
        project.of_config(types.SimpleNamespace(months=(1, 2)), "flights.pipeline:create_pipeline", MONTHS)


def test_airflow_is_told_where_a_package_lies_that_this_process_finds(tmp_path, monkeypatch):
    """Airflow's environment does not have it, be it installed here or on Python's path."""
    (tmp_path / "found_here").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    told = project.of_config(Config(), "found_here.pipeline:create", MONTHS)
    assert told.python_path == (str(tmp_path),)
    assert project.of_config(Config(), "found_here.pipeline:create", MONTHS, (str(tmp_path),)) == told
    assert project.of_config(Config(), "flights.pipeline:create_pipeline", MONTHS).python_path == ()


def test_what_a_script_defines_no_step_can_import(monkeypatch):
    monkeypatch.setattr(in_month, "__module__", "__main__")
    with pytest.raises(ProjectError, match="in_month is defined in a script or notebook"):
        project.of_config(Config(), in_month, MONTHS)


def test_the_class_of_another_package_is_used(tmp_path, monkeypatch):
    (tmp_path / "their_flights.py").write_text(
        "import dataclasses\nfrom flights.config import Config as Base\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Config(Base):\n    pipeline_name: str = 'theirs'\n    extra: int = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    given = made(config="their_flights:Config", settings={"extra": 2})
    assert given.make_config((1, 1)).pipeline_name == "theirs"
    assert given.make_config((1, 1)).extra == 2
    with pytest.raises(ProjectError, match=r"their_flights:Config.*other"):
        made(config="their_flights:Config", settings={"other": 2}).make_config((1, 1))
    with pytest.raises(ProjectError, match="their_flights has no 'Other'"):
        made(config="their_flights:Other").make_config((1, 1))


def test_folders_are_of_the_repository_unless_they_are_absolute(root):
    given = made(settings={"output_root": "out/x"}, python_path=("packages", "/elsewhere"))
    assert given.settings["output_root"] == str(root / "out/x")
    assert given.data_root == root / "data/flights"
    assert given.python_path == (str(root / "packages"), "/elsewhere")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"pipeline": "my_flights.pipeline"}, "write module:name"),
        ({"config": "my flights:Config"}, "write module:name"),
        ({"python_path": "/folder"}, "a list of folders"),
        ({"settings": {"months": (1, 2)}}, "leave out `months`"),
        ({"history": 0}, "at least 1"),
    ],
)
def test_what_cannot_work_is_refused_at_once(settings, told):
    with pytest.raises(ProjectError, match=told):
        made(**settings)


@pytest.mark.parametrize("name", ["decide", "conclude"])
def test_a_function_that_is_no_name_of_one_is_refused_at_once(name):
    with pytest.raises(ProjectError, match=rf"{name}='my_flights\.retrain': write module:name"):
        dataclasses.replace(made(), **{name: "my_flights.retrain"})


@pytest.mark.parametrize("text", ["", "[]", '{"piepline": "a:b"}'])
def test_what_is_no_project_is_told_as_such(text):
    with pytest.raises(ProjectError, match="not a project"):
        project.load(text)


def test_the_file_of_a_month_is_found_once_it_is_there(tmp_path):
    given = made(settings={"data_root": str(tmp_path)})
    for month in (2, 11):
        assert given.file_of(month) is None
        file = tmp_path / f"span-{month:02d}" / "flights.csv"
        file.parent.mkdir()
        assert given.file_of(month) is None
        file.touch()
        assert given.file_of(month) == file


def test_a_project_is_written_whole_and_read_again(tmp_path):
    given = made(settings={"seed": 3})
    assert project.load(given.save(tmp_path / "a" / "project.json").read_text()) == given
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["project.json"]
