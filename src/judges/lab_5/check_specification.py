"""Task 5 of lab 5: questions to the student's own specification, answered from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import yaml

from course import checks
from course.labs.lab_5 import pipeline_spec
from judges.lab_5 import specification


@dataclasses.dataclass(frozen=True)
class Question:
    """A question to a specification.

    Attributes:
        answer: gives what is right.
        look: where to look.
    """

    answer: Callable[[pipeline_spec.Compiled], Any]
    look: str


def _chain(found: pipeline_spec.Compiled) -> int:
    """The number of tasks on the longest chain of tasks that wait for each other."""
    known: dict[str, int] = {}

    def length(task: str, above: tuple[str, ...] = ()) -> int:
        if task in above:
            raise checks.Wrong("The tasks of your pipeline wait for each other in a circle.")
        if task not in known:
            known[task] = 1 + max((length(one, (*above, task)) for one in found.waits_for(task)), default=0)
        return known[task]

    return max(length(task) for task in found.tasks)


def _given_to(found: pipeline_spec.Compiled, parameter: str) -> set[str]:
    pairs = [
        f"{task}.{name}"
        for task in found.tasks
        for name, given in found.tasks[task].get("inputs", {}).get("parameters", {}).items()
        if given.get("componentInputParameter") == parameter
    ]
    return set(pairs)


def _module(found: pipeline_spec.Compiled) -> str:
    command = found.container(pipeline_spec.steps(found)["Trainer"])["command"]
    return str(command[command.index("-m") + 1])


def _claims(found: pipeline_spec.Compiled) -> set[str]:
    """The volumes that the second document gives to the steps."""
    documents = list(yaml.load_all(found.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {str(mount["constant"]) for one in executors.values() for mount in one["pvcMount"]}


QUESTIONS = {
    "at_once": Question(
        lambda found: {task for task in found.tasks if not found.waits_for(task)},
        "`dependentTasks` of each task, where there are any",
    ),
    "after_gate": Question(
        lambda found: {task for task in found.tasks if pipeline_spec.steps(found)["DataGate"] in found.waits_for(task)},
        "`dependentTasks` of each task, and who names DataGate there",
    ),
    "chain": Question(
        _chain, "`dependentTasks`, followed from Pusher back to a task that waits for none; take the longest way"
    ),
    "module": Question(_module, "`deploymentSpec`, `executors`, `container`, `command`"),
    "run_fn": Question(
        lambda found: str(found.setting(pipeline_spec.steps(found)["Trainer"], "run_fn")).strip('"'),
        "the Trainer's task, `inputs`, `parameters`, `runtimeValue`",
    ),
    "gets_data_root": Question(
        lambda found: _given_to(found, "data_root"), "`componentInputParameter`: everyone who names it"
    ),
    "gets_destination": Question(
        lambda found: _given_to(found, "push_destination"), "`componentInputParameter`: everyone who names it"
    ),
    "not_cached": Question(
        lambda found: {task for task in found.tasks if not found.cached(task)},
        "`cachingOptions` of each task: what stands there, or does not",
    ),
    "not_retried": Question(
        lambda found: {task for task in found.tasks if "retryPolicy" not in found.tasks[task]},
        "`retryPolicy` of each task",
    ),
    "volume": Question(_claims, "the file's second document, `pvcMount`: the name of the claim, not its folder"),
}
EACH = 0.5


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
    problems, points = [], 0.0
    for name, question in QUESTIONS.items():
        try:
            right = _is(found.get(name), question.answer(given))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise checks.Wrong(
                f"`JANUARY` lacks what `{name}` asks for: is it as `compile_pipeline` wrote it?"
            ) from error
        points += EACH if right else 0
        if not right:
            problems.append(
                f"`{name}` is {'not that' if found.get(name) is not None else 'still open'}. Look at {question.look}."
            )
    if problems:
        raise checks.Wrong("\n".join(problems), points=points)


def _is(given: Any, wanted: Any) -> bool:
    """Whether an answer is the wanted one. Of names, their order and how many lists they stand in do not matter."""
    if isinstance(wanted, set):
        listed = [given] if isinstance(given, str) else given
        return (
            isinstance(listed, list)
            and all(isinstance(one, str) for one in listed)
            and {one.strip() for one in listed} == wanted
        )
    if isinstance(wanted, int):
        return not isinstance(given, bool) and isinstance(given, int | float) and given == wanted
    return isinstance(given, str) and given.strip() == wanted
