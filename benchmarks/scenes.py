"""A retrieval set of pictures: some hundred drawn scenes with captions in English and Chinese, and graded questions.

    uv run --group dev python benchmarks/scenes.py FOLDER

writes `pictures/*.png`, `scenes.csv` (id, url, caption, caption_zh), and the questions in BEIR format, as `relance
evaluate` reads them. The same seed draws the same bytes, so nothing of it is kept in the repository.

A scene is a place, a weather, and one to four things of a kind in one colour, sometimes with another thing beside them.
A picture answers a question fully (2) that it meets in every condition, and partly (1) where one condition fails and
the thing that was asked for is there.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw

__all__ = ["Question", "Scene", "draw", "questions", "relevance", "scenes", "write"]

SIZE = 192
COLOURS = {"red": ("红色", "#d92b2b"), "yellow": ("黄色", "#f5d020"), "green": ("绿色", "#1f9a3d"),
           "blue": ("蓝色", "#2456d6"), "purple": ("紫色", "#8a35c9"), "white": ("白色", "#fafafa"),
           "black": ("黑色", "#111111"), "orange": ("橙色", "#f08a1d")}  # fmt: skip
# Ground, and the colours that cannot be told from it.
PLACES = {"beach": ("沙滩", "#ecd28a"), "meadow": ("草地", "#6fbf4a"), "street": ("街道", "#8d8d8d"),
          "snow field": ("雪地", "#f3f6fa"), "lake": ("湖面", "#3f86d8")}  # fmt: skip
WEATHERS = {"sun": ("晴天", "#8ec9f5"), "rain": ("雨天", "#9aa3ad"), "night": ("夜晚", "#0e1430")}
PREPOSITIONS = {"sun": "in the sun", "rain": "in the rain", "night": "at night"}
THINGS = {"ball": ("球", "个"), "house": ("房子", "座"), "tree": ("树", "棵"), "car": ("汽车", "辆"),
          "boat": ("船", "艘"), "kite": ("风筝", "只"), "umbrella": ("雨伞", "把")}  # fmt: skip
NUMBERS = {1: ("a", "一"), 2: ("two", "两"), 3: ("three", "三"), 4: ("four", "四")}
Field = Literal["count", "colour", "thing", "place", "weather"]
# What questions ask for; each as often as the others.
FORMS: tuple[tuple[Field, ...], ...] = (("colour", "thing"), ("thing", "place"), ("count", "colour", "thing"),
                                        ("colour", "thing", "place"), ("thing", "place", "weather"),
                                        ("colour", "thing", "weather"))  # fmt: skip


@dataclass(slots=True, frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        beside: another thing, in white; empty for none.
    """

    id: str
    count: int
    colour: str
    thing: str
    place: str
    weather: str
    beside: str = ""

    @property
    def caption(self) -> str:
        """In English."""
        more = f" beside {_article('white ' + self.beside)}" if self.beside else ""
        return f"{_phrase(self.count, self.colour, self.thing)}{more} on the {self.place} {PREPOSITIONS[self.weather]}"

    @property
    def caption_zh(self) -> str:
        """In Chinese."""
        more = f"，旁边有一{THINGS[self.beside][1]}白色的{THINGS[self.beside][0]}" if self.beside else ""
        words, unit = THINGS[self.thing]
        return (f"{WEATHERS[self.weather][0]}的{PLACES[self.place][0]}上有{NUMBERS[self.count][1]}{unit}"
                f"{COLOURS[self.colour][0]}的{words}{more}")  # fmt: skip


@dataclass(slots=True, frozen=True)
class Question:
    """Words, and what a scene has to be."""

    id: str
    words: str
    language: Literal["en", "zh"]
    wanted: tuple[tuple[Field, str | int], ...]


def scenes(count: int = 300, *, seed: int = 7) -> list[Scene]:
    """Make up different scenes; the same arguments give the same ones."""
    dice = random.Random(seed)
    made: dict[tuple[object, ...], Scene] = {}
    while len(made) < count:
        place, thing, colour = (dice.choice(list(each)) for each in (PLACES, THINGS, COLOURS))
        weather = dice.choice(list(WEATHERS))
        if _hidden(colour, place) or (colour == "black" and weather == "night") or not _belongs(thing, place):
            continue
        beside = dice.choice(list(THINGS)) if dice.random() < 0.25 else ""
        beside = "" if beside == thing or place == "snow field" or colour == "white" else beside
        beside = beside if beside and _belongs(beside, place) else ""
        facts = (dice.choice((1, 1, 2, 3, 4)), colour, thing, place, weather, beside)
        made.setdefault(facts, Scene(f"s{len(made):03}", *facts))
    return list(made.values())


