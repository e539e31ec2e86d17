"""What is read from a server's metrics between two looks, and what decides by it."""

from __future__ import annotations

import datetime
import json
import math
import os
import re

import pytest

from operation import canary
from operation.canary import Expected, Limits, Verdict, judge_canary, judge_shadow
from operation.served_metrics import Histogram, Window
from serving import request_log

BOUNDS = (0.1, 0.2, 0.5, math.inf)


def text(started: float = 1.0, **counts: tuple[int, int, float, float]) -> str:
    """Metrics in the server's form (tests/unit/test_operation_release.py reads the real ones).

    Args:
        started: when the server was.
        counts: `champion` is version 3, `challenger` 4: answered, failed, the seconds of each answer, and its prediction.
    """
    lines = ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {started}"]
    for name in ("serving_requests_total", "serving_request_seconds_bucket", "serving_prediction_bucket"):
        for role, (answered, failed, seconds, said) in counts.items():
            version = {"champion": 3, "challenger": 4}[role]
            if name == "serving_requests_total":
                lines.append(f'{name}{{version="{version}",outcome="answered"}} {answered}')
                lines.append(f'{name}{{version="{version}",outcome="failed"}} {failed}')
                continue
            value, of = (seconds, "") if "seconds" in name else (said, f',role="{role}"')
            lines += [
                f'{name}{{version="{version}"{of},le="{"+Inf" if math.isinf(one) else one}"}} {answered * (value <= one)}'
                for one in BOUNDS
            ]
    return "\n".join(lines) + "\n"


def window(**counts: tuple[int, int, float, float]) -> Window:
    made = Window(text(**{role: (0, 0, one[2], one[3]) for role, one in counts.items()}))
    made.add(text(**counts))
    return made


def judged(champion, challenger, share=0.1, expected=Expected((), ()), limits=Limits()) -> Verdict:  # noqa: B008
    return judge_canary(window(champion=champion, challenger=challenger), 3, 4, share, expected, limits)


def test_what_counts_is_what_came_between_the_looks():
    made = Window(text(champion=(100, 7, 0.05, 0.15)))
    made.add(text(champion=(110, 7, 0.05, 0.15)))
    made.add(text(champion=(130, 9, 0.05, 0.15)))
    did = made.did(3, "champion")
    assert (did.answered, did.failed, did.requests, did.failure_rate, made.restarts) == (30, 2, 32, 2 / 32, 0)
    assert did.seconds == Histogram(BOUNDS, (30, 0, 0, 0))
    assert did.predictions == Histogram(BOUNDS, (0, 30, 0, 0))
    assert made.did(4, "challenger").requests == 0


@pytest.mark.parametrize("later", [1.0, 2.0])
def test_after_a_restart_counters_begin_anew_and_what_was_counted_before_stays(later):
    """By the time of the start, or, where that is not told, by a counter that has fallen."""
    made = Window(text(champion=(100, 0, 0.05, 0.15)))
    made.add(text(champion=(140, 0, 0.05, 0.15)))
    made.add(text(later, champion=(5, 1, 0.05, 0.15)))
    made.add(text(later, champion=(8, 1, 0.05, 0.15)))
    assert (made.did(3, "champion").answered, made.did(3, "champion").failed, made.restarts) == (48, 1, 1)


def test_a_quantile_lies_between_the_bounds_of_its_bucket():
    made = Histogram.of([0.05] * 90 + [0.15] * 10, BOUNDS)
    assert made.counts == (90, 10, 0, 0)
    assert made.quantile(0.5) == pytest.approx(0.1 * 50 / 90)
    assert made.quantile(0.95) == pytest.approx(0.15)
    assert Histogram.of([7.0], BOUNDS).quantile(0.95) == 0.5, "beyond the last bound it is not known how far"
    assert math.isnan(Histogram.of([], BOUNDS).quantile(0.5))


def test_mean_and_variance_go_by_the_middles_of_buckets():
    made = Histogram.of([0.02] * 3 + [0.3], BOUNDS)
    assert (made.mean, made.variance) == (pytest.approx(0.125), pytest.approx(3 * 0.075**2 / 4 + 0.225**2 / 4))
    assert Histogram.of([7.0], BOUNDS).mean == 1.0
    assert math.isnan(Histogram.of([], BOUNDS).mean)


