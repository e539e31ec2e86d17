"""The checks of the sample lesson's exercises."""

from __future__ import annotations

from collections.abc import Callable

from course import exercises


@exercises.check("late", title="Late flights", todo="Set `late` to the list of delays above 15 minutes.")
def late(late: object) -> str:
    if not isinstance(late, list):
        raise exercises.Wrong(f"`late` is {late!r}; it has to be a list of delays, in minutes.")
    if late != [25]:
        raise exercises.Wrong("A flight is late above 15 minutes: look at which delays your list keeps.")
    return "One of three flights arrives more than 15 minutes late."


@exercises.check(
    "longest", title="The longest delay", todo="Let `longest` return the longest of the delays that it is given."
)
def longest(longest: Callable[[list[int]], int]) -> str:
    if (found := longest([7, 3])) != 7:
        raise exercises.Wrong(f"`longest([7, 3])` returns {found}. Look for the function of Python that compares.")
    if (found := longest([3, 7])) != 7:
        raise exercises.Wrong(f"`longest([3, 7])` returns {found}: the longest is not always the first.")
    return "Whatever the order, the longest delay is found."


@exercises.check(
    "shares", title="Shares", todo="Set `early` to the count of flights in time, and `shares` to a share by state."
)
def shares(early: object, shares: dict[str, float]) -> str:
    if early != 2:
        raise exercises.Wrong(f"`early` is {early}: count the flights that are at most 15 minutes late.")
    if round(shares["late"], 2) != 0.33:
        raise exercises.Wrong(f"`shares['late']` is {shares['late']}: divide by all flights, late or not.")
    return "The two shares add up to 1."
