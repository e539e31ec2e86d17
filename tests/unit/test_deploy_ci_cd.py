"""`deploy/ci-cd`: hooks and workflows run the same scripts; what a push to the bare repository does. What is trained and released is a stand-in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pushing_team import Team

pytestmark = pytest.mark.usefixtures("types_known")
FOLDER = Path(__file__).parents[2] / "deploy" / "ci-cd"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
NAMES = {"change", "train", "release", "rollback"}


def of(workflow: Path) -> list[dict]:
    """The jobs of a workflow."""
    return list(yaml.safe_load(workflow.read_text())["jobs"].values())


def scripts(name: str) -> list[str]:
    return [f"deploy/ci-cd/steps/{name}/{script.name}" for script in sorted((FOLDER / "steps" / name).iterdir())]


def runs(workflow: Path) -> list[str]:
    return [step["run"] for job in of(workflow) for step in job.get("steps", []) if "run" in step]


# --- workflows


def test_each_pipeline_is_a_workflow_and_a_folder_of_steps():
    assert {workflow.stem for workflow in WORKFLOWS} == NAMES
    assert {folder.name for folder in (FOLDER / "steps").iterdir() if folder.is_dir()} == NAMES


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_nothing_but_the_steps_in_the_order_of_the_hooks(workflow):
    """The hooks take the scripts of the folder by their names (`test_a_good_change_is_tried_trained_and_released` compares that with this)."""
    assert runs(workflow) == scripts(workflow.stem)
    assert all(os.access(FOLDER.parents[1] / script, os.X_OK) for script in scripts(workflow.stem))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_sets_is_what_its_steps_read(workflow):
    texts = [(FOLDER.parents[1] / script).read_text() for script in scripts(workflow.stem)]
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", "\n".join([*texts, (FOLDER / "steps/common.sh").read_text()])))
    given = {name for job in of(workflow) for name in job.get("env", {})}
    assert given <= read
    # What bare.sh does not keep could not be set for the hooks.
    kept = (FOLDER / "bare.sh").read_text() + (FOLDER / "pipeline.py").read_text()
    assert not [name for name in given if name not in kept]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_the_code_and_nothing_else(workflow):
    assert yaml.safe_load(workflow.read_text())["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in of(workflow))
    assert "secrets" not in workflow.read_text()


def test_trainings_and_releases_are_not_cut_off_by_the_next():
    for name in ("train", "release", "rollback"):
        known = yaml.safe_load((FOLDER / f"workflows/{name}.yml").read_text())
        group = known.get("concurrency") or next(iter(known["jobs"].values()))["concurrency"]
        assert group["cancel-in-progress"] is False
    assert next(iter(of(FOLDER / "workflows/release.yml")))["environment"] == "production"


@pytest.fixture
def project(tmp_path) -> Path:
    """The files of a code host, as a project has them."""
    host = tmp_path / "project" / ".github"
    shutil.copytree(FOLDER / "workflows", host / "workflows")
    for name in ("dependabot.yml", "actionlint.yaml"):
        shutil.copy(FOLDER / name, host)
    return host


def test_each_action_is_pinned_to_a_commit_and_zizmor_finds_nothing(project, root):
    ours = "./.github/workflows/release.yml"
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    hosts = [project, root / ".github"]
    for host in hosts:
        texts = [file.read_text() for file in (host / "workflows").glob("*.yml")]
        used = [line for text in texts for line in re.findall(r"uses: (.*)", text)]
        assert len(used) > 5
        assert not [line for line in used if not line.startswith(ours) and not re.fullmatch(pinned, line)]
    found = _tool("zizmor", "--offline", "--no-progress", "--format=json", *map(str, hosts))
    assert not json.loads(found.stdout), found.stdout


def test_an_action_by_its_tag_alone_is_found_by_zizmor(project, tmp_path):
    shutil.copytree(project, tmp_path / ".github")
    workflow = tmp_path / ".github/workflows/rollback.yml"
    workflow.write_text(re.sub("@[0-9a-f]{40} #", "@", workflow.read_text()))
    found = _tool("zizmor", "--offline", "--no-progress", "--format=json", str(tmp_path))
    assert "unpinned-uses" in {one["ident"] for one in json.loads(found.stdout)}


def test_the_files_for_the_code_host_are_as_its_schemas_say(project, root):
    for schema, files in {
        "github-workflows": [*project.glob("workflows/*.yml"), *(root / ".github/workflows").glob("*.yml")],
        "dependabot": [project / "dependabot.yml"],
    }.items():
        said = _tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files))
        assert not said.returncode, said.stdout


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed (a Go module)")
def test_actionlint_finds_nothing(project):
    files = [str(path) for path in project.glob("workflows/*.yml")]
    said = subprocess.run(
        ["actionlint", "-config-file", project / "actionlint.yaml", *files], capture_output=True, text=True
    )
    assert not said.returncode, said.stdout


def _tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name(name)
    return subprocess.run([tool, *arguments], capture_output=True, text=True)


@pytest.mark.skipif(
    not shutil.which("act"), reason="act, which runs workflows on this machine, is not installed (a Go module)"
)
def test_the_workflows_release_what_a_merge_has_registered_and_nothing_else(team, tmp_path):
    """Run by act without containers: the version comes from the training's job to the release's."""
    shutil.copytree(FOLDER / "workflows", team.clone / ".github" / "workflows")
    team.commit("A first model")
    (tmp_path / ".config/act").mkdir(parents=True)
    (tmp_path / ".config/act/actrc").touch()  # without it, act asks which images to use
    told = ["--var", f"PYTHON={sys.executable}", "--var", f"OUTPUT_ROOT={team.output}"]
    command = ["act", "push", "-W", ".github/workflows/train.yml", "-P", "self-hosted=-self-hosted", *told]

    first = team.run(*command, HOME=str(tmp_path)).stdout
    assert "Version 1 answers all requests." in first, first
    assert team.served == ["1"]
    team.change("src/tiny/model.py", "0.7", "0.6")
    team.commit("A worse one")
    second = team.run(*command, HOME=str(tmp_path)).stdout
    assert "Refused: 0.6 is worse than 0.7." in second, second
    assert "1-release.sh" not in second
    assert team.served == ["1"]


def test_the_steps_give_commands_that_the_project_has(tmp_path):
    """Else the stand-in would hide it: each command of each step is taken by the real command line."""
    from flights import cli

    for name in ("src/tiny/cli.py", "deploy/ci-cd/steps"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "src/tiny/cli.py").touch()
    shutil.copytree(FOLDER / "steps", tmp_path / "deploy/ci-cd/steps")
    recorder = tmp_path / "recorder"
    recorder.write_text('#!/bin/bash\n[ "$1" != -m ] || printf "%s\\037" "$@" >> said\necho >> said\n')
    recorder.chmod(0o755)
    variables = dict.fromkeys(("SAMPLE_ROOT", "DATA_ROOT", "OUTPUT_ROOT", "REASON"), "a b") | {"VERSION": "7"}
    told = os.environ | variables | {"PYTHON": str(recorder), "RELEASE_OPTIONS": "--no-shadow --share 0.5"}
    for step in [step for name in sorted(NAMES) for step in scripts(name)]:
        subprocess.run([tmp_path / step], env=told, capture_output=True)
    said = [line.split("\x1f")[:-1] for line in (tmp_path / "said").read_text().splitlines()]
    commands = [line[2:] for line in said if line[:2] == ["-m", "tiny.cli"]]
    parsed = [vars(cli.parser().parse_args(command)) for command in commands]
    assert [(one["command"], one.get("action")) for one in parsed] == [
        ("run", None),
        ("run", None),
        ("release", None),
        ("registry", "check"),
        ("registry", "list"),
        ("registry", "rollback"),
        ("retrain", None),
    ]
    assert {one["output_root"] for one in parsed[2:]} == {"a b"}
    assert (parsed[-1]["by_hand"], parsed[-2]["why"], parsed[2]["version"]) == ("a b", "a b", "7")


# --- the bare repository


@pytest.fixture
def sample(tmp_path) -> Path:
    (tmp_path / "sample").mkdir()
    return tmp_path / "sample"


@pytest.fixture
def whole(tmp_path, sample) -> Team:
    """With all checks."""
    return Team(tmp_path, SAMPLE_ROOT=str(sample))


@pytest.fixture
def team(whole) -> Team:
    """With few: what comes after them is asked."""
    whole.only("5-data.sh")
    return whole


@pytest.fixture(scope="module")
def first_push(tmp_path_factory) -> tuple[Team, Path]:
    """A team of which a first model is in service; and its folders as they are then."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "sample").mkdir()
    made = Team(folder / "now", SAMPLE_ROOT=str(folder / "sample"))
    made.only("5-data.sh")
    made.commit("A first model")
    made.push()
    assert made.served == ["1"]
    return made, shutil.copytree(folder / "now", folder / "then", symlinks=True)