def test_a_heavy_version_that_makes_the_champion_slow_as_well_is_told_by_the_difference():
    """As it was measured with one thread for both: the champion waits for the requests of the other."""

    def seconds(*values: float) -> Histogram:
        return Histogram.of(values, BOUNDS)

    made = window(champion=(1000, 0, 0.05, 0.15), challenger=(1000, 0, 0.05, 0.15))
    did = made.did

    def judged_with(champion: Histogram, challenger: Histogram) -> str:
        made.did = lambda version, role: did(version, role)._replace(seconds={3: champion, 4: challenger}[version])
        return judge_canary(made, 3, 4, 0.5, Expected(), Limits()).state

    waiting = seconds(*[0.05] * 300, *[0.3] * 700)
    assert judged_with(waiting, seconds(*[0.3] * 300, *[0.9] * 700)) == "bad"
    assert judged_with(waiting, seconds(*[0.05] * 280, *[0.3] * 720)) == "good"
    # The same difference between few requests of a busy machine is chance.
    few = Limits(requests=10)
    made.did = lambda version, role: did(version, role)._replace(
        seconds={3: seconds(*[0.05] * 7, *[0.9] * 4), 4: seconds(*[0.05] * 6, *[0.9] * 5)}[version]
    )
    assert judge_canary(made, 3, 4, 0.5, Expected(), few).state == "good"


def test_the_distance_of_two_distributions_is_the_largest_difference_of_their_shares():
    one = Histogram.of([0.05] * 5 + [0.3] * 5, BOUNDS)
    assert one.distance(Histogram.of([0.05] * 50 + [0.3] * 50, BOUNDS)) == 0
    assert one.distance(Histogram.of([0.15] * 7, BOUNDS)) == 0.5
    assert math.isnan(one.distance(Histogram.of([], BOUNDS)))


@pytest.mark.parametrize(
    ("champion", "challenger", "state", "reason"),
    [
        ((1800, 0, 0.05, 0.15), (200, 0, 0.05, 0.15), "good", "had 200 of 2000 requests, 0 failed"),
        ((1800, 0, 0.05, 0.15), (199, 0, 0.05, 0.15), "wait", "199 requests and the champion 1800; each needs 200"),
        ((180, 0, 0.05, 0.15), (220, 0, 0.05, 0.15), "wait", "the champion 180; each needs 200"),
        # Two failures may be chance; a third ends it, however few requests there were.
        ((20, 0, 0.05, 0.15), (5, 2, 0.05, 0.15), "wait", "answered 5 requests"),
        ((20, 0, 0.05, 0.15), (5, 3, 0.05, 0.15), "bad", r"3 of 8 requests \(37.5%\), the champion for 0.0%"),
        ((1800, 0, 0.05, 0.15), (250, 2, 0.05, 0.15), "good", "252 of 2052 requests, 2 failed"),
        ((1800, 0, 0.05, 0.15), (210, 3, 0.05, 0.15), "bad", "failed for 3 of 213"),
        # What fails for the champion as often is no fault of the challenger; and where nothing is answered, nothing is known.
        ((1800, 90, 0.05, 0.15), (200, 10, 0.05, 0.15), "good", "10 failed"),
        ((0, 1800, 0.05, 0.15), (0, 200, 0.05, 0.15), "wait", "answered 0 requests and the champion 0"),
        ((1800, 0, 0.05, 0.15), (200, 0, 0.4, 0.15), "bad", "takes 350 ms for a request, and the champion 50 ms at"),
        ((1800, 0, 0.15, 0.15), (200, 0, 0.4, 0.15), "good", r"350 ms for one \(champion: 150 ms\)"),
        ((1800, 0, 0.05, 0.15), (200, 0, 0.05, 0.4), "bad", "are 1.00 away from the champion's"),
        ((4000, 0, 0.05, 0.15), (150, 0, 0.05, 0.15), "bad", "got 150 of 4150 requests, and was given 10%"),
        ((1800, 0, 0.05, 0.15), (600, 0, 0.05, 0.15), "bad", "got 600 of 2400 requests"),
    ],
)
def test_a_canary_is_judged_by_the_champion_of_the_same_time(champion, challenger, state, reason):
    found = judged(champion, challenger, expected=Expected([0.15] * 10, [0.15] * 10))
    assert found.state == state
    assert re.search(reason, found.reason), found.reason


