"""Tasks 2 and 3 of lab 5: what is wrong with the inherited pipeline; and the mended one, installed, compiled and run elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_5 import pipeline_spec
from judges.lab_5 import elsewhere, inherited_pipeline, specification
from judges.shared import example_records

BEFORE = Path(__file__).with_name("as_it_was.json")
"""What the pipeline compiles to, fits and transforms the flights of the check to, as it should be: `specification.parts`, `watched_task` and `cubes`; a test renews it."""
FUNCTIONS = ("module_file", "module_path", "preprocessing_fn", "run_fn")
FREE = ("custom_config", "schema_file")
"""Settings that may be others."""
NEAR = 0.02


def judge_faults(lab: checks.Lab, found: Any) -> None:
    """Half a point for each fault with its component; one that is not there costs half a point.

    Raises:
        checks.Wrong: some are missing, or stand at another place.
    """
    if not isinstance(found, dict):
        raise checks.Wrong("`FAULTS` has to be a dictionary: the kind of each fault, and the component that it breaks.")
    real = {fault.kind: fault.node for fault in inherited_pipeline.faults(lab.seed)}
    strange = [str(kind)[:40].replace("`", "'") for kind in found if kind not in inherited_pipeline.KINDS]
    wrong = [kind for kind in found if kind in inherited_pipeline.KINDS and kind not in real]
    elsewhere = [kind for kind in found if kind in real and _plain(found[kind]) != _plain(real[kind])]
    right = len(found) - len(strange) - len(wrong) - len(elsewhere)
    problems = []
    if strange:
        problems.append(
            f"Not in the table of kinds: {', '.join(f'`{kind}`' for kind in strange[:3])}. It has {', '.join(inherited_pipeline.KINDS)}."
        )
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
        raise checks.Wrong("\n".join(problems), points=max(0.0, (right - len(wrong) - len(strange)) / 2))


def _plain(node: Any) -> str:
    """A component's id, whatever its letters and underscores; that of the schema by either of its names."""
    text = str(node).strip().replace("_", "").replace("-", "").lower()
    return {
        "importschema": "importschemagen",
        "curatedschema": "importschemagen",
        "resolver": "latestblessedmodel",
    }.get(text, text)


def judge_mended(lab: checks.Lab) -> None:
    """Three points for what is compiled, two for a run to its end that learns what it did.

    Raises:
        checks.Wrong: a fault is still there.
    """
    made = elsewhere.mended(lab)
    found, again = made.compiled("first"), made.compiled("second")
    if told := made.failure(0):
        raise checks.Wrong(f"The mended package cannot be installed and compiled elsewhere: {told}")
    if found is None or again is None:
        raise checks.Wrong("The mended package was installed elsewhere, and its pipeline leaves no specification.")
    problems = dict.fromkeys(told for told in _compiled(lab, found, again) if told)
    if problems:
        raise checks.Wrong("\n".join(problems), points=max(0.0, 3.0 - len(problems)))
    if told := _run(elsewhere.mended_run(lab, made), found):
        raise checks.Wrong(told, points=3.0)


def _compiled(lab: checks.Lab, found: pipeline_spec.Compiled, again: pipeline_spec.Compiled) -> Iterator[str]:
    """A sentence about each kind of fault that is still in what is compiled."""
    missing = specification.missing(found)
    if missing:
        yield f"The mended pipeline has no {missing} any more. All ten steps have to be there."
    else:
        yield specification.passed_gate(found)
    other = list(specification.differences(specification.parts(found), before()["parts"]))
    for one in other:
        if one.part in FUNCTIONS and one.given != one.wanted:
            yield (
                f"{one.kind} is given {specification.shown(one.given)} as its `{one.part}`. In a container there is no file of this machine's: "
                "name the function in the package `delays`."
            )
            break
    told = specification.places(found, lab, besides=FUNCTIONS)
    schema = specification.parts(found).get("ImportSchemaGen", {}).get("schema_file", "")
    if not told and schema and not str(schema).startswith("package:"):
        told = f"The schema is read from {str(schema)[:60]!r}, which no image has. In a package of the image it is called `package:PACKAGE/FILE`."
    yield told
    if again.text != found.text:
        moved = [one.kind for one in specification.differences(specification.parts(found), specification.parts(again))]
        yield f"Compiled twice, it is two different files: the cache would never find anything. Look at the settings of {', '.join(dict.fromkeys(moved))}."
    if kept := [one for one in other if one.part not in (*FUNCTIONS, *FREE)]:
        what = "The schema is another" if kept[0].part == "fingerprint" else f"{kept[0]} before"
        yield f"{what}: what it learns, and how it judges, stays as it is."


def _run(done: elsewhere.Elsewhere, found: pipeline_spec.Compiled) -> str:
    """What is wrong with the run, and with what it has learned; empty: nothing."""
    ran = done.ended()
    if stopped := next((task for task in pipeline_spec.order(found) if task not in ran), None):
        return (
            f"The mended pipeline is compiled; run elsewhere, on other flights of January, it stops at {stopped}: {done.failure(0)} "
            "What does that step need that its process does not have?"
        )
    tasks, was = pipeline_spec.steps(found), before()
    fitted = done.said(f"runs/*/{tasks['Trainer']}/fitted.json")
    for name, value in was["fitted"].items():
        if fitted.get(name) != value:
            return f"Run elsewhere, its Trainer fits a model with other `{name}` than before: {specification.shown(fitted.get(name))}. What it learns stays as it is."
    flights = sorted(done.ran.folder.glob(f"runs/*/{tasks['Transform']}/transformed_examples/Split-train"))
    found_cubes = cubes(flights[0]) if flights else {}
    for name, value in was["cubes"].items():
        if abs(found_cubes.get(name, float("inf")) - value) > NEAR * max(1.0, abs(value)):
            return f"Run elsewhere, its Transform makes another feature `{name}` of the same flights than before. What it learns from stays as it is."
    return ""


def before() -> dict[str, Any]:
    """What it was: `parts`, `fitted`, `cubes`."""
    return json.loads(BEFORE.read_text(encoding="utf-8"))


def cubes(split: Path) -> dict[str, float]:
    """The mean cube of each feature: of a scaled one, mean and deviation tell nothing."""
    rows = example_records.split(split)
    names = sorted(rows[0]) if rows else []
    values = {name: [row.get(name) for row in rows] for name in names}
    return {
        name: round(sum(one**3 for one in column if isinstance(one, int | float)) / len(rows), 3)
        for name, column in values.items()
    }
