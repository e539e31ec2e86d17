"""The picture of MLOpsPython beside this course: each box is drawn with both, and the alt text says the same."""

from __future__ import annotations

from alt_text import alt

from course.figures import delivery


def test_each_box_says_what_azure_has_and_what_is_here():
    figure = delivery.mlopspython()
    drawn, words = {text.get_text() for text in figure.axes[0].texts}, alt(figure)
    for boxes in delivery.PIPELINES.values():
        for box in boxes:
            assert set(box) <= drawn
            assert all(one in words for one in box)


def test_words_stay_in_their_boxes():
    figure = delivery.mlopspython()
    figure.canvas.draw()
    widths = [text.get_window_extent().width / figure.dpi * 100 for text in figure.axes[0].texts]
    names = {one for boxes in delivery.PIPELINES.values() for box in boxes for one in box}
    for text, width in zip(figure.axes[0].texts, widths, strict=True):
        assert text.get_text() not in names or width < delivery._WIDTH - 6, text.get_text()