@pytest.fixture
def in_service(first_push) -> Team:
    """That team, as it was."""
    made, then = first_push
    shutil.rmtree(made.clone.parent)
    shutil.copytree(then, made.clone.parent, symlinks=True)
    return made


def test_a_good_change_is_tried_trained_and_released_by_the_steps_of_the_workflows(whole):
    commit = whole.commit("A first model")
    said = whole.push()
    assert not said.returncode, said.stdout
    steps = [step for name in ("change", "train", "release") for step in runs(FOLDER / f"workflows/{name}.yml")]
    assert re.findall(r"  ([\w-]+\.sh): passed", said.stdout) == [Path(step).name for step in steps]
    assert whole.head == commit
    assert whole.served == ["1"]
    assert whole.current.startswith(commit[:12])
    assert (whole.work / "current/src/tiny/model.py").is_file()
    assert f"merge of {commit[:7]}" in (whole.output / "retraining/history.jsonl").read_text()
    assert not list((whole.work / "changes").iterdir())


@pytest.mark.parametrize(
    ("step", "file", "was", "becomes", "reason"),
    [
        ("2-lint.sh", "src/tiny/cli.py", "import json\n", "import json\nimport os\n", "F401"),
        ("3-types.sh", "src/tiny/cli.py", "sys.exit(main())", "sys.exit(model.ACCURACY)", '"ACCURACY"'),
        ("4-unit-tests.sh", "src/tiny/model.py", "QUALITY = 0.7", "QUALITY = 0.3", "test_the_model_is_better_than_ch"),
    ],
    ids=["lint", "types", "unit tests"],
)
def test_a_change_that_fails_a_check_is_declined_with_the_reason(step, file, was, becomes, reason, whole):
    whole.only(step)
    whole.change(file, was, becomes)
    whole.commit("A mistake")
    said = whole.push()
    assert said.returncode
    assert f"change: {step} failed" in said.stdout
    assert reason in said.stdout
    assert "pre-receive hook declined" in said.stdout
    assert not whole.head
    assert not whole.output.exists()


