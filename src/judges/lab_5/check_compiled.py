"""Task 4 of lab 5: the student's own pipeline, compiled for January and February."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from course import checks
from course.labs.lab_5 import pipeline_spec
from judges.lab_5 import check_dockerfile, compiled_answer
from judges.shared import workspace_files

FUNCTIONS = {
    "Transform": ("preprocessing_fn", "my_flights.features.preprocessing_fn"),
    "Trainer": ("run_fn", "my_flights.model.run_fn"),
}
CORES, MEMORY = 2.0, 4.0
"""What the Trainer is to get: cores, and GB."""
OTHERS = (1.0, 3.0)
PARAMETERS = {"data_root": ("CsvExampleGen", "input_base"), "push_destination": ("Pusher", "push_destination")}
WITHOUT_INPUT = ("CsvExampleGen", "ImportSchemaGen", "LatestBlessedModel")


def judge_compiled(lab: checks.Lab, january: Any, again: Any, february: Any) -> None:
    """A point each: the package's steps, the same bytes anywhere, the image, the limits, the cache, February.

    Raises:
        checks.Wrong: something of it is missing.
    """
    first = compiled_answer.of_student(lab, january, "JANUARY")
    tasks = pipeline_spec.steps(first)
    told = _steps(first, tasks)
    if told:
        raise checks.Wrong(told)
    own = [_told(_portable, lab, first, tasks), _told(_image, first)]
    own += [_told(_limits, first, tasks), _told(_cache, first, tasks)]
    waits = any(own)
    others = [_told(_again, lab, first, january, again, waits), _told(_february, lab, first, february, waits)]
    parts = [own[0] or others[0], *own[1:], others[1]]
    if any(parts):
        told = dict.fromkeys(one for one in [*own, *others] if one)
        raise checks.Wrong("\n".join(told), points=1.0 + parts.count(""))


def _told(judge: Callable[..., None], *given: Any) -> str:
    """What a judgement says is wrong."""
    try:
        judge(*given)
    except checks.Wrong as wrong:
        return wrong.message
    return ""


def _steps(found: pipeline_spec.Compiled, tasks: dict[str, str]) -> str:
    """What of the ten steps, with the package's functions, is missing."""
    missing = [kind for kind in pipeline_spec.KINDS if kind not in tasks]
    if missing:
        return f"`{found.shown}` has no {', '.join(missing)}: all ten steps of your pipeline belong into it."
    for kind, (setting, wanted) in FUNCTIONS.items():
        given = str(found.setting(tasks[kind], setting)).strip('"')
        if given != wanted:
            return f"{kind} in `{found.shown}` calls {given[:60]!r}, not `{wanted}`. Whose `create_components` was compiled?"
    return compiled_answer.passed_gate(found, tasks)


