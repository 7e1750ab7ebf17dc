"""The event: what it holds, what it bears, and how several become one."""

import contextlib
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relance.errors import InputError
from relance.events import EVENT, Change, merge
from relance.events.change import MAX_BYTES, MAX_URIS

NOW = datetime(2026, 11, 23, tzinfo=UTC)
uris = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
changes = st.builds(
    Change,
    st.just("handbook"),
    st.sampled_from(["", "docs"]),
    st.lists(uris, max_size=6).map(tuple),
    st.lists(uris, max_size=6).map(tuple),
    st.booleans(),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def event(change, own=True):
    return change.as_event(own=own, id=uuid4(), occurred=NOW)


@given(changes, st.booleans())
def test_an_event_read_back_is_the_same_change(change, own):
    assert Change.of_event(json.loads(json.dumps(event(change, own)))) == change


def test_an_event_has_the_documented_form():
    made = Change("handbook", "docs", ("docs/a.md",), ("docs/b.md",)).as_event(own=False, id="1", occurred=NOW)
    assert made == {
        "id": "1",
        "occurred": "2026-11-23T00:00:00+00:00",
        "event": EVENT,
        "resource": {
            "prefect.resource.id": "relance.index.handbook",
            "prefect.resource.name": "handbook",
            "relance.index": "handbook",
            "relance.source": "docs",
            "relance.deployment": "shared",
        },
        "related": [],
        "payload": {
            "index": "handbook",
            "source": "docs",
            "changed": ["docs/a.md"],
            "removed": ["docs/b.md"],
            "everything": False,
        },
    }


@given(changes)
def test_prefect_takes_the_event_as_it_is(change):
    from prefect.events.schemas.events import Event  # noqa: TID251  # what it is for

    taken = Event.model_validate(event(change))
    assert taken.payload["index"] == "handbook"
    assert taken.resource.id == "relance.index.handbook"


@pytest.mark.parametrize("key", ["changed", "removed", "everything"])
@pytest.mark.parametrize("value", [None, "docs/a.md", 3, [3], [["a"]], {}, "missing"])
def test_a_key_that_is_missing_or_malformed_means_everything(key, value):
    made = event(Change("handbook", "", ("docs/a.md",)))
    if value == "missing":
        del made["payload"][key]
    else:
        made["payload"][key] = value
    assert Change.of_event(made) == Change("handbook", everything=True)


@given(anything, anything)
def test_no_payload_is_an_error_as_long_as_an_index_is_named(payload, resource):
    read = Change.of_event({"payload": payload, "resource": {"prefect.resource.id": "relance.index.handbook"}})
    assert read.index == "handbook" or read.index == payload["index"]
    with contextlib.suppress(InputError):
        assert Change.of_event({"payload": payload, "resource": resource}).index


@pytest.mark.parametrize(
    "made", [{}, [], None, "x", {"payload": {"index": ""}}, {"resource": {"prefect.resource.id": "prefect.flow-run.1"}}]
)
def test_an_event_without_index_is_refused(made):
    with pytest.raises(InputError, match="names no index"):
        Change.of_event(made)


def test_too_many_uris_are_everything():
    assert len(Change("a", changed=tuple(f"{n}.md" for n in range(MAX_URIS))).changed) == MAX_URIS
    assert Change("a", changed=tuple(f"{n}.md" for n in range(MAX_URIS + 1))) == Change("a", everything=True)


def test_too_long_uris_are_everything():
    long = tuple(f"{n:04}" + "é" * 60 for n in range(MAX_BYTES // 100))
    assert Change("a", changed=long) == Change("a", everything=True)
    assert Change("a", changed=long[:300]).changed == long[:300]


@pytest.mark.parametrize("uri", ["", "a\0b", "a\ud800b"])
def test_a_uri_that_no_database_keeps_is_everything(uri):
    change = Change("a", changed=("fine", uri))
    assert change == Change("a", everything=True)
    json.dumps(event(change), ensure_ascii=False).encode()


def test_of_a_uri_both_changed_and_removed_the_document_is_looked_at():
    assert Change("a", changed=("x",), removed=("x", "y")) == Change("a", changed=("x",), removed=("y",))


@given(st.lists(changes, min_size=1, max_size=5))
def test_merging_loses_nothing_and_the_last_word_counts(several):
    merged = merge(several)
    assert merged.everything == any(change.everything for change in several)
    last = {}
    for change in several:
        last |= dict.fromkeys(change.changed, True) | dict.fromkeys(change.removed, False)
    if not merged.everything:
        assert {uri for uri, there in last.items() if there} == set(merged.changed)
        assert {uri for uri, there in last.items() if not there} == set(merged.removed)


@given(changes, changes, changes)
@example(Change("a", removed=("0",)), Change("a", changed=("1",)), Change("a", changed=("0",)))
def test_merging_in_steps_is_merging_at_once(a, b, c):
    assert merge([merge([a, b]), c]) == merge([a, b, c])


def test_merging_many_stays_within_bounds():
    merged = merge(Change("a", changed=(f"{n}.md",)) for n in range(3 * MAX_URIS))
    assert merged == Change("a", everything=True)


@pytest.mark.parametrize("several", [[], [Change("a"), Change("b")]])
def test_only_changes_of_one_index_are_merged(several):
    with pytest.raises(ValueError, match="one index"):
        merge(several)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change("a"), "a: nothing"),
        (Change("a", everything=True), "a: everything"),
        (Change("a", changed=("x", "y"), removed=("z",)), "a: 2 changed, 1 removed"),
    ],
)
def test_a_change_says_itself_in_a_few_words(change, words):
    assert str(change) == words
    assert bool(change) == (words != "a: nothing")
