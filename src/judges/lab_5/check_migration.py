"""Tasks 2 and 3 of lab 5: what is wrong with the inherited pipeline, and the mended one, judged by what it compiles to and by its run."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_5 import AGAIN, COMPILED, PASSING, RUNS, SOURCE, pipeline_spec
from course.labs.lab_5 import MENDED as FOLDER
from flights.config import Config
from judges.lab_5 import check_runs, compiled_answer, inherited_pipeline
from judges.shared import workspace_files

MOST_FILES = 200
SPLITS = {
    ("Transform", "splits_config"): {"analyze": ["train"], "transform": ["train", "eval"]},
    ("Trainer", "train_args"): {"splits": ["train"]},
    ("Trainer", "eval_args"): {"splits": ["eval"]},
    ("Evaluator", "example_splits"): ["eval"],
}
"""Who sees which flights of January, as it was inherited. Where nothing is said, TFX takes the same."""
LEARNS = (
    *("epochs", "seed", "hidden_units", "l2", "learning_rate"),
    *("distance", "temp", "wind_speed", "visib", "origin", "carrier"),
)
"""Names in the inherited code that have a number: of the training, the network, the gaps and the vocabularies."""
FUNCTIONS = {
    "Transform": ("preprocessing_fn", "delays.features.preprocessing_fn"),
    "Trainer": ("run_fn", "delays.model.run_fn"),
}


def judge_faults(lab: checks.Lab, found: Any) -> None:
    """Half a point for each fault with its component; one that is not there costs half a point.

    Raises:
        checks.Wrong: some are missing, or stand at another place.
    """
    if not isinstance(found, dict):
        raise checks.Wrong("`FAULTS` has to be a dictionary: the kind of each fault, and the component that it breaks.")
    strange = sorted(set(found) - set(inherited_pipeline.KINDS))
    if strange:
        raise checks.Wrong(
            f"`FAULTS` has a kind {strange[0][:40]!r}, which is not in the table: {', '.join(inherited_pipeline.KINDS)}."
        )
    real = {fault.kind: fault.node for fault in inherited_pipeline.faults(lab.seed)}
    wrong = [kind for kind in found if kind not in real]
    elsewhere = [kind for kind in found if kind in real and _plain(found[kind]) != _plain(real[kind])]
    right = len(found) - len(wrong) - len(elsewhere)
    problems = []
    if wrong:
        problems.append(f"Not in your pipeline: {', '.join(f'`{kind}`' for kind in wrong)}. What made you think so?")
    if elsewhere:
        problems.append(
            f"There is a fault of the kind {', '.join(f'`{kind}`' for kind in elsewhere)}, and it breaks another component: in "
            "whose process, or at whose making, does it show?"
        )
    if len(found) < len(real):
        problems.append(f"There are {len(real)} faults, and you name {len(found)}.")
    if problems:
        raise checks.Wrong("\n".join(problems), points=max(0.0, (right - len(wrong)) / 2))


def _plain(node: Any) -> str:
    """A component's id, whatever its letters and underscores; that of the schema by either of its names."""
    text = str(node).strip().replace("_", "").replace("-", "").lower()
    return {
        "importschema": "importschemagen",
        "curatedschema": "importschemagen",
        "resolver": "latestblessedmodel",
    }.get(text, text)


def judge_mended(lab: checks.Lab) -> None:
    """Three points for what is compiled, two for a run to its end.

    Raises:
        checks.Wrong: a fault is still there.
    """
    if not workspace_files.inside(lab, COMPILED).is_file():
        raise checks.Wrong(
            f"There is no `{COMPILED}`: `lab.trial()` installs your mended package, compiles and runs it. If it could not be "
            "compiled, its message says why."
        )
    if files_of(workspace_files.inside(lab, FOLDER)) != files_of(workspace_files.inside(lab, SOURCE)):
        raise checks.Wrong("`mended/` has changed since the last `lab.trial()`: call it again.")
    found = compiled_answer.of_student(lab, COMPILED, "trial")
    tasks = pipeline_spec.steps(found)
    problems = [
        told
        for told in (judge(lab, found, tasks) for judge in (_whole, _named, _ids, _portable, _repeated, _kept))
        if told
    ]
    points = max(0.0, 3.0 - len(problems))
    if set(tasks) & set(FUNCTIONS) != set(FUNCTIONS):
        points = 0.0  # what is not there has no fault
    told = "" if problems else _run(lab, found, tasks)
    if problems or told:
        raise checks.Wrong("\n".join([*problems, *([told] if told else [])]), points=points)