def questions(known: list[Scene], *, each: int = 6, seed: int = 11) -> list[Question]:
    """Ask about scenes that there are, in both languages: `each` questions of every form."""
    dice = random.Random(seed)
    asked: dict[tuple[tuple[Field, str | int], ...], None] = {}
    for form in FORMS:
        wanted = len(asked) + each
        while len(asked) < wanted:
            scene = dice.choice(known)
            asked.setdefault(tuple((field, getattr(scene, field)) for field in form))
    made = []
    for number, conditions in enumerate(asked):
        facts = dict(conditions)
        made.append(Question(f"{number:02}en", _english(facts), "en", conditions))
        made.append(Question(f"{number:02}zh", _chinese(facts), "zh", conditions))
    return made


def relevance(wanted: tuple[tuple[Field, str | int], ...], scene: Scene) -> int:
    """Grade a scene: 2 meets every condition, 1 all but one, with the thing that was asked for."""
    missed = [field for field, value in wanted if getattr(scene, field) != value]
    return 2 if not missed else int(len(missed) == 1 and missed != ["thing"])


def alike(one: Scene, other: Scene) -> int:
    """Grade a picture for another one: 2 shows the same things in the same colour and place, 1 all but one of these."""
    wanted: tuple[Field, ...] = ("colour", "thing", "place")
    return relevance(tuple((field, getattr(one, field)) for field in wanted), other)


def draw(scene: Scene) -> Image.Image:
    """Draw a scene; where things stand follows from its id."""
    dice = random.Random(scene.id)
    image = Image.new("RGB", (SIZE, SIZE), WEATHERS[scene.weather][1])
    pen = ImageDraw.Draw(image)
    horizon = SIZE // 2 + dice.randint(-12, 12)
    pen.rectangle((0, horizon, SIZE, SIZE), fill=_dimmed(PLACES[scene.place][1], scene))
    if scene.weather == "sun":
        pen.ellipse((SIZE - 34, 8, SIZE - 10, 32), fill="#ffe04a")
    if scene.weather == "rain":
        for _ in range(40):
            x, y = dice.randrange(SIZE), dice.randrange(SIZE)
            pen.line((x, y, x - 3, y + 9), fill="#c9d3de")
    things = [(scene.thing, COLOURS[scene.colour][1])] * scene.count
    things += [(scene.beside, COLOURS["white"][1])] if scene.beside else []
    wide = SIZE // max(2, len(things))
    for place, (thing, colour) in enumerate(things):
        side = min(wide - 8, 56) * dice.uniform(0.85, 1.0)
        left = (SIZE - wide * len(things)) / 2 + place * wide + (wide - side) / 2
        lift = dice.uniform(40, 60) if thing == "kite" else dice.uniform(-22, -6)
        DRAWN[thing](pen, left, max(6.0, horizon - side - lift), side, colour)
    return image