def test_data_that_the_gate_refuses_decline_the_change(team, sample):
    (sample / "broken").touch()
    team.commit("A first model")
    assert "line 7: no weight" in team.push().stdout
    (sample / "broken").unlink()
    assert not team.push(to="idea").returncode


def test_a_project_of_make_project_passes_lint_and_types(tmp_path):
    """By the rules that it takes along; types are looked at: the one mistake that is made here is the only one found."""
    from tools.project import start

    start.start("late_planes", tmp_path / "project")

    def step(name: str) -> subprocess.CompletedProcess[str]:
        told = {"cwd": tmp_path / "project", "env": os.environ | {"PYTHON": sys.executable}, "text": True}
        script = f"deploy/ci-cd/steps/change/{name}"
        return subprocess.run([script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **told)

    said = step("2-lint.sh")
    assert not said.returncode, said.stdout
    with open(tmp_path / "project/src/late_planes/cost.py", "a") as file:
        file.write("\n\ndef broken() -> int:\n    return Nothing.there\n")
    said = step("3-types.sh")
    assert 'Name "Nothing" is not defined  [name-defined]\nFound 1 error in 1 file' in said.stdout, said.stdout


def test_a_worse_model_is_refused_and_the_old_one_stays_in_service(in_service):
    team, first = in_service, in_service.head
    team.change("src/tiny/model.py", "0.7", "0.6")
    second = team.commit("A worse one")
    said = team.push().stdout
    assert "Refused: 0.6 is worse than 0.7" in said
    assert "nothing to release" in said
    assert team.head == second
    assert team.served == ["1"]
    assert team.current.startswith(first[:12])
    assert len(list((team.work / "releases").iterdir())) == 1


def test_a_release_that_fails_leaves_the_old_version_in_service(in_service):
    team, first = in_service, in_service.head
    team.change("src/tiny/model.py", "BREAKS = False", "BREAKS = True")
    team.commit("One that breaks when it is served")
    said = team.push().stdout
    assert "release: 1-release.sh failed" in said
    assert "Version 2 failed in canary: rolled back." in said
    assert "What was in service before still is." in said
    assert "2-agreement.sh" not in said
    assert team.served == ["1"]
    assert team.current.startswith(first[:12])
    assert len(list((team.work / "releases").iterdir())) == 1
    team.change("src/tiny/model.py", "BREAKS = True", "BREAKS = False")
    team.commit("Mended")
    assert "Released: version 3" in team.push().stdout
    assert team.served == ["1", "3"]


def test_a_version_from_the_cache_is_not_released_again(in_service):
    """It was released, or refused on the way: a change that alters no model does not bring it back."""
    in_service.change("src/tiny/cli.py", "version = str(number)", 'version = "1"')
    in_service.commit("Other words in the README")
    said = in_service.push().stdout
    assert "Registered: version 1." in said
    assert "nothing to release" in said
    assert in_service.served == ["1"]


def test_the_calendar_leaves_the_decision_to_the_policy(in_service):
    assert "Released: version 2" in in_service.by_hand("train")
    lines = (in_service.output / "retraining/history.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["decision"]["reason"] == "calendar"


def test_release_and_rollback_by_hand(in_service):
    assert "Version 7 answers all requests." in in_service.by_hand("release", "7")
    assert "rollback (complaints): version 1 answers." in in_service.by_hand("rollback", "complaints")
    assert in_service.served == ["1"]
    assert "Set REASON to why." in in_service.by_hand("rollback", "")
    assert "python pipeline.py rollback REASON" in in_service.by_hand("rollback")


def test_pushes_while_one_is_trained_wait_are_told_and_the_newest_is_trained_for_all(in_service):
    (in_service.output / "hold").touch()
    pushes = []
    for why in ("The second", "The third", "The fourth"):
        commit, process = in_service.commit(why), in_service.begin_push()
        pushes.append((commit, process))
        if why == "The second":
            _wait(lambda: (in_service.output / "holding").exists())
        else:
            waits = next(line for line in process.stdout if "Waits for another" in line)
            assert f"merge of {pushes[0][0][:7]}" in waits
    (in_service.output / "hold").unlink()
    said = [process.communicate(timeout=120)[0] for _, process in pushes]
    assert "Released: version 2" in said[0]
    assert f"{pushes[2][0][:7]} was pushed meanwhile" in said[1]
    assert "Released: version 3" in said[2]
    assert in_service.served == ["1", "2", "3"]
    assert in_service.current.startswith(pushes[2][0][:12])


def test_a_client_that_is_gone_ends_neither_training_nor_release(team):
    team.commit("A first model")
    team.output.mkdir(parents=True)
    (team.output / "hold").touch()
    process = team.begin_push()
    _wait(lambda: (team.output / "holding").exists())
    process.kill()
    process.wait()  # what git has begun for it goes on, and has its output
    (team.output / "hold").unlink()
    _wait(lambda: (team.work / "current").is_symlink())
    assert team.served == ["1"]


def test_what_is_not_main_is_tried_and_not_trained(team):
    team.commit("An idea")
    said = team.push(to="idea")
    assert not said.returncode
    assert "5-data.sh: passed" in said.stdout
    assert not team.output.exists()


def test_history_is_not_pushed_over_and_main_is_not_deleted(in_service):
    team, first = in_service, in_service.head
    team.run("git", "commit", "--quiet", "--amend", "--message", "Another first")
    assert team.push("--force").returncode
    assert team.run("git", "push", str(team.bare), ":main").returncode
    assert team.head == first


def test_a_tree_without_steps_is_declined(team):
    shutil.rmtree(team.clone / "deploy/ci-cd/steps/change")
    team.commit("No checks")
    said = team.push()
    assert said.returncode
    assert "has no steps in deploy/ci-cd/steps/change" in said.stdout


def test_what_attributes_hide_from_an_archive_is_tried_as_well(team):
    (team.clone / ".gitattributes").write_text("src export-ignore\n")
    team.commit("A first model")
    said = team.push(to="idea")
    assert not said.returncode, said.stdout
    assert "5-data.sh: passed" in said.stdout


def test_what_is_set_up_stays_until_it_is_given_anew_or_empty(team, tmp_path):
    def setting() -> dict[str, str]:
        found = team.run("git", f"--git-dir={team.bare}", "config", "--get-regexp", r"^cicd\..*\.value$").stdout
        return {line.split(".")[1]: line.split(" ", 1)[1] for line in found.splitlines()}

    before = setting()
    assert before == {
        "PYTHON": sys.executable,
        "SAMPLE_ROOT": str(tmp_path / "sample"),
        "OUTPUT_ROOT": str(team.output),
    }
    team.set_up(RELEASE_OPTIONS="--server http://127.0.0.1:8501 --share 0.5", DATA_ROOT="months")
    options = {"RELEASE_OPTIONS": "--server http://127.0.0.1:8501 --share 0.5"}
    assert setting() == before | options | {"DATA_ROOT": str(team.clone / "months")}
    team.set_up(DATA_ROOT="", OUTPUT_ROOT=str(tmp_path / "elsewhere"))
    assert setting() == before | options | {"OUTPUT_ROOT": str(tmp_path / "elsewhere")}


def test_a_repository_that_is_not_set_up_says_how(tmp_path):
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "team.git"], check=True)
    (tmp_path / "team.git/ci-cd").mkdir()
    program = shutil.copy(FOLDER / "pipeline.py", tmp_path / "team.git/ci-cd")
    said = subprocess.run([sys.executable, program, "train"], capture_output=True, text=True)
    assert said.returncode == 1
    assert "Run deploy/ci-cd/bare.sh" in said.stdout


def _wait(until: Callable[[], bool]) -> None:
    """At most as long as a test may take."""
    end = time.monotonic() + 120
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
