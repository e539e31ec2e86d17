"""What decides whether a version that is being released goes on: its answers beside the champion's, in shadow and for a share of the requests.

Nothing is compared with a fixed number that the champion could miss as well: a machine that is slow this hour is slow for both, and both are
asked about the same kind of rows.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

from operation.served_metrics import Did, Histogram, Window
from serving import request_log


@dataclasses.dataclass(frozen=True)
class Limits:
    """When a version goes on, and when it goes back.

    Attributes:
        shadow: requests that the shadow answers before it is judged; 0 leaves the shadow out. Of 200, one that fails for a request in a hundred
            fails for one at least with 87 % certainty: 1 - 0.99 ** 200.
        requests: that each of the two must have answered in a canary before it is judged to be good. For the same reason.
        failures: so many failed requests end a canary at once, if the rate is too high as well: fewer may be chance, and clients pay for waiting.
        failure_rate: by which the version's share of failed requests may be above the champion's. The alert `VersionFails` has the same limit.
        slower: how many times the seconds of the champion's quickest tenth, which have waited for nothing, a version may need for itself. Both wait
            for each other's requests, so a heavy version makes the champion slow as well: what tells them apart is the difference of their means.
        slower_by: seconds of that difference that do not count: from 1 to 4 ms makes no difference to a client.
        distance: by which the distributions of the predictions may be further apart than they are on the rows of the smoke test, which are
            those that the gate judged (Kolmogorov and Smirnov's, 0 to 1). A retrained model is meant to say otherwise, so 0 would send each back.
        apart: the same for the mean absolute difference of the two answers to one request, in shadow.
        share: factor by which the share that a challenger really gets may be off before the two are no fair comparison: clients that repeat
            an id, or a version that keeps its requests waiting.
        deadline: seconds that a step may last, by the clock that is given. After it, too few requests have come to know anything, and the version goes back.
        stuck: seconds after which a version that is at work and ends nothing is taken back.
        silent: seconds without metrics after which it is taken back: it may have brought the server down.
        restarts: of the server within a step; one may be a deployment, more look like the version's doing.
        follow: seconds in which the server has to follow the traffic file. It looks twice a second, and loads a version in some.
    """

    shadow: int = 200
    requests: int = 200
    failures: int = 3
    failure_rate: float = 0.01
    slower: float = 3.0
    slower_by: float = 0.02
    distance: float = 0.15
    apart: float = 0.05
    share: float = 2.0
    deadline: float = 3600.0
    stuck: float = 30.0
    silent: float = 30.0
    restarts: int = 1
    follow: float = 60.0


class Verdict(NamedTuple):
    """Whether a step is over.

    Attributes:
        state: `good`, `bad`, or `wait`: too little is known.
        reason: a sentence with the numbers.
    """

    state: Literal["good", "bad", "wait"]
    reason: str


@dataclasses.dataclass(frozen=True)
class Expected:
    """What both versions said to the rows of the smoke test: how far apart they are meant to be. Empty where that is not known.

    Attributes:
        champion: predictions.
        candidate: predictions for the same rows.
    """

    champion: Sequence[float] = ()
    candidate: Sequence[float] = ()

    @property
    def apart(self) -> float:
        """Mean absolute difference; NaN where nothing is known, and then nothing is demanded."""
        if not self.champion:
            return math.nan
        return fmean(abs(one - other) for one, other in zip(self.champion, self.candidate, strict=True))

    def distance(self, bounds: tuple[float, ...]) -> float:
        """Between the distributions, in the server's buckets; NaN as for `apart`."""
        return Histogram.of(self.champion, bounds).distance(Histogram.of(self.candidate, bounds))


def judge_shadow(
    window: Window, champion: int, version: int, expected: Expected, limits: Limits, differences: Sequence[float] | None
) -> Verdict:
    """Whether a version that is asked as well since a `window` began, and never answers, may answer.

    `differences` are those of both answers to one request, from the log; None: there is no log, and only distributions are compared.
    """
    one, other = window.did(version, "shadow"), window.did(champion, "champion")
    if broken := _broken(version, one, 0.0, limits):
        return broken
    if window.dropped > max(limits.shadow, one.requests):
        return Verdict("bad", f"Version {version} as shadow cannot follow: {window.dropped} requests went without it.")
    if one.requests < limits.shadow:
        return Verdict("wait", f"Version {version} as shadow was asked {one.requests} of {limits.shadow} requests.")
    if differences is not None:
        if len(differences) < one.answered / 2:
            # The server writes it a moment later; where it never comes to be there, the deadline ends it.
            return Verdict(
                "wait",
                f"The log has both answers to {len(differences)} of {one.answered} requests: is it this server's?",
            )
        apart, meant = fmean(differences), expected.apart
        if apart > meant + limits.apart:
            said = f"Version {version} and the champion are {apart:.3f} apart on live requests, and {meant:.3f} on the rows of the smoke test."
            return Verdict("bad", said)
    distance, meant = _distances(one, other, expected)
    if distance > meant + limits.distance:
        return Verdict("bad", _says_otherwise(version, distance, meant))
    return Verdict(
        "good",
        f"Version {version} as shadow answered {one.answered} requests; distance of the predictions {distance:.2f}, and {meant:.2f} in the smoke test.",
    )


def judge_canary(
    window: Window, champion: int, version: int, share: float, expected: Expected, limits: Limits
) -> Verdict:
    """Whether a version may have more requests; `window` is the time since it has answered this share of them, and the champion the others."""
    one, other = window.did(version, "challenger"), window.did(champion, "champion")
    if broken := _broken(version, one, other.failure_rate, limits):
        return broken
    total = one.requests + other.requests
    least = max(share / limits.share, 1 - (1 - share) * limits.share)
    most = min(share * limits.share, 1 - (1 - share) / limits.share)
    if total * min(share, 1 - share) >= limits.requests and not total * least <= one.requests <= total * most:
        said = f"Version {version} got {one.requests} of {total} requests, and was given {share:.0%}: clients repeat their ids, or it keeps requests waiting."
        return Verdict("bad", said)
    if min(one.answered, other.answered) < limits.requests:
        said = f"Version {version} answered {one.answered} requests and the champion {other.answered}; each needs {limits.requests}."
        return Verdict("wait", said)
    if one.failure_rate > other.failure_rate + limits.failure_rate:
        return Verdict("bad", _fails(version, one, other.failure_rate))
    slow, usual = one.seconds, other.seconds
    allowed = max(limits.slower_by, (limits.slower - 1) * usual.quantile(0.1))
    # Three standard errors: a machine that is busy now and then is so for both.
    if slow.mean - usual.mean > max(allowed, 3 * math.sqrt(slow.variance / slow.total + usual.variance / usual.total)):
        said = f"Version {version} takes {_milliseconds(slow.mean)} for a request, and the champion {_milliseconds(usual.mean)} at the same time."
        return Verdict("bad", said)
    distance, meant = _distances(one, other, expected)
    # Of two samples of one distribution, in all but one of a thousand cases (Kolmogorov and Smirnov; requests, since rows of one are alike).
    chance = 1.95 * math.sqrt(1 / one.requests + 1 / other.requests)
    if distance > meant + limits.distance + chance:
        return Verdict("bad", _says_otherwise(version, distance, meant))
    return Verdict(
        "good",
        f"Version {version} had {one.requests} of {total} requests, {one.failed} failed; {_milliseconds(slow.mean)} for one (champion: {_milliseconds(usual.mean)}).",
    )


def differences(log: str | Path, champion: int, version: int, since: datetime.datetime) -> list[float]:
    """Of both answers to one row of one request, absolute, from the server's log since a moment; files that are older are not read."""
    said: dict[int, dict[str, list[float]]] = {champion: {}, version: {}}
    for line in request_log.read(log, since):
        which = line.pop("version", None)
        prediction, _, moment = line.pop("prediction", None), line.pop("role", None), line.pop("time", "")
        if which in said and prediction is not None and datetime.datetime.fromisoformat(moment) >= since:
            said[which].setdefault(repr(line), []).append(prediction)
    # A request that came twice is in there twice, and the order of the two is not known.
    return [
        abs(ours[0] - theirs[0])
        for row, ours in said[version].items()
        if len(ours) == len(theirs := said[champion].get(row, [])) == 1
    ]


def _broken(version: int, one: Did, rate: float, limits: Limits) -> Verdict | None:
    """What is not waited with."""
    if one.no_numbers:
        return Verdict("bad", f"Version {version} gave {one.no_numbers} predictions that are no number.")
    if one.failed >= limits.failures and one.failure_rate > rate + limits.failure_rate:
        return Verdict("bad", _fails(version, one, rate))
    return None


def _fails(version: int, one: Did, rate: float) -> str:
    return f"Version {version} failed for {one.failed} of {one.requests} requests ({one.failure_rate:.1%}), the champion for {rate:.1%}."


def _distances(one: Did, other: Did, expected: Expected) -> tuple[float, float]:
    return one.predictions.distance(other.predictions), expected.distance(one.predictions.bounds)


def _says_otherwise(version: int, distance: float, meant: float) -> str:
    return f"The predictions of version {version} are {distance:.2f} away from the champion's, and {meant:.2f} on the rows of the smoke test."


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
