"""The drawn scenes that pictures are retrieved from: the same every time, and graded by what they show."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from benchmarks.scenes import Question, Scene, alike, draw, questions, relevance, scenes, write

from relance.evaluation import read_dataset

KITE = Scene("s0", 2, "red", "kite", "beach", "rain")


def test_the_same_seed_makes_and_draws_the_same() -> None:
    known = scenes(40)
    assert known == scenes(40) != scenes(40, seed=8)
    assert known == scenes(60)[:40]
    drawn = [hashlib.sha256(draw(scene).tobytes()).hexdigest() for scene in known[:10]]
    assert drawn == [hashlib.sha256(draw(scene).tobytes()).hexdigest() for scene in known[:10]]
    assert len(set(drawn)) == 10


def test_captions_say_in_two_languages_what_there_is() -> None:
    assert KITE.caption == "two red kites on the beach in the rain"
    assert KITE.caption_zh == "雨天的沙滩上有两只红色的风筝"
    beside = Scene("s1", 1, "orange", "house", "meadow", "night", "tree")
    assert beside.caption == "an orange house beside a white tree on the meadow at night"
    assert beside.caption_zh == "夜晚的草地上有一座橙色的房子，旁边有一棵白色的树"


@pytest.mark.parametrize(
    ("wanted", "grade"),
    [([("colour", "red"), ("thing", "kite")], 2), ([("colour", "blue"), ("thing", "kite")], 1),
     ([("colour", "red"), ("thing", "ball")], 0), ([("count", 3), ("colour", "blue"), ("thing", "kite")], 0),
     ([("thing", "kite"), ("place", "beach"), ("weather", "sun")], 1)],
)  # fmt: skip
def test_a_scene_is_graded_by_the_conditions_it_meets(wanted: list[tuple], grade: int) -> None:
    assert relevance(tuple(wanted), KITE) == grade


def test_pictures_are_alike_by_thing_colour_and_place() -> None:
    assert alike(KITE, Scene("x", 4, "red", "kite", "beach", "sun")) == 2
    assert alike(KITE, Scene("x", 2, "red", "kite", "lake", "rain")) == 1
    assert alike(KITE, Scene("x", 2, "red", "ball", "beach", "rain")) == 0


def test_every_question_has_a_full_answer_in_both_languages() -> None:
    known = scenes()
    asked = questions(known)
    assert {(one.language, len(one.wanted)) for one in asked} == {(each, n) for each in ("en", "zh") for n in (2, 3)}
    assert all(any(relevance(one.wanted, scene) == 2 for scene in known) for one in asked)
    assert len({one.words for one in asked}) == len(asked)
    first = asked[0]
    assert isinstance(first, Question)
    assert all(
        relevance(first.wanted, scene) == relevance(twin.wanted, scene) for twin in asked[1:2] for scene in known
    )


def test_the_set_is_written_as_others_read_it(tmp_path: Path) -> None:
    write(tmp_path, scenes(30))
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 30
    assert (tmp_path / "scenes.csv").read_text(encoding="utf-8").count("\n") == 31
    asked, grades = read_dataset(tmp_path)
    assert set(grades) <= set(asked)
    assert {grade for each in grades.values() for grade in each.values()} == {1, 2}
