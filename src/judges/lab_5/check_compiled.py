"""Task 4 of lab 5: the student's own pipeline, compiled for January and February, held against what the check compiles of the same package elsewhere."""

from __future__ import annotations

import re
from typing import Any

from course import checks
from course.labs.lab_5 import pipeline_spec
from course.labs.lab_5.pipeline_spec import Compiled
from judges.lab_5 import check_image, elsewhere, specification

FUNCTIONS = ("preprocessing_fn", "run_fn")


def judge_compiled(lab: checks.Lab, january: Any, february: Any) -> None:
    """A point each: the package's steps and its gate, the same file elsewhere, the image, the limits, the cache, February.

    Raises:
        checks.Wrong: something of it is missing.
    """
    first = specification.of_student(lab, january, "JANUARY")
    if missing := specification.missing(first):
        raise checks.Wrong(f"`{first.shown}` has no {missing}: all ten steps of your pipeline belong into it.")
    done, wanted, later = compiled_elsewhere(lab, first)
    other = list(specification.differences(_but_image(first), _but_image(wanted)))
    if strange := [one for one in other if one.part in FUNCTIONS]:
        raise checks.Wrong(
            f"{strange[0].kind} in `{first.shown}` calls {specification.shown(strange[0].given)}, and not what your package calls, compiled elsewhere. Whose `create_components` was compiled?"
        )
    if told := specification.passed_gate(first) or _refuses(done):
        raise checks.Wrong(told)
    limits = [one for one in other if one.part == "limits"]
    cache = [one for one in other if one.part == "cache"]
    rest = [one for one in other if one.part not in ("limits", "cache")]
    told = [_same(lab, first, wanted, rest, bool(limits or cache)), _image(_images(first))]
    told.append(
        f"{limits[0].kind} may use {limits[0].given[0]} cores and {limits[0].given[1]} GB. It should be {limits[0].wanted[0]:g} and {limits[0].wanted[1]:g}."
        if limits
        else ""
    )
    told.append(
        f"The cache is {cache[0].given} for {cache[0].kind}. It has to be off for steps that have no artifact as input, and on for all others. Is "
        "`enable_cache` of your configuration as it was?"
        if cache
        else ""
    )
    told.append(_february(lab, first, later, february, {(one.kind, one.part) for one in other}, any(told)))
    if any(told):
        raise checks.Wrong("\n".join(one for one in told if one), points=1.0 + told.count(""))


def compiled_elsewhere(lab: checks.Lab, first: Compiled) -> tuple[elsewhere.Elsewhere, Compiled, Compiled]:
    """What has come of the package elsewhere, with January and February as compiled there, with the settings that `JANUARY` tells its Trainer.

    Raises:
        checks.Wrong: it could not be compiled.
    """
    told = first.setting(pipeline_spec.steps(first)["Trainer"], "custom_config")
    settings = _flat(pipeline_spec.json_of(told)) | {"pipeline_name": str(first.body["pipelineInfo"].get("name"))}
    done = elsewhere.own(lab, settings)
    january, february = done.compiled("january"), done.compiled("february")
    if january is None or february is None or specification.missing(january):
        raise checks.Wrong(
            f"Your package, installed elsewhere as task 1 says, cannot be compiled: {done.failure(0) or 'it leaves no specification.'}"
        )
    return done, january, february


def _flat(given: Any) -> dict[str, Any]:
    """The settings in a dictionary, and in those that it holds."""
    found: dict[str, Any] = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        found |= _flat(value) if isinstance(value, dict) else {str(name): value}
    return found


def _but_image(found: Compiled) -> specification.Parts:
    return {
        kind: {name: value for name, value in one.items() if name != "image"}
        for kind, one in specification.parts(found).items()
    }


def _refuses(done: elsewhere.Elsewhere) -> str:
    """What is wrong if January's pipeline lets a month pass whose carriers have other names; empty: it stops before it learns."""
    begun, ended = done.begun(), done.ended()
    if "DataGate" not in begun:
        return f"January's pipeline, run elsewhere on a month that its gate has to refuse, does not get to its gate: {done.failure(1)}"
    if "DataGate" in ended or "Transform" in begun or "Pusher" in begun:
        return (
            "January's pipeline was run elsewhere on a month whose carriers have other names (`UAL`), and learned from it: "
            f"{'its gate let it pass' if 'DataGate' in ended else 'Transform began before its gate had spoken'}."
        )
    return ""


