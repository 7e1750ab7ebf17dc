"""What a burst of reports means, with a clock that stands still unless moved."""

import pytest

from relance.config import IndexSpec
from relance.events import Change
from relance.events.burst import ADDED, DELETED, Burst
from relance.events.watched import watched_folders


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def burst(tmp_path, docs, clock):
    spec = IndexSpec.model_validate(
        {"name": "notes", "sources": [{"type": "files", "root": "docs"}], "folder": tmp_path}
    )
    (source,) = watched_folders(spec)
    source.learn_folders()
    return Burst(spec, [source], quiet_s=1.0, longest_s=5.0, clock=clock)


def test_it_is_due_after_quiet_and_after_long_enough(burst, clock, docs):
    assert not burst.is_due()
    for _ in range(50):
        burst.add([(ADDED, str(docs / "a.md"))])
        assert burst.is_due() == (clock.now >= 105)
        clock.now += 0.9
        if burst.is_due():
            break
    assert clock.now == pytest.approx(105.4)
    burst.take()
    assert not burst.is_due()
    burst.add([(ADDED, str(docs / "a.md"))])
    clock.now += 1.0
    assert burst.is_due()


def test_a_new_folder_is_looked_at_again_until_it_must_be_watched(burst, clock, docs):
    (docs / "new").mkdir()
    (docs / "new" / "a.md").write_text("x")
    burst.add([(ADDED, str(docs / "new"))])
    assert burst.take() == Change("notes", "docs", ("docs/new/a.md",))
    (docs / "new" / "b.md").write_text("x")  # before the folder was watched: nobody reports it
    clock.now += 1.0
    assert burst.is_due()
    assert burst.take() == Change("notes", "docs", ("docs/new/a.md", "docs/new/b.md"))
    clock.now += 100
    assert not burst.is_due()


def test_what_was_below_a_folder_that_went_away_is_forgotten(burst, docs):
    burst.add([(DELETED, str(docs / "a.md"))])
    burst.forget(burst.sources[0])
    assert not burst.take()


@pytest.mark.parametrize(
    ("name", "kinds", "removed"),
    [
        ("a.md", [DELETED], True),
        ("a.md", [ADDED, DELETED], True),  # it may have been there before both
        ("#a.md", [ADDED, DELETED], False),
        ("#a.md", [DELETED], True),
    ],
)
def test_only_what_came_and_went_by_the_name_of_a_draft_is_no_removal(burst, docs, name, kinds, removed):
    burst.add([(kind, str(docs / name)) for kind in kinds])
    assert burst.take().removed == ((f"docs/{name}",) if removed else ())
