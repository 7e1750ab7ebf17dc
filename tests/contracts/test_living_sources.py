"""What every kind of source promises while its place lives: what stays, what goes, what is embedded, what is said.

A world is a place with documents that a test can change and break; one for each kind, in `worlds`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rows import rows
from worlds import WORLDS, World

from relance.errors import RelanceError
from relance.index import Index

TEXTS = {f"note{number}": f"The note number {number} speaks of pumps." for number in range(6)}


@pytest.fixture(params=WORLDS, ids=lambda kind: kind.__name__)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with request.param.open(request) as world:
        for name, text in TEXTS.items():
            world.put(name, text)
        yield world


@pytest.fixture
def index(world: World) -> Index:
    return world.index()


def texts(index: Index) -> list[str]:
    return sorted(row["text"] for row in rows(index))


def fits(found: list[str], wanted: list[str]) -> bool:
    """Whether the texts of an index are those of a world, which may put a title before each."""
    return len(found) == len(wanted) and all(
        one.endswith(other) for one, other in zip(found, sorted(wanted), strict=True)
    )


def test_everything_is_indexed_and_an_unchanged_run_reads_and_embeds_nothing(world, index, log):
    report = index.ingest()
    assert (report.added, report.failed) == (6, 0)
    assert fits(texts(index), list(TEXTS.values()))
    bought, read = len(log()), world.reads()
    report = index.ingest()
    assert (report.unchanged, report.added, report.changed, report.removed) == (6, 0, 0, 0)
    assert len(log()) == bought
    assert world.reads() == read, "an unchanged run reads no document"


def test_what_is_added_changed_touched_renamed_and_removed_is_followed(world, index, log):
    index.ingest()
    bought = len(log())
    world.put("new", "A new note about valves.")
    world.put("note1", "Note one says something else.")
    world.touch("note2")
    world.rename("note3", "moved")
    world.remove("note4")
    report = index.ingest()
    assert len(log()) == bought + 2, "what is new and what changed; the one that moved has its vector"
    wanted = TEXTS | {"new": "A new note about valves.", "note1": "Note one says something else."}
    del wanted["note4"]
    assert fits(texts(index), list(wanted.values()))
    assert report.failed == 0
    # A place with ids of its own does not notice a new name; a mail with another text is another mail.
    others = 1 + (not world.keeps_names) + world.never_changes
    assert (report.added, report.removed) == (others, others)


def test_one_bad_document_is_one_failure_and_the_others_go_on(world, index):
    if not world.spoil("note5"):
        pytest.skip("no single document of this kind can be bad")
    report = index.ingest()
    assert (report.added, report.failed) == (5, 1)
    (failure,) = report.failures
    assert failure.reason
    assert "\n" not in failure.reason
    assert "Traceback" not in failure.reason


@pytest.mark.parametrize("harm", ["break_listing", "refuse", "leave"])
def test_a_place_that_breaks_off_refuses_or_is_away_loses_nothing(world, index, harm):
    index.ingest()
    before = rows(index)
    world.remove("note0")  # nobody can know
    if not getattr(world, harm)():
        pytest.skip(f"{harm}: cannot happen to this kind")
    try:
        report = world.index().ingest()
    except RelanceError as error:
        said = str(error)
    else:
        assert report.removed == 0
        assert report.failed >= 1
        said = report.failures[0].reason
    assert said
    assert "Traceback" not in said
    assert not any(secret in said for secret in world.secrets)
    assert {row["uri"] for row in rows(index)} == {row["uri"] for row in before}
    world.mend()
    report = world.index().ingest()
    assert (report.removed, report.failed) == (1, 0)


def test_what_appears_while_the_place_is_listed_is_never_removed(world, monkeypatch):
    index = world.index()
    index.ingest()
    kind = world.kind
    whole = kind.list

    def listing(self) -> Iterator:
        for number, found in enumerate(whole(self)):
            yield found
            if number == 0:
                world.put("late", "A note that came late.")

    with monkeypatch.context() as patched:
        patched.setattr(kind, "list", listing)
        assert index.ingest().removed == 0
    index.ingest()
    assert fits(texts(index), [*TEXTS.values(), "A note that came late."])
    assert index.ingest().unchanged == 7


def test_a_change_of_permissions_alone_embeds_nothing_and_counts_at_once(world, log):
    if not world.restrict("note1", ["group:a"]):
        pytest.skip("nothing of this kind says who may read")
    index = world.index(access=True)
    index.ingest()
    bought = len(log())

    def find(*names: str) -> list[str]:
        hits = index.search("The note number 1 speaks", k=10, principals=list(names))
        return [hit.uri for hit in hits]

    restricted = world.uri("note1")
    assert restricted in find("group:a")
    assert restricted not in find("group:b")
    assert restricted not in find()
    assert world.restrict("note1", ["group:b"])
    index.ingest()
    assert len(log()) == bought
    assert restricted in find("group:b")
    assert restricted not in find("group:a")
