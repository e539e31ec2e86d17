"""The ML Test Score: 28 tests in four sections, of which the lowest sum is the score."""

from __future__ import annotations

from course import rubric


def test_there_are_four_sections_of_seven_tests():
    assert {section: len(tests) for section, tests in rubric.RUBRIC.items()} == dict.fromkeys(
        ("data", "model", "infrastructure", "monitoring"), 7
    )


def test_points_are_none_half_or_one_and_four_are_the_readers():
    points = [one.points for tests in rubric.RUBRIC.values() for one in tests]
    assert set(points) == {None, 0.0, rubric.BY_HAND, rubric.AUTOMATIC}
    assert points.count(None) == 4


def test_points_of_the_reader_count_in_their_section():
    before, after = rubric.ml_test_score(), rubric.ml_test_score({"data 2": 0.5, "model 6": 1.0})
    assert {name: after[name] - before[name] for name in before} == {
        "data": 0.5,
        "model": 1.0,
        "infrastructure": 0.0,
        "monitoring": 0.0,
    }


def test_points_for_a_test_that_is_judged_already_do_not_count():
    assert rubric.ml_test_score({"data 1": 0.0}) == rubric.ml_test_score()


def test_table_has_each_test_and_a_question_mark_for_those_of_the_reader():
    text = repr(rubric.rubric())
    assert all(one.name in text for tests in rubric.RUBRIC.values() for one in tests)
    assert text.count("?") == 4