def write(folder: Path, known: list[Scene]) -> None:
    """Write the pictures, the table of captions and the questions with their grades."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for scene in known:
        draw(scene).save(folder / "pictures" / f"{scene.id}.png")
    with (folder / "scenes.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "url", "caption", "caption_zh"])
        rows.writerows([each.id, f"pictures/{each.id}.png", each.caption, each.caption_zh] for each in known)
    (folder / "qrels").mkdir(exist_ok=True)
    with (
        (folder / "queries.jsonl").open("w", encoding="utf-8") as asked,
        (folder / "qrels" / "test.tsv").open("w", encoding="utf-8") as graded,
    ):
        graded.write("query-id\tcorpus-id\tscore\n")
        for question in questions(known):
            row = {"_id": question.id, "text": question.words, "language": question.language}
            asked.write(json.dumps(row, ensure_ascii=False) + "\n")
            grades = ((scene.id, relevance(question.wanted, scene)) for scene in known)
            graded.writelines(f"{question.id}\t{scene}\t{grade}\n" for scene, grade in grades if grade)


def _hidden(colour: str, place: str) -> bool:
    """Whether a thing of this colour cannot be told from the ground."""
    return (colour, place) in {("yellow", "beach"), ("orange", "beach"), ("green", "meadow"), ("white", "snow field"),
                               ("blue", "lake")}  # fmt: skip


def _belongs(thing: str, place: str) -> bool:
    return thing in {"ball", "kite", "umbrella", "boat"} if place == "lake" else thing != "boat"


def _dimmed(colour: str, scene: Scene) -> tuple[int, ...]:
    light = 0.55 if scene.weather == "night" else 1.0
    return tuple(round(int(colour[at : at + 2], 16) * light) for at in (1, 3, 5))


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _phrase(count: int, colour: str, thing: str) -> str:
    words = f"{colour} {thing}".strip()
    return _article(words) if count == 1 else f"{NUMBERS[count][0]} {words}s"


def _english(facts: dict[Field, str | int]) -> str:
    words = _phrase(int(facts.get("count", 1)), str(facts.get("colour", "")), str(facts["thing"]))
    place = f" on the {facts['place']}" if "place" in facts else ""
    weather = f" {PREPOSITIONS[str(facts['weather'])]}" if "weather" in facts else ""
    return words + place + weather


def _chinese(facts: dict[Field, str | int]) -> str:
    words, unit = THINGS[str(facts["thing"])]
    count = f"{NUMBERS[int(facts['count'])][1]}{unit}" if "count" in facts else ""
    colour = f"{COLOURS[str(facts['colour'])][0]}的" if "colour" in facts else ""
    place = f"{PLACES[str(facts['place'])][0]}上的" if "place" in facts else ""
    weather = f"{WEATHERS[str(facts['weather'])][0]}里" if "weather" in facts else ""
    return weather + place + count + colour + words


Drawn = Callable[[ImageDraw.ImageDraw, float, float, float, str], None]


def _ball(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    pen.ellipse((x, y, x + side, y + side), fill=colour)


def _house(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    pen.rectangle((x + side * 0.1, y + side * 0.4, x + side * 0.9, y + side), fill=colour)
    pen.polygon([(x, y + side * 0.4), (x + side / 2, y), (x + side, y + side * 0.4)], fill="#6b3f22")
    pen.rectangle((x + side * 0.42, y + side * 0.65, x + side * 0.58, y + side), fill="#3a2415")


def _tree(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    pen.rectangle((x + side * 0.43, y + side * 0.7, x + side * 0.57, y + side), fill="#6b3f22")
    pen.polygon([(x + side * 0.1, y + side * 0.75), (x + side / 2, y), (x + side * 0.9, y + side * 0.75)], fill=colour)


def _car(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    pen.rectangle((x, y + side * 0.55, x + side, y + side * 0.85), fill=colour)
    pen.rectangle((x + side * 0.25, y + side * 0.32, x + side * 0.75, y + side * 0.55), fill=colour)
    for wheel in (0.14, 0.64):
        pen.ellipse((x + side * wheel, y + side * 0.74, x + side * (wheel + 0.24), y + side * 0.98), fill="#1a1a1a")


def _boat(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    hull = [(x, y + side * 0.7), (x + side, y + side * 0.7), (x + side * 0.8, y + side), (x + side * 0.2, y + side)]
    pen.polygon(hull, fill=colour)
    pen.polygon(
        [(x + side * 0.5, y), (x + side * 0.5, y + side * 0.66), (x + side * 0.9, y + side * 0.66)], fill=colour
    )


def _kite(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    middle, wings = x + side / 2, y + side * 0.35
    corners = [(middle, y), (x + side * 0.85, wings), (middle, y + side * 0.8), (x + side * 0.15, wings)]
    pen.polygon(corners, fill=colour)
    pen.line((middle, y + side * 0.8, middle + side * 0.2, y + side * 1.3), fill="#555555", width=2)


def _umbrella(pen: ImageDraw.ImageDraw, x: float, y: float, side: float, colour: str) -> None:
    pen.pieslice((x, y, x + side, y + side), 180, 360, fill=colour)
    pen.line((x + side / 2, y + side / 2, x + side / 2, y + side), fill="#333333", width=3)


DRAWN: dict[str, Drawn] = {"ball": _ball, "house": _house, "tree": _tree, "car": _car, "boat": _boat, "kite": _kite,
                           "umbrella": _umbrella}  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[1]), scenes())
