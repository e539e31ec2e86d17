"""The small project of lesson 14: what it pushes is tried, trained and released by the hooks of deploy/ci-cd, and shown the same in each run."""

from __future__ import annotations

import pytest

from course.team import Team

pytestmark = pytest.mark.usefixtures("types_known")
FEATURES, DATA = "src/delays/features.py", "src/delays/data.py"
BY_HOUR = 'return hour(int(flight["sched_dep_time"]))'


@pytest.fixture(scope="module")
def team(tmp_path_factory, root, types_known) -> Team:
    """A team whose first model is released."""
    made = Team(tmp_path_factory.mktemp("work") / "team", root / "data" / "flights")
    pushed = made.push("A first model")
    assert pushed.taken, pushed.lines
    assert pushed.lines[-1] == "Released: version 1 with the code of commit 1."
    return made


@pytest.mark.parametrize(
    ("edit", "step", "reason"),
    [
        ((FEATURES, "time // 100", "time // 100 "), "change: 2-lint", "would be reformatted"),
        ((FEATURES, "time // 100", "time / 100"), "change: 3-types", "Incompatible return value type"),
        ((DATA, " EV ", " "), "change: 5-data", "month 1, line 12: unknown carrier 'EV'"),
    ],
)
def test_bad_change_is_declined_by_the_step_that_sees_it(team, edit, step, reason):
    team.edit(*edit)
    pushed = team.push("A bad change")
    team.undo()
    assert (pushed.taken, pushed.failed) == (False, step)
    assert reason in pushed.reason[0]
    assert "A bad change" not in team.log()


@pytest.mark.long  # lesson 14 shows the same each day
def test_worse_model_is_taken_and_not_released_and_a_better_one_is(team):
    finer, rain = (
        BY_HOUR + more for more in (', flight["carrier"], flight["dest"]', ', float(flight["precip"] or 0) > 0')
    )
    team.edit(FEATURES, BY_HOUR, finer)
    worse = team.push("Finer groups")
    assert worse.taken
    assert worse.lines[-1] == "No new version was registered: nothing to release. What is in service stays."
    team.edit(FEATURES, finer, rain)
    better = team.push("Rain")
    team.edit(FEATURES, rain, BY_HOUR)
    assert better.lines[-1].startswith("Released: version 3 with the code of commit ")
    assert team.log() == ["A first model", "Finer groups", "Rain"]


def test_what_is_shown_has_no_folder_commit_colour_or_time_of_this_run(team, tmp_path, root, monkeypatch):
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):  # as a notebook's kernel sets them
        monkeypatch.setenv(name, "1")
    team.edit(FEATURES, "time // 100", "time // 60")
    pushed = team.push("A bad change")
    team.undo()
    assert (pushed.failed, "assert 29 == 17" in pushed.reason[0]) == ("change: 4-unit-tests", True)
    other = Team(tmp_path / "elsewhere", root / "data" / "flights")
    other.edit(FEATURES, "time // 100", "time // 60")
    again = other.push("A bad change")
    commit = next(line for line in pushed.lines if "change of" in line).removeprefix("change of ")
    assert [line.replace(commit, "commit 1") for line in pushed.lines] == again.lines
    assert "\x1b" not in "".join(again.lines)


def test_git_settings_of_the_machine_are_not_read(tmp_path, root, monkeypatch):
    settings = tmp_path / "home"
    settings.mkdir()
    (settings / ".gitconfig").write_text("[core]\n\thooksPath = /nowhere\n[commit]\n\tgpgSign = true\n")
    monkeypatch.setenv("HOME", str(settings))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    team = Team(tmp_path / "team", root / "data" / "flights")
    team.edit(FEATURES, "time // 100", "time / 100")
    assert team.push("A first model").failed == "change: 3-types"


def test_without_git_it_says_so(tmp_path, root, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="there is no git: install it"):
        Team(tmp_path / "team", root / "data" / "flights")


def test_edit_of_what_is_not_there_is_refused(team):
    with pytest.raises(ValueError, match="has no 'tiem'"):
        team.edit(FEATURES, "tiem", "time")