def _portable(lab: checks.Lab, found: pipeline_spec.Compiled, tasks: dict[str, str]) -> None:
    told = pipeline_spec.places(found, lab)
    if told:
        where, place = told[0]
        raise checks.Wrong(f"`{found.shown}` names a place of one machine, in {where}: `{place[:80]}`.")
    known = found.body["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, (kind, setting) in PARAMETERS.items():
        given = found.tasks[tasks[kind]].get("inputs", {}).get("parameters", {}).get(setting, {})
        if name not in known or given.get("componentInputParameter") != name:
            raise checks.Wrong(
                f"`{found.shown}`: a run cannot say what `{name}` is; it is not a parameter of the pipeline."
            )


def _again(lab: checks.Lab, found: pipeline_spec.Compiled, january: str, again: Any, waits: bool) -> None:
    """Another file with the same bytes. What differs because of a fault of January's own is not told a second time."""
    other = compiled_answer.of_student(lab, again, "AGAIN")
    if workspace_files.inside(lab, again).samefile(workspace_files.inside(lab, january)):
        raise checks.Wrong(
            "`AGAIN` is the file of `JANUARY` itself: that a second compilation gives the same bytes, one file cannot show. Compile once more, to "
            "a path of its own."
        )
    if other.text != found.text:
        if waits:
            raise checks.Wrong("`AGAIN` waits for `JANUARY`: the two are compared when that is right.")
        raise checks.Wrong(
            "`AGAIN` is not the same file as `JANUARY`, byte for byte. It should be compiled of the same pipeline, for data and output at "
            "another place. What else is different?"
        )


def _image(found: pipeline_spec.Compiled) -> None:
    names = {str(found.container(task).get("image")) for task in found.tasks}
    if len(names) != 1:
        raise checks.Wrong("The steps have several images. One image, with your package, is enough.")
    name = names.pop()
    repository, colon, tag = re.fullmatch(r"(.*?)(?:(:)([^/:@]*))?(?:@.*)?", name).groups()
    digest = "@sha256:" in name
    if repository.rsplit("/", 1)[-1] == check_dockerfile.BASE:
        raise checks.Wrong(
            f"The image is `{name[:60]}`: it has TFX and `flights`, but not your package. Give yours a name of its own."
        )
    if not re.fullmatch(r"(?:[a-z0-9.-]+(?::\d+)?/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*", repository):
        raise checks.Wrong(
            f"`{name[:60]}` cannot name an image: small letters, digits, and `-`, `_`, `.` between them."
        )
    if not digest and (not colon or not tag or tag == "latest"):
        raise checks.Wrong(
            f"The image `{name[:60]}` has no tag of its own. Kubernetes fetches `latest` at every start, and under a name that stays the same "
            "the cache takes new code for old."
        )


def _limits(found: pipeline_spec.Compiled, tasks: dict[str, str]) -> None:
    for kind, task in tasks.items():
        wanted = (CORES, MEMORY) if kind == "Trainer" else OTHERS
        given = found.container(task).get("resources") or {}
        if (given.get("cpuLimit"), given.get("memoryLimit")) != wanted:
            raise checks.Wrong(
                f"{kind} may use {given.get('cpuLimit')} cores and {given.get('memoryLimit')} GB. It should be {wanted[0]:g} and {wanted[1]:g}."
            )


def _cache(found: pipeline_spec.Compiled, tasks: dict[str, str]) -> None:
    for kind, task in tasks.items():
        if found.cached(task) == (kind in WITHOUT_INPUT):
            raise checks.Wrong(
                f"The cache is {'on' if found.cached(task) else 'off'} for {kind}. It has to be off for steps that have no artifact "
                "as input, and on for all others. Is `enable_cache` of your configuration as it was?"
            )


def _february(lab: checks.Lab, first: pipeline_spec.Compiled, given: Any, waits: bool) -> None:
    found = compiled_answer.of_student(lab, given, "FEBRUARY")
    tasks = pipeline_spec.steps(found)
    told = _steps(found, tasks)
    if told:
        raise checks.Wrong(told)
    said = pipeline_spec.json_of(found.setting(tasks["CsvExampleGen"], "input_config"))
    splits = said.get("splits") if isinstance(said, dict) else None
    patterns = [str(one.get("pattern")) for one in splits or [] if isinstance(one, dict)]
    if len(patterns) != 2 or "0[1-1]" not in patterns[0] or "0[2-2]" not in patterns[1]:
        raise checks.Wrong(
            f"`{found.shown}` reads {', '.join(patterns)[:80] or 'nothing'}. It should learn from January and be judged on February: `months=(1, 2)`."
        )
    if pipeline_spec.demands(found) != pipeline_spec.demands(first):
        raise checks.Wrong(
            f"The Evaluator of `{found.shown}` demands something else of a model than that of `{first.shown}`: their `eval_config` differ. "
            "Of the configuration only the months are others."
        )
    own = pipeline_spec.steps(first)
    for kind in FUNCTIONS:
        if found.setting(tasks[kind], "custom_config") != first.setting(own[kind], "custom_config"):
            raise checks.Wrong(
                f"{kind} of `{found.shown}` is told something else than that of `{first.shown}`: their `custom_config` differ. With other settings "
                "than last month's, a difference of the two models tells nothing of the month. Of the configuration only the months are others."
            )
    images = {str(one.container(task).get("image")) for one in (first, found) for task in one.tasks}
    if len(images) != 1:
        if waits:
            raise checks.Wrong("`FEBRUARY` waits for `JANUARY`: their images are compared when that is right.")
        raise checks.Wrong(f"`{found.shown}` has another image than `{first.shown}`: the package is the same.")
