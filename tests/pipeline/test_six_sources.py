"""One index over eight kinds of sources at once: exactly what changed in each is embedded, and one may be away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from by_hand import by_hand
from rows import rows
from worlds import (
    BucketWorld,
    DeltaWorld,
    MaildirWorld,
    PostgresWorld,
    RepositoryWorld,
    SiteWorld,
    TreeWorld,
    WikiWorld,
    World,
    declared,
)  # fmt: skip

from relance.index import Index

KINDS: list[type[World]] = [
    TreeWorld, BucketWorld, SiteWorld, RepositoryWorld, PostgresWorld, DeltaWorld, MaildirWorld, WikiWorld,
]  # fmt: skip
NOTES = 3


@pytest.fixture
def worlds(request: pytest.FixtureRequest) -> Iterator[dict[str, World]]:
    with ExitStack() as opened:
        found = {kind.__name__: opened.enter_context(kind.open(request)) for kind in KINDS}
        for place, world in found.items():
            for number in range(NOTES):
                world.put(f"note{number}", f"The note {number} of {place} speaks of pumps.")
        yield found


def over(worlds: dict[str, World]) -> Index:
    """Declare the index over all of them."""
    folder = next(iter(worlds.values())).folder
    return declared(folder, [world.section() for world in worlds.values()])


def reads(worlds: dict[str, World]) -> dict[str, int]:
    return {place: world.reads() for place, world in worlds.items()}


def uris(index: Index) -> set[str]:
    return {row["uri"] for row in rows(index)}


def changed(place: str) -> str:
    return f"This note of {place} says something else."


def test_exactly_what_changed_in_each_is_embedded(worlds, log):
    index = over(worlds)
    report = index.ingest()
    assert (report.added, report.failed) == (NOTES * len(worlds), 0)
    assert uris(index) == {world.uri(f"note{number}") for world in worlds.values() for number in range(NOTES)}
    bought = len(log())
    assert bought == report.added

    for place, world in worlds.items():
        world.put("note1", changed(place))
    report = index.ingest()
    assert report.failed == 0
    assert (report.changed, report.added, report.removed) == (len(worlds) - 1, 1, 1), "a mail never changes: it goes"
    found = sorted(text.removeprefix("# A page\n\n") for text in log()[bought:])
    assert found == sorted(map(changed, worlds))

    before, bought = reads(worlds), len(log())
    report = index.ingest()
    assert report.unchanged == NOTES * len(worlds)
    assert (report.added, report.changed, report.removed, report.failed) == (0, 0, 0, 0)
    assert reads(worlds) == before
    assert len(log()) == bought


@pytest.mark.parametrize(
    ("place", "harm"),
    [("BucketWorld", "leave"), ("PostgresWorld", "leave"),
     *by_hand(("SiteWorld", "leave"), ("RepositoryWorld", "refuse"), ("DeltaWorld", "break_listing"), ("WikiWorld", "leave"))],
)  # fmt: skip
def test_while_one_is_away_the_others_go_on_and_nothing_of_it_is_removed(worlds, log, place, harm):
    index = over(worlds)
    index.ingest()
    bought = len(log())
    away = worlds[place]
    gone = away.uri("note0")
    for world in worlds.values():
        world.remove("note0")  # of the one that is away nobody can know
    others = {name: world for name, world in worlds.items() if name != place}
    for name, world in others.items():
        world.put("note1", changed(name))
    assert getattr(away, harm)()
    report = over(worlds).ingest()
    assert report.failed == 1
    assert sorted(text.removeprefix("# A page\n\n") for text in log()[bought:]) == sorted(map(changed, others))
    left = {world.uri(f"note{number}") for world in others.values() for number in (1, 2)}
    assert uris(index) == left | {gone} | {away.uri(f"note{number}") for number in (1, 2)}

    away.mend()
    bought = len(log())
    report = over(worlds).ingest()
    assert (report.removed, report.added, report.changed, report.failed) == (1, 0, 0, 0)
    assert uris(index) == left | {away.uri(f"note{number}") for number in (1, 2)}
    assert len(log()) == bought
