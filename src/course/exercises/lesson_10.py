"""The checks of lesson 10's exercises."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course import exercises
from serving.traffic import Traffic

if TYPE_CHECKING:
    from engines.lineage import Lineage

HISTORY = Path(__file__).parents[3] / "data" / "history" / "metadata.sqlite"
"""The store of the incident, which `tools/data/history.py` has recorded."""


@functools.cache
def _history() -> Lineage:
    from engines.lineage import Lineage

    return Lineage.of_file(HISTORY)


@exercises.check(
    "model-of", title="The first step", todo="Let `model_of` return the number of the model that Pusher was given."
)
def model_of(model_of: Callable[[int], int]) -> str:
    """The way back begins at the right input."""
    for number, push in enumerate(_history().versions(), 1):
        found = model_of(push.artifact)
        if found == push.model:
            continue
        artifact = _history().graph.artifacts.get(found) if isinstance(found, int) else None
        kind = f"an artifact of the type {artifact.type}" if artifact else "no artifact of this store"
        if artifact and artifact.type == "Model":
            raise exercises.Wrong(
                f"For version {number} it gives a model, and another than Pusher was given. Follow the events of `pushed_id`, not the order of the store."
            )
        raise exercises.Wrong(
            f"For version {number} it gives {found!r}, {kind}. Take the input whose name, `one.path.steps[0].key`, is `model`."
        )
    return "Right for all seven versions, also for the two that were pushed of one model. From here on, every input is a cause."


@exercises.check(
    "in-doubt",
    title="The requests in doubt",
    todo="Let `in_doubt` return the ids of the answers by models that have learned from the file.",
)
def in_doubt(in_doubt: Callable[[Sequence[Mapping[str, Any]], Sequence[Any]], list[str]]) -> str:
    """From a file to the answers that it has reached, over models and versions."""
    lineage = _history()
    first = next(one for one in lineage.reached(span=2) if one.how == "inherited").model.base
    reached = lineage.reached(checksum=first.trained_on[0].file.checksum) if first else []
    versions = lineage.versions()
    asked = [*range(len(versions)), *reversed(range(len(versions)))]
    log = [{"id": f"request-{n}", "version": int(versions[place].version)} for n, place in enumerate(asked)]
    learned = {push.version for one in reached if one.how != "evaluated" for push in one.model.pushes}
    wanted = [line["id"] for line in log if str(line["version"]) in learned]
    judged = {push.version for one in reached for push in one.model.pushes} - learned
    found = in_doubt(log, reached)
    if not isinstance(found, list):
        raise exercises.Wrong(f"It gives {type(found).__name__}; give a list of ids.")
    if not found:
        raise exercises.Wrong(
            "It gives no request at all. Look at the types: is a version in the log what it is in `push.version`?"
        )
    if any(str(line["version"]) in judged and line["id"] in found for line in log):
        raise exercises.Wrong(
            "It gives answers by a version that was only evaluated on the file. Look at `one.how` of each that was reached."
        )
    if sorted(found) != sorted(wanted):
        short = sorted(set(wanted) - set(found))
        raise exercises.Wrong(
            f"It {'misses ' + str(len(short)) if short else 'has too many'} of {len(wanted)}. A model may have several versions, and a version several answers."
        )
    if found != wanted:
        raise exercises.Wrong("All are there, in another order than in the log.")
    return f"{len(found)} of {len(log)} answers are in doubt, by {len(learned)} versions of two pipelines; those of {len(judged)} others are not."


_RECALLED = "ab" * 32


def _files(*checksums: str) -> str:
    return json.dumps(
        [
            {"path": f"span-{n:02d}/flights.csv", "span": n, "checksum": one, "splits": ["train"]}
            for n, one in enumerate(checksums, 1)
        ]
    )


_TAGS: list[tuple[dict[str, str], bool, str]] = [
    ({"trained_on": _files("cd" * 32)}, True, "A version that has learned from another file alone may answer."),
    (
        {"trained_on": _files("cd" * 32, _RECALLED)},
        False,
        "A version was promoted that was trained on the recalled file. Look at each file of `trained_on`.",
    ),
    (
        {"trained_on": _files("cd" * 32), "inherited": _files(_RECALLED)},
        False,
        "A version was promoted that went on from a model of the recalled file. Look at the tag `inherited` as well.",
    ),
    (
        {},
        False,
        "A version without tags was promoted: it was registered by hand, and nothing is known. Of an empty list, `all` is true.",
    ),
    (
        {"trained_on": _files("")},
        False,
        "A version was promoted of which a file has no checksum: it may be the recalled one.",
    ),
]


@exercises.check(
    "may-answer",
    title="May it be promoted?",
    todo="Let `may_answer` return True where a version has certainly not learned from the recalled contents.",
)
def may_answer(may_answer: Callable[[Mapping[str, str], str], bool]) -> str:
    """What is not known is not allowed."""
    for tags, wanted, wrong in _TAGS:
        found = may_answer(tags, _RECALLED)
        if type(found) is not bool:
            raise exercises.Wrong(f"It gives {found!r}; give True or False.")
        if found is not wanted:
            raise exercises.Wrong(wrong)
    return "Trained, inherited, unknown: each is refused for its own reason, and a clean version may answer."


_DISAGREE: list[tuple[dict[str, int], Traffic, list[str], str]] = [
    ({"champion": 1}, Traffic(1), [], "Where all agree, the list is empty; a role that neither side has agrees too."),
    ({"champion": 2}, Traffic(1), ["champion"], "The alias champion is on 2 and 1 answers: that is a disagreement."),
    (
        {"champion": 1},
        Traffic(1, challenger=2, share=0.1),
        ["challenger"],
        "A challenger has a share of the requests, and no alias says so. Go by the roles, not by the aliases.",
    ),
    (
        {"champion": 1, "archive": 3},
        Traffic(1),
        [],
        "An alias of another name, such as archive, is no matter of the traffic.",
    ),
    (
        {"champion": 3, "shadow": 2, "challenger": 4},
        Traffic(1),
        ["champion", "challenger", "shadow"],
        "All three disagree: give them in the order champion, challenger, shadow.",
    ),
]


@exercises.check(
    "disagreeing",
    title="Names and traffic",
    todo="Let `disagreeing` return the roles in which the aliases and the traffic disagree.",
)
def disagreeing(disagreeing: Callable[[Mapping[str, int], Traffic], list[str]]) -> str:
    """Aliases, held against who answers."""
    for aliases, served, wanted, wrong in _DISAGREE:
        found = disagreeing(dict(aliases), served)
        if not isinstance(found, list):
            raise exercises.Wrong(f"It gives {found!r}; give a list of roles.")
        if found != wanted:
            raise exercises.Wrong(f"{wrong} It gives {found} for {aliases} and {served}.")
    return "This is the first of the comparisons that `flights registry check` makes; the folder and the store are the others."
