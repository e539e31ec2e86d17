"""Excerpts of long files."""

from __future__ import annotations

import yaml

from course.excerpt import excerpt


def test_the_order_stays_and_long_texts_are_cut() -> None:
    text = excerpt({"b": "x" * 30, "a": [1, None, {"c": "two\n  lines"}]}, width=10)
    assert yaml.safe_load(text) == {"b": "xxxxxxx...", "a": [1, None, {"c": "two lines"}]}
    assert text.index("b:") < text.index("a:")


def test_names_stand_in_before_a_text_is_cut() -> None:
    assert excerpt({"uri": "/a/long/folder/model"}, width=12, names={"/a/long/folder": "RUN"}) == "uri: RUN/model"


def test_a_text_is_a_text() -> None:
    assert excerpt("image 'a': no", 20) == "image 'a': no"
    assert excerpt("a longer  text", 10) == "a longe..."


def test_equal_parts_are_written_out() -> None:
    part = {"pvcMount": [1]}
    assert "&" not in excerpt({"a": part, "b": part})
