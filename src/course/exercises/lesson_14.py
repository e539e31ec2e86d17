"""The checks of lesson 14's exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from course import exercises, rubric

POINTS = {"data 2": 0.5, "data 3": 0.0, "model 6": 1.0, "infrastructure 7": 1.0}
"""Of the four tests that the reader judges."""


@exercises.check(
    "test-score",
    title="The ML Test Score of this course",
    todo="Give each of the four tests 0, 0.5 or 1 point, and set `score` to the score of the whole.",
)
def test_score(points: Mapping[str, float], score: float) -> str:
    """Four tests judged, and the lowest of four sums."""
    if set(points) != set(POINTS):
        raise exercises.Wrong(f"Give points to these four: {', '.join(POINTS)}.")
    for name, wanted in POINTS.items():
        if points[name] == wanted:
            continue
        said = {0.0: "there is no measurement", 0.5: "a person ran it once, and kept the result"}
        why = said.get(wanted, "a machine makes it again and again")
        raise exercises.Wrong(f"{name} gets {points[name]:g} points. Look at what the course has: {why}.")
    sums = rubric.ml_test_score(POINTS)
    told = ", ".join(f"{section} {value:g}" for section, value in sums.items())
    if math.isclose(score, min(sums.values())):
        lowest = " and ".join(section for section, value in sums.items() if value == min(sums.values()))
        return f"{told}: the score is {score:g}, strong by the paper's scale. Work on {lowest} raises it, and other work does not."
    if math.isclose(score, sum(sums.values())):
        raise exercises.Wrong(
            f"{score:g} is the sum of all sections. Good monitoring does not make up for untested data."
        )
    if math.isclose(score, sum(sums.values()) / len(sums)):
        raise exercises.Wrong(f"{score:g} is the mean. A weak section would hide behind the three others.")
    raise exercises.Wrong(f"The sums are {told}. Which one number does the paper take?")


BROKEN: dict[str, Callable[[int], Any]] = {
    "time // 60": lambda time: time // 60,
    "round(time / 100)": lambda time: round(time / 100),
    "int(str(time)[:2])": lambda time: int(str(time)[:2]),
    "time // 100 % 12": lambda time: time // 100 % 12,
}


@exercises.check(
    "test-that-fails",
    title="A test that can fail",
    todo="Let `test` assert what `hour` has to give for times of your choice.",
)
def test_that_fails(test: Callable[[Callable[[int], int]], Any]) -> str:
    """A test, tried on right code and on broken ones."""
    try:
        test(lambda time: time // 100)
    except AssertionError:
        raise exercises.Wrong(
            "It fails for the right code, `time // 100`. Expect the hour, such as 17 for 1745."
        ) from None
    passed = [code for code, broken in BROKEN.items() if not _fails(test, broken)]
    if passed:
        raise exercises.Wrong(
            f"It passes for {len(passed)} of {len(BROKEN)} broken ones: `{'`, `'.join(passed)}`. Look for a time at which such code is wrong."
        )
    return "It passes for the right code, and fails for all four broken ones. That is how a test is tested: mutation testing."


def _fails(test: Callable[[Callable[[int], int]], Any], hour: Callable[[int], Any]) -> bool:
    try:
        test(hour)
    except Exception:  # a test that cannot deal with an answer has failed as well
        return True
    return False


@exercises.check(
    "judge", title="The verdict on a canary", todo='Return "good", "bad" or "wait", by the requests of both versions.'
)
def judge(judge: Callable[[Any, Any], Any]) -> str:
    """What ends a canary, and what it waits for."""

    def did(requests: int, failed: int) -> SimpleNamespace:
        return SimpleNamespace(requests=requests, failed=failed)

    cases = [
        (did(1800, 0), did(200, 0), "good", "200 requests, none failed"),
        (did(300, 0), did(30, 0), "wait", "30 requests, none failed: too few to call it good"),
        (did(300, 0), did(30, 3), "bad", "3 of 30 failed, and none of the champion's: do not wait for more"),
        (did(300, 0), did(30, 1), "wait", "1 of 30 failed, which may be chance"),
        (did(1800, 90), did(200, 10), "good", "5 % failed, and 5 % of the champion's too: it is not the version"),
        (did(1800, 0), did(1000, 5), "good", "5 of 1,000 failed, within one point in a hundred"),
        (did(1800, 0), did(400, 40), "bad", "40 of 400 failed"),
    ]
    for champion, canary, wanted, what in cases:
        found = judge(champion, canary)
        if found not in ("good", "bad", "wait"):
            raise exercises.Wrong(f'It gives {found!r}; give "good", "bad" or "wait".')
        if found != wanted:
            raise exercises.Wrong(f'It says "{found}" of this canary: {what}.')
    return "Right in seven cases. The release of this course judges like this, and looks at speed and predictions too."


@exercises.check(
    "unpinned",
    title="Actions without a commit",
    todo="Return the actions, as they are written in `uses`, that are not pinned to a commit.",
)
def unpinned(unpinned: Callable[[Mapping[str, Any]], Any]) -> str:
    """What of a workflow can become other code tomorrow."""
    commit = "11d5960a326750d5838078e36cf38b85af677262"
    pinned, tag, branch, short = (
        f"actions/checkout@{commit}",
        "actions/cache@v4.3.0",
        "team/deploy@main",
        f"team/notify@{commit[:7]}",
    )
    words = "team/x@" + "release-candidate-of-the-summer-of-2026!"
    steps = [{"uses": pinned}, {"run": "make test"}, {"uses": tag}]
    workflow = {"jobs": {"one": {"steps": steps}, "two": {"steps": [{"uses": branch}, {"uses": short}]}}}
    found = unpinned(workflow)
    if not isinstance(found, list):
        raise exercises.Wrong(f"It gives {type(found).__name__}; give a list.")
    if pinned in found:
        raise exercises.Wrong(f"It names {pinned}, which is pinned to a commit: 40 digits from 0 to f.")
    for one, why in (
        (tag, "a tag can be moved to another commit"),
        (branch, "a branch moves with each push"),
        (short, "seven digits are no whole commit: another one may begin with them"),
    ):
        if one not in found:
            raise exercises.Wrong(f"It does not name {one}: {why}.")
    if found != [tag, branch, short]:
        raise exercises.Wrong("It gives the right actions and others, or in another order than in the workflow.")
    if unpinned({"jobs": {"one": {"steps": [{"uses": words}]}}}) != [words]:
        raise exercises.Wrong(f"It takes {words} for a commit: 40 characters, but not of 0 to f.")
    return "It finds tags, branches and short commits. zizmor asks the same, and more."