def _images(found: Compiled) -> set[str]:
    return {str(found.container(task).get("image")) for task in found.tasks}


def _is_same_file(found: Compiled, wanted: Compiled) -> bool:
    """Byte for byte, but for the name of the image."""
    return found.text.replace(f"image: {min(_images(found))}\n", f"image: {elsewhere.ANY_IMAGE}\n") == wanted.text


def _same(
    lab: checks.Lab, found: Compiled, wanted: Compiled, other: list[specification.Difference], has_more: bool
) -> str:
    """What is another than in the file that the check compiles; empty: nothing but its image, and what is told elsewhere."""
    if told := specification.places(found, lab):
        return told
    if other:
        return (
            f"`{found.shown}` is not what your package compiles to elsewhere, for other data and output: {other[0]} there. Of the configuration, "
            "months, folders and what the Trainer is told can be given; the rest stands in the package. Was it changed after `lab.build()`?"
        )
    if has_more or len(_images(found)) > 1 or _is_same_file(found, wanted):
        return ""
    return f"`{found.shown}` is not the same file, byte for byte, as your package compiles to elsewhere. Is it as `compile_pipeline` wrote it?"


def _image(names: set[str]) -> str:
    """What is wrong with the name of the image."""
    if len(names) != 1:
        return "The steps have several images. One image, with your package, is enough."
    (name,) = names
    repository, colon, tag = re.fullmatch(r"(.*?)(?:(:)([^/:@]*))?(?:@.*)?", name, re.DOTALL).groups()
    if repository.rsplit("/", 1)[-1] == check_image.BASE:
        return (
            f"The image is `{name[:60]}`: it has TFX and `flights`, but not your package. Give yours a name of its own."
        )
    if not re.fullmatch(r"(?:[a-z0-9.-]+(?::\d+)?/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*", repository):
        return f"`{name[:60]}` cannot name an image: small letters, digits, and `-`, `_`, `.` between them."
    if "@sha256:" not in name and (not colon or not tag or tag == "latest"):
        return (
            f"The image `{name[:60]}` has no tag of its own. Kubernetes fetches `latest` at every start, and under a name that stays the same "
            "the cache takes new code for old."
        )
    return ""


def _february(
    lab: checks.Lab, first: Compiled, wanted: Compiled, given: Any, told: set[tuple[str, str]], waits: bool
) -> str:
    """What is wrong with February, but for what is told of January; where January is not right, what they have in common waits."""
    try:
        found = specification.of_student(lab, given, "FEBRUARY")
    except checks.Wrong as wrong:
        return wrong.message
    if missing := specification.missing(found):
        return f"`{found.shown}` has no {missing}: all ten steps of your pipeline belong into it."
    if not_passed := specification.passed_gate(found):
        return not_passed
    other = list(specification.differences(_but_image(found), _but_image(wanted)))
    if months := [one for one in other if one.part == "input_config"]:
        return f"`{found.shown}` reads {specification.shown(months[0].given)}. It should learn from January and be judged on February: `months=(1, 2)`."
    if own := [one for one in other if (one.kind, one.part) not in told]:
        return (
            f"{own[0].kind} of `{found.shown}` has another `{own[0].part}` than the same package compiled elsewhere with the settings of "
            f"`{first.shown}`: {own[0]} there. With other settings or demands than last month's, a difference of the two models tells nothing of the month. Of the "
            "configuration only the months are others."
        )
    if len(_images(first) | _images(found)) != 1:
        return (
            "`FEBRUARY` waits for `JANUARY`: their images are compared when that is right."
            if waits
            else f"`{found.shown}` has another image than `{first.shown}`: the package is the same."
        )
    if not waits and not _is_same_file(found, wanted):
        return f"`{found.shown}` is not the same file, byte for byte, as your package compiles to elsewhere. Is it as `compile_pipeline` wrote it?"
    return ""