def _whole(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    missing = [kind for kind in pipeline_spec.KINDS if kind not in tasks]
    if missing == ["LatestBlessedModel"] or (missing and "LatestBlessedModel" in missing):
        return "Nothing gives the Evaluator a baseline that this engine can find: what does `create_components` get as its second argument?"
    if missing:
        return f"The mended pipeline has no {', '.join(missing)} any more. All ten steps have to be there."
    source = found.source(tasks["Evaluator"], "baseline_model")
    if source is None or source[0] != tasks["LatestBlessedModel"]:
        return "The Evaluator's baseline does not come from the step that looks it up."
    return compiled_answer.passed_gate(found, tasks)


def _named(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    for kind, (setting, wanted) in FUNCTIONS.items():
        if kind not in tasks:
            continue
        given = found.settings(tasks[kind])
        if given.get("module_file") or given.get("module_path"):
            return f"{kind} is still given a file of code, by its place on the machine that compiled. Name the function in the package."
        if str(given.get(setting, "")).strip('"') != wanted:
            return f"{kind} does not run the function of the package `delays`: its `{setting}` is {str(given.get(setting))[:60]!r}."
    return ""


def _ids(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    bad = [task for task in found.tasks if "_" in task]
    return f"The task `{bad[0]}` cannot be run by a cluster: look at its name." if bad else ""


def _portable(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    told = [one for one in pipeline_spec.places(found, lab) if "`module_" not in one[0]]  # which `_named` tells
    if told:
        where, place = told[0]
        return f"The specification names a place of one machine, in {where}: `{place[:80]}`."
    outside = found.setting(tasks["ImportSchemaGen"], "schema_file") if "ImportSchemaGen" in tasks else None
    if not str(outside).startswith("package:"):
        return f"The schema is read from {str(outside)[:60]!r}, which no image has. In a package of the image it is called `package:PACKAGE/FILE`."
    return ""


def _repeated(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    again = compiled_answer.of_student(lab, AGAIN, "trial")
    if again.text == found.text:
        return ""
    other = [task for task in found.tasks if task in again.tasks and found.settings(task) != again.settings(task)]
    where = f" Look at the settings of {', '.join(other[:2])}." if other else ""
    return f"Compiled twice, it is two different files: the cache would never find anything.{where}"


def _kept(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    """What is learned, and what is demanded, is as it was inherited; however it is written."""
    for (kind, setting), wanted in SPLITS.items():
        given = found.setting(tasks[kind], setting) if kind in tasks else None
        if given is not None and pipeline_spec.json_of(given) != wanted:
            return f"{kind} sees other flights than before: look at its `{setting}`. What it learns, and how it judges, stays as it is."
    wanted = [("AUC", "absolute", -Config.max_auc_loss), ("AUC", "lower_bound", Config.min_slice_auc)]
    wanted.append(("AUC", "lower_bound", Config.min_auc))
    if "Evaluator" in tasks and pipeline_spec.thresholds(found) != wanted:
        return "The Evaluator demands something else of a model than before: how it judges stays as it is."
    before = [
        bound
        for path in sorted(inherited_pipeline.BASE.glob("*.py"))
        for bound in bindings(path.read_text(encoding="utf-8"))
    ]
    known = {name: [value for one, value in before if one == name] for name in LEARNS}
    for shown, bound in _bound(lab, found, tasks):
        for name, value in bound:
            if name in known and value not in known[name]:
                return f"`{name}` is {str(value)[:40]} in {shown}, and was {' or '.join(map(str, known[name]))[:40]}: what it learns stays as it is."
    return ""


def _bound(
    lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]
) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Where the mended pipeline gives names a value: in settings, code, and files of values."""
    for kind in FUNCTIONS:
        if kind in tasks:
            yield (
                f"{kind}'s `custom_config`",
                _values(pipeline_spec.json_of(found.setting(tasks[kind], "custom_config"))),
            )
    for name in files_of(workspace_files.inside(lab, f"{SOURCE}/{inherited_pipeline.NAME}")):
        if name.endswith((".py", ".json")):
            text = workspace_files.text(lab, f"{SOURCE}/{inherited_pipeline.NAME}/{name}")
            yield f"`{name}`", bindings(text) if name.endswith(".py") else _values(pipeline_spec.json_of(text))


def bindings(source: str) -> list[tuple[str, Any]]:
    """Each name that a Python file gives a number or a list of numbers: as a variable, an argument, or a key."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    pairs: list[tuple[Any, ast.expr]] = []
    for node in nodes:
        if isinstance(node, ast.Dict):
            pairs += [(key.value, value) for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)]  # noqa: B905
        elif isinstance(node, ast.keyword) and node.arg:
            pairs.append((node.arg, node.value))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            pairs.append((node.target.id, node.value))
        elif isinstance(node, ast.Assign):
            pairs += [(target.id, node.value) for target in node.targets if isinstance(target, ast.Name)]
    found = []
    for name, node in pairs:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        found += _values({str(name): value}, is_deep=False)
    return found


def _values(given: Any, is_deep: bool = True) -> list[tuple[str, Any]]:
    """The names in a dictionary, and in those that it holds, whose value is a number or a list of numbers."""
    found = []
    for name, value in given.items() if isinstance(given, dict) else ():
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if listed and all(isinstance(one, int | float) and not isinstance(one, bool) for one in listed):
            found.append((str(name), listed if isinstance(value, list | tuple) else value))
        elif is_deep and isinstance(value, dict):
            found += _values(value)
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by their path: what the mended pipeline is made of."""
    found = {}
    for path in sorted(folder.rglob("*"))[: MOST_FILES * 10]:
        name = path.relative_to(folder)
        if any(fnmatch.fnmatch(part, one) for part in name.parts for one in PASSING) or path.is_symlink():
            continue
        if path.is_file() and len(found) < MOST_FILES:
            found[name.as_posix()] = path.read_bytes() if path.stat().st_size < workspace_files.MOST_BYTES else b""
    return found


def _run(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    root = workspace_files.inside(lab, RUNS)
    folders = sorted(path for path in root.glob("*") if path.is_dir()) if root.is_dir() else []
    if not folders:
        return "The mended pipeline is compiled, and none of its steps has run: `lab.trial()`."
    run = check_runs.Run(lab, folders[-1], found)
    stopped = next((task for task in pipeline_spec.order(found) if not run.has(task)), None)
    if stopped:
        return (
            f"The mended pipeline is compiled, and its run stopped at {stopped}. What does that step need that its process does not have? "
            f"Its log is `{Path(RUNS, folders[-1].name, stopped, 'log.txt')}`."
        )
    if not run.model(tasks["Trainer"], "model"):
        return "The run came to its end, and its Trainer has left no model."
    return ""