def test_a_difference_that_the_examples_showed_is_no_fault():
    told = {"champion": (1800, 0, 0.05, 0.15), "challenger": (200, 0, 0.05, 0.4)}
    assert judged(*told.values(), expected=Expected([0.15] * 9, [0.4] * 9)).state == "good"
    assert judged(*told.values(), expected=Expected()).state == "good", "nothing is known of what to expect"


def test_a_large_share_is_judged_too():
    assert judged((1000, 0, 0.05, 0.15), (1000, 0, 0.05, 0.15), 0.5).state == "good"
    assert judged((400, 0, 0.05, 0.15), (1600, 0, 0.05, 0.15), 0.5).state == "bad"
    assert judged((1600, 0, 0.05, 0.15), (400, 0, 0.05, 0.15), 0.5).state == "bad"


def shadowed(answered: int, failed: int = 0, dropped: int = 0, no_numbers: int = 0) -> Window:
    buckets = "".join(
        f'serving_prediction_bucket{{version="{version}",role="{role}",le="+Inf"}} {answered}\n'
        for version, role in ((3, "champion"), (4, "shadow"))
    )
    made = Window("")
    made.add(
        f'serving_shadow_requests_total{{version="4",outcome="answered"}} {answered}\n'
        f'serving_shadow_requests_total{{version="4",outcome="failed"}} {failed}\n'
        f"serving_shadow_dropped_total {dropped}\n"
        f'serving_predictions_no_number_total{{version="4",role="shadow"}} {no_numbers}\n' + buckets
    )
    return made


@pytest.mark.parametrize(
    ("made", "differences", "state", "reason"),
    [
        (shadowed(200), None, "good", "as shadow answered 200 requests"),
        (shadowed(199), None, "wait", "was asked 199 of 200 requests"),
        (shadowed(10, failed=3), None, "bad", "failed for 3 of 13 requests"),
        (shadowed(10, no_numbers=1), None, "bad", "gave 1 predictions that are no number"),
        (shadowed(50, dropped=201), None, "bad", "cannot follow: 201 requests went without it"),
        (shadowed(200), [0.06] * 200, "good", "as shadow answered"),
        (shadowed(200), [0.08] * 200, "bad", "are 0.080 apart on live requests, and 0.020 on the rows of the smoke"),
        (shadowed(200), [0.0] * 99, "wait", "The log has both answers to 99 of 200 requests"),
    ],
)
def test_a_shadow_is_judged_by_its_answers_to_the_same_requests(made, differences, state, reason):
    found = judge_shadow(made, 3, 4, Expected((0.10, 0.20), (0.12, 0.18)), Limits(), differences)
    assert found.state == state
    assert reason in found.reason


def test_both_answers_to_a_request_are_found_in_the_log(tmp_path):
    """A request that came twice, one without the other answer, one that is no number, and lines of before are left out."""
    since = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def line(request_id, version, prediction, at=since, **key):
        head = {"time": at.isoformat(), "id": request_id, "version": version, "role": "x"}
        return head | key | {"prediction": prediction}

    before = since - datetime.timedelta(seconds=1)
    lines = [
        *(line("a", 3, 0.1, day=1), line("a", 3, 0.2, day=2), line("a", 4, 0.4, day=2), line("a", 4, 0.15, day=1)),
        *(line("b", 3, 0.1), line("c", 4, 0.9), line("d", 3, 0.1), line("d", 4, None)),
        *(line("e", 3, 0.1), line("e", 3, 0.1), line("e", 4, 0.5), line("e", 4, 0.5)),
        *(line("f", 3, 0.1, before), line("f", 4, 0.9, before), line("g", 5, 0.9)),
    ]
    log = tmp_path / "log"
    log.write_text("".join(json.dumps(one) + "\n" for one in lines))
    assert sorted(canary.differences(log, 3, 4, since)) == pytest.approx([0.05, 0.2])
    (tmp_path / "log.1").write_text("no JSON, and not read, since it is older\n")
    os.utime(tmp_path / "log.1", (0, 0))
    assert len(canary.differences(log, 3, 4, since)) == 2
    with pytest.raises(ValueError, match="Expecting value"):
        list(request_log.read(log))


def test_values_that_are_all_in_one_bucket_do_not_vary():
    for count in range(1, 60):
        assert 0 <= Histogram((0.001, 0.002, 0.003, math.inf), (0, count, 0, 0)).variance < 1e-12
