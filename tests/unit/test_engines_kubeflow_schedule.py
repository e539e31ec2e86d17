"""Times for Kubeflow's calendar: what is understood, in words and as Kubeflow reads it, and what is refused."""

from __future__ import annotations

import pytest

from engines.kubeflow import schedule


@pytest.mark.parametrize(
    ("text", "cron", "words"),
    [
        (" Monthly ", "0 0 6 1 * *", "on the 1st of each month at 06:00 UTC"),
        ("weekly", "0 0 6 * * 1", "every Monday at 06:00 UTC"),
        ("daily", "0 0 6 * * *", "every day at 06:00 UTC"),
        ("0 6 1 * *", "0 0 6 1 * *", "on the 1st of each month at 06:00 UTC"),
        ("0\t6  2,3,11 * *", "0 0 6 2,3,11 * *", "on the 2nd, 3rd and 11th of each month at 06:00 UTC"),
        ("0 6 31 * *", "0 0 6 31 * *", "on the 31st of each month that has it at 06:00 UTC"),
        ("0 0 29 FEB *", "0 0 0 29 2 *", "on the 29th of February at 00:00 UTC"),
        ("30 5 * * mon-wed", "0 30 5 * * 1,2,3", "every Monday, Tuesday and Wednesday at 05:30 UTC"),
        ("0 6 * * 7", "0 0 6 * * 0", "every Sunday at 06:00 UTC"),
        ("0 6 * * 6-7", "0 0 6 * * 0,6", "every Sunday and Saturday at 06:00 UTC"),
        ("0 6 1 */3 *", "0 0 6 1 1,4,7,10 *", "on the 1st of January, April, July and October at 06:00 UTC"),
        ("0 6-18/6 * 1 *", "0 0 6,12,18 * 1 *", "every day in January at 06:00, 12:00 and 18:00 UTC"),
        ("5 * * * *", "0 5 * * * *", "every day at minute 5 of each hour, UTC"),
        ("0 6 1-31 1-12 0-7", "0 0 6 * * *", "every day at 06:00 UTC"),
    ],
)
def test_five_fields_become_six_and_words(text, cron, words):
    """The first of Kubeflow's fields is for seconds, and its Sunday is 0 only: robfig/cron 1.2.0."""
    assert schedule.parse(text) == schedule.Schedule(cron, words)
    assert schedule.words(cron) == words


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 0 6 1 * *", "six fields"),
        ("@monthly", "no schedule"),
        ("@every 1h", "no schedule"),
        ("yearly", "no schedule"),
        ("", "no schedule"),
        ("0 6 1 *", "no schedule"),
        ("TZ=UTC 6 1 * *", "minute"),
        ("* 6 1 * *", "once an hour"),
        ("*/15 * * * *", "once an hour"),
        ("60 6 1 * *", "from 0 to 59"),
        ("0 24 1 * *", "from 0 to 23"),
        ("0 6 0 * *", "from 1 to 31"),
        ("0 6 32 * *", "from 1 to 31"),
        ("0 6 1 13 *", "from 1 to 12"),
        ("0 6 * * 8", "from 0 to 7"),
        ("0 6 5-1 * *", "smaller number first"),
        ("0 6 L * *", "understood"),
        ("0 6 ? * *", "understood"),
        ("0 6 1W * *", "understood"),
        ("0 6 5/10 * *", "understood"),
        ("0 6 */0 * *", "understood"),
        ("0 6 *-5 * *", "understood"),
        ("0 6 1, * *", "understood"),
        ("0 6 -1 * *", "understood"),
        ("0 6 1.5 * *", "understood"),
        ("0 \uff16 1 * *", "understood"),
        ("0 6 * * monday", "understood"),
        ("0 6 * mon *", "understood"),
        ("0 6 1 * 1", "whichever comes"),
        ("0 6 30 2 *", "February has no day 30"),
        ("0 6 31 3,4 *", "April has no day 31"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_to_write(text, why):
    with pytest.raises(schedule.ScheduleError, match=why) as refused:
        schedule.parse(text)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 6 1 * *", "every day at 01:06 UTC"),
        ("0 0 6 1 * *", "on the 1st of each month at 06:00 UTC"),
        ("@monthly", "@monthly"),
        ("* * * * * *", "* * * * * *"),
        ("", ""),
    ],
)
def test_a_cron_of_kubeflows_is_told_as_kubeflow_reads_it(cron, words):
    """Five fields begin with seconds, too, and then have no day of the week."""
    assert schedule.words(cron) == words
