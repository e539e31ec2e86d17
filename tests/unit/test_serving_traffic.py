"""The traffic file: what it says, what it may not say, and that it is written whole."""

from __future__ import annotations

import json

import pytest

from serving import traffic
from serving.traffic import Traffic, TrafficError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "serving").mkdir()
    return tmp_path / "serving"


def test_what_is_written_is_read_and_lies_beside_the_folder(folder):
    wanted = Traffic(champion=3, challenger=4, share=0.25, shadow=5)
    file = traffic.write(folder, wanted)
    assert file == folder.parent / "traffic.json"
    assert traffic.read(folder) == wanted
    assert [path.name for path in folder.parent.iterdir() if path != folder] == ["traffic.json"]


def test_without_a_file_nothing_is_said(folder):
    assert traffic.read(folder) is None
    traffic.write(folder, Traffic(1))
    traffic.write(folder, None)
    traffic.write(folder, None)
    assert traffic.read(folder) is None


def test_a_file_that_cannot_be_moved_into_place_leaves_the_one_before(folder, monkeypatch):
    traffic.write(folder, Traffic(1))

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(traffic.os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        traffic.write(folder, Traffic(2))
    assert traffic.read(folder) == Traffic(1)
    assert len(list(folder.parent.iterdir())) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("\udcff", "no JSON"),
        ("[]", "no champion is named"),
        ("3", "no champion is named"),
        ("{}", "no champion is named"),
        ('{"champion": null}', "champion is None"),
        ('{"champion": "3"}', "champion is 3. Write the number"),
        ('{"champion": true}', "champion is True"),
        ('{"champion": -1}', "champion is -1"),
        ('{"champion": 3, "challenger": 4.5, "share": 0.1}', "challenger is 4.5"),
        ('{"champion": 3, "shadow": []}', "shadow is []"),
        ('{"champion": 3, "challenger": 4, "share": 1.5}', "share is 1.5. Write a number from 0 to 1."),
        ('{"champion": 3, "challenger": 4, "share": NaN}', "share is nan"),
        ('{"champion": 3, "challenger": 4, "share": "10%"}', "share is 10%"),
        ('{"champion": 3, "challenger": 4, "share": true}', "share is True"),
        ('{"champion": 3, "share": 0.5}', "Name a challenger"),
        ('{"champion": 3, "canary": 4}', "canary is unknown; there are champion, challenger, share, shadow"),
        ('{"champion": "' + "x" * 5000 + '"}', "champion is xxx"),
    ],
)
def test_a_file_that_cannot_be_followed_is_refused_with_its_name_and_a_sentence(text, said, folder):
    traffic.path(folder).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TrafficError) as refused:
        traffic.read(folder)
    assert str(refused.value).startswith(f"{traffic.path(folder)}: ")
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(folder))


def test_the_same_id_gets_the_same_version_and_shares_are_kept():
    ids = [f"request-{number}" for number in range(10_000)]
    tenth = [Traffic(1, 2, 0.1).choose(one) for one in ids]
    assert tenth == [Traffic(1, 2, 0.1).choose(one) for one in ids]
    assert 950 < tenth.count("challenger") < 1050
    # Who had the challenger at a tenth keeps it when its share grows.
    half = [Traffic(1, 2, 0.5).choose(one) for one in ids]
    assert 4900 < half.count("challenger") < 5100
    assert all(later == "challenger" for first, later in zip(tenth, half, strict=True) if first == "challenger")


def test_a_share_of_nothing_or_all_is_that():
    ids = [f"{number}" for number in range(500)]
    assert {Traffic(1, 2, 0.0).choose(one) for one in ids} == {"champion"}
    assert {Traffic(1, 2, 1.0).choose(one) for one in ids} == {"challenger"}
    assert {Traffic(1).choose(one) for one in [*ids, "\udcff", ""]} == {"champion"}
    assert Traffic(1, 2, 1).choose("\udcff") == "challenger"


def test_a_version_that_has_two_roles_is_named_by_the_one_that_answers_most():
    assert Traffic(1, 2, 0.5, 3).versions == {1: "champion", 2: "challenger", 3: "shadow"}
    assert Traffic(1, 1, 0.5, 1).versions == {1: "champion"}


def test_the_file_is_as_the_text_of_the_module_shows_it(folder):
    traffic.write(folder, Traffic(champion=3, challenger=4, share=0.1, shadow=5))
    assert json.dumps(json.loads(traffic.path(folder).read_text())) in (traffic.__doc__ or "")
