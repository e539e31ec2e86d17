"""Task 5 of lab 5: questions to the student's own specification, answered from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from course import checks
from course.labs.lab_5 import pipeline_spec
from course.labs.lab_5.pipeline_spec import Compiled
from judges.lab_5 import specification

EACH = 0.5


def _chain(found: Compiled) -> int:
    """The number of tasks on the longest chain of tasks that wait for each other."""
    lengths: dict[str, int] = {}
    for task in pipeline_spec.order(found):
        if not found.waits_for(task) <= lengths.keys():
            raise checks.Wrong("The tasks of your pipeline wait for each other in a circle.")
        lengths[task] = 1 + max((lengths[one] for one in found.waits_for(task)), default=0)
    return max(lengths.values())


def _given_to(found: Compiled, parameter: str) -> set[str]:
    return {
        f"{task}.{name}"
        for task in found.tasks
        for name, given in found.tasks[task].get("inputs", {}).get("parameters", {}).items()
        if given.get("componentInputParameter") == parameter
    }


def _module(found: Compiled) -> str:
    command = found.container(pipeline_spec.steps(found)["Trainer"])["command"]
    return str(command[command.index("-m") + 1])


def _run_fn(found: Compiled) -> str:
    return str(found.setting(pipeline_spec.steps(found)["Trainer"], "run_fn")).strip('"')


def _after_gate(found: Compiled) -> set[str]:
    return {task for task in found.tasks if pipeline_spec.steps(found)["DataGate"] in found.waits_for(task)}


def _claims(found: Compiled) -> set[str]:
    """The volumes that the second document gives to the steps."""
    documents = list(yaml.load_all(found.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {str(mount["constant"]) for one in executors.values() for mount in one["pvcMount"]}


QUESTIONS: dict[str, tuple[Callable[[Compiled], Any], str]] = {
    "at_once": (
        lambda found: {task for task in found.tasks if not found.waits_for(task)},
        "`dependentTasks` of each task, where there are any",
    ),
    "after_gate": (_after_gate, "`dependentTasks` of each task, and who names DataGate there"),
    "chain": (
        _chain,
        "`dependentTasks`, followed from Pusher back to a task that waits for none; take the longest way",
    ),
    "module": (_module, "`deploymentSpec`, `executors`, `container`, `command`"),
    "run_fn": (_run_fn, "the Trainer's task, `inputs`, `parameters`, `runtimeValue`"),
    "gets_data_root": (lambda found: _given_to(found, "data_root"), "`componentInputParameter`: every setting with it"),
    "gets_destination": (
        lambda found: _given_to(found, "push_destination"),
        "`componentInputParameter`: every setting with it",
    ),
    "not_cached": (
        lambda found: {task for task in found.tasks if not found.cached(task)},
        "`cachingOptions` of each task: what stands there, or does not",
    ),
    "not_retried": (
        lambda found: {task for task in found.tasks if "retryPolicy" not in found.tasks[task]},
        "`retryPolicy` of each task",
    ),
    "volume": (_claims, "the file's second document, `pvcMount`: the name of the claim, not its folder"),
}
"""For each question what gives the answer, and where to look."""


def judge_reading(lab: checks.Lab, january: Any, found: Any) -> None:
    """Half a point for each answer.

    Raises:
        checks.Wrong: some are not what the specification says.
    """
    given = specification.of_student(lab, january, "JANUARY")
    if missing := specification.missing(given):
        raise checks.Wrong(f"`JANUARY` has no {missing}. Do task 4 first.")
    if not isinstance(found, dict) or not set(found) <= set(QUESTIONS):
        strange = sorted(set(found) - set(QUESTIONS))[:1] if isinstance(found, dict) else []
        raise checks.Wrong(
            f"`READ` has to be a dictionary with the keys of the table{f', and {strange[0][:40]!r} is none' if strange else ''}."
        )
    problems = []
    for name, (answer, look) in QUESTIONS.items():
        try:
            wanted = answer(given)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise checks.Wrong(
                f"`JANUARY` lacks what `{name}` asks for: is it as `compile_pipeline` wrote it?"
            ) from error
        if not _is(found.get(name), wanted):
            problems.append(
                f"`{name}` is {'not that' if found.get(name) is not None else 'still open'}. Look at {look}."
            )
    if problems:
        raise checks.Wrong("\n".join(problems), points=EACH * (len(QUESTIONS) - len(problems)))


def _is(given: Any, wanted: Any) -> bool:
    """Whether an answer is the wanted one. Of names, their order and how many lists they stand in do not matter."""
    if isinstance(wanted, set):
        listed = [given] if isinstance(given, str) else given
        return isinstance(listed, list) and {str(one).strip() for one in listed} == wanted
    if isinstance(wanted, int):
        return not isinstance(given, bool) and isinstance(given, int | float) and given == wanted
    return isinstance(given, str) and given.strip() == wanted
