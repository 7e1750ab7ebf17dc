"""Recommendations: like what was liked, unlike what was disliked, new, and of several kinds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from relance.analysis.history import Liked, read_history
from relance.analysis.recommend import diversify, preference, recommend
from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.search.similar import vector_of

TOPICS = {
    "river": "river gauge water level flood",
    "winter": "winter battery snow heater sun",
    "office": "office leave travel canteen lunch",
}


@pytest.fixture
def index(make_index: Callable[..., Index], docs: Path) -> Index:
    """Six documents of each of three topics, two words apart."""
    for topic, words in TOPICS.items():
        for at in range(6):
            (docs / f"{topic}{at}.md").write_text(f"{words} only{topic}{at} {topic}{at % 3}", encoding="utf-8")
    index = make_index()
    index.ingest()
    return index


def topics(found: Any) -> list[str]:
    return [each.uri.removeprefix("docs/")[:-4] for each in found.items]


def test_what_is_like_the_liked_comes_first_and_what_was_seen_never(index: Index) -> None:
    found = recommend(index, [Liked("docs/river0.md"), Liked("docs/river1.md")], k=4, diversity=0)
    assert topics(found) == ["river"] * 4
    assert not {each.uri for each in found.items} & {"docs/river0.md", "docs/river1.md"}
    assert {each.because for each in found.items} <= {"docs/river0.md", "docs/river1.md"}
    assert (found.liked, found.disliked, found.unknown) == (2, 0, [])
    json.dumps(found.as_dict())


def test_each_of_several_interests_gets_its_share(index: Index) -> None:
    found = recommend(index, [Liked("docs/river0.md"), Liked("docs/winter0.md")], k=6, diversity=0)
    assert set(topics(found)) == {"river", "winter"}
    for each in found.items:  # and each says which of them it is for
        assert each.because[:9] == each.uri[:9]


def test_what_is_like_the_disliked_goes_down(index: Index) -> None:
    liked = [Liked("docs/river0.md"), Liked("docs/winter0.md")]
    assert "winter" in topics(recommend(index, liked, k=5, diversity=0))
    less = [*liked, Liked("docs/winter1.md", weight=-1)]
    assert topics(recommend(index, less, k=5, diversity=0)) == ["river"] * 5


def test_what_was_liked_long_ago_counts_less(index: Index) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    history = [Liked("docs/river0.md", when=now - timedelta(days=300)), Liked("docs/winter0.md", when=now)]
    found = recommend(index, history, k=5, diversity=0, half_life_days=10, now=now)
    assert topics(found) == ["winter"] * 5
    turned = recommend(index, history, k=5, diversity=0, half_life_days=1e9, now=now)
    assert set(topics(turned)) == {"river", "winter"}


def test_age_counts_unless_it_is_told_not_to(index: Index) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    history = [Liked("docs/river0.md", when=now - timedelta(days=3000)), Liked("docs/winter0.md", when=now)]
    assert topics(recommend(index, history, k=5, diversity=0, now=now)) == ["winter"] * 5
    for off in (0, None):
        found = recommend(index, history, k=5, diversity=0, half_life_days=off, now=now)
        assert set(topics(found)) == {"river", "winter"}


def test_after_90_days_an_entry_counts_half(index: Index) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    aged = [Liked("docs/river0.md", when=now - timedelta(days=90)), Liked("docs/winter0.md")]
    half = [Liked("docs/river0.md", weight=0.5), Liked("docs/winter0.md")]
    scores = [[each.score for each in recommend(index, history, now=now).items] for history in (aged, half)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_what_is_older_than_any_number_can_tell_still_counts_where_it_is_all(index: Index) -> None:
    found = recommend(index, [Liked("docs/river0.md", when=datetime(1, 1, 1))], k=3, half_life_days=0.01, diversity=0)  # noqa: DTZ001  # no zone is UTC
    assert topics(found) == ["river"] * 3


def test_a_long_document_does_not_crowd_out_the_others(index: Index, docs: Path) -> None:
    sections = [f"# Part {n}\n\nriver gauge water level flood part{n}\n" for n in range(1200)]
    (docs / "long.md").write_text("\n".join(sections), encoding="utf-8")
    index.ingest()
    chunks = index.table().count_rows("uri = 'docs/long.md'")
    assert chunks > 3 * 50, "more than are looked at at first"
    found = recommend(index, [Liked(text="river gauge water level flood")], k=8, diversity=0)
    assert len(found.items) == 8
    assert {f"docs/river{n}.md" for n in range(3)} < {each.uri for each in found.items}


def test_weight_does_what_age_does(index: Index) -> None:
    found = recommend(index, [Liked("docs/river0.md", weight=0.0001), Liked("docs/winter0.md")], k=5, diversity=0)
    assert topics(found) == ["winter"] * 5


def test_diversity_brings_in_other_kinds(index: Index) -> None:
    liked = [Liked("docs/river0.md")]
    assert topics(recommend(index, liked, k=4, diversity=0)) == ["river"] * 4
    assert len(set(topics(recommend(index, liked, k=4, diversity=0.9)))) > 1


def test_copies_of_what_was_seen_and_of_each_other_are_left_out(index: Index, docs: Path) -> None:
    for name, of in [("copy", "river0"), ("twin", "river1")]:
        (docs / f"{name}.md").write_text((docs / f"{of}.md").read_text(encoding="utf-8"), encoding="utf-8")
    index.ingest()
    uris = [each.uri for each in recommend(index, [Liked("docs/river0.md")], k=20).items]
    assert "docs/copy.md" not in uris
    assert len({"docs/twin.md", "docs/river1.md"} & set(uris)) == 1


def test_an_interest_in_words_and_a_condition(index: Index) -> None:
    found = recommend(index, [Liked(text="snow heater in winter")], k=3, diversity=0)
    assert topics(found) == ["winter"] * 3
    assert found.items[0].because == "snow heater in winter"
    found = recommend(index, [Liked(text="snow heater in winter")], k=3, where="uri LIKE 'docs/office%'")
    assert topics(found) == ["office"] * 3


def test_unknown_uris_are_told_and_only_fatal_when_nothing_is_left(index: Index) -> None:
    found = recommend(index, [Liked("docs/river0.md"), Liked("docs/nope.md")])
    assert found.unknown == ["docs/nope.md"]
    with pytest.raises(InputError, match=r"nothing liked that index 'notes' holds; .* 'docs/nope.md'"):
        recommend(index, [Liked("docs/nope.md")])
    with pytest.raises(InputError, match="nothing liked"):
        recommend(index, [Liked("docs/river0.md", weight=-1)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k must be between"),
        ({"diversity": 1.5}, "diversity must be between 0 and 1"),
        ({"half_life_days": -1}, "half-life must be 0 days or more"),
        ({"level": "chunks"}, "not chunks"),
        ({"where": "nope = 1"}, "the condition is not understood.*nope"),
        ({"filter": "year >"}, r"the filter is not understood.*\n  year >\n"),
    ],
)
def test_wrong_options_are_one_sentence(index: Index, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        recommend(index, [Liked("docs/river0.md")], **options)


def test_a_filter_and_a_condition_are_both_kept(index: Index) -> None:
    liked = [Liked("docs/river0.md")]
    found = recommend(index, liked, k=20, filter='uri ~ "docs/river*"', where="uri <> 'docs/river1.md'")
    assert {each.uri for each in found.items} == {f"docs/river{n}.md" for n in (2, 3, 4, 5)}


def test_a_misspelled_uri_is_told_what_may_be_meant(index: Index) -> None:
    liked = [Liked("docs/river0.md"), Liked("docs/rivre1.md"), Liked("winter2.md"), Liked("€")]
    found = recommend(index, liked, k=1)
    assert found.unknown == ["docs/rivre1.md", "winter2.md", "€"]
    assert found.hints == {
        "docs/rivre1.md": "did you mean 'docs/river1.md'?",
        "winter2.md": "did you mean 'docs/winter2.md'?",
    }
    with pytest.raises(InputError, match=r"not have 'winter2.md' \(did you mean 'docs/winter2.md'\?\)"):
        recommend(index, [Liked("winter2.md")])


def test_a_long_history_is_looked_up_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    reading = recommend.__globals__["read_points"]
    monkeypatch.setitem(recommend.__globals__, "read_points", lambda *a, **b: asked.append(b) or reading(*a, **b))
    history = [Liked(f"docs/nowhere{n}.md") for n in range(2500)] + [Liked("docs/river0.md"), Liked("docs/it's.md")]
    found = recommend(index, history, k=3, diversity=0)
    assert topics(found) == ["river"] * 3
    assert len(found.unknown) == 2501
    assert len(asked) == 3 + 1, "1,000 uris at a time, and the candidates"


def test_everything_was_seen(index: Index, docs: Path) -> None:
    seen = [Liked(f"docs/{path.name}") for path in docs.iterdir()]
    assert recommend(index, seen).items == []


points = arrays(np.float32, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(-1, 1, width=16))


@given(points, st.integers(1, 15), st.floats(0, 1))
def test_diversify_takes_each_once_and_never_two_alike(vectors: np.ndarray, k: int, diversity: float) -> None:
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    score = vectors[:, 0].astype(float)
    chosen = diversify(vectors, score, k=k, diversity=diversity)
    assert len(chosen) == len(set(chosen)) <= k
    for at, place in enumerate(chosen):
        assert all(vectors[place] @ vectors[other] < 0.98 for other in chosen[:at])
    if diversity < 1:
        assert score[chosen[0]] == score.max()


@given(arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=16)), st.integers(0, 5))
def test_a_candidate_nearer_to_all_that_is_liked_never_scores_less(near: np.ndarray, at: int) -> None:
    weights = np.array([1.0, 0.5, 0.1])
    near[at] = np.minimum(near.max(axis=0) + 0.01, 1)
    assert preference(near, weights)[at] >= preference(near, weights).max() - 1e-9


def test_histories_are_read_from_both_kinds_of_file(tmp_path: Path) -> None:
    lines = [
        {"uri": "a", "weight": 2},
        {"uri": "b", "rating": 1, "when": "2026-01-01"},
        {"text": "words", "when": "2026-01-01T12:00:00+01:00"},
    ]
    (tmp_path / "h.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (tmp_path / "h.csv").write_text(
        "uri,text,weight,rating,when\na,,2,,\nb,,,1,2026-01-01\n,words,,,2026-01-01T12:00:00+01:00\n", encoding="utf-8"
    )
    expected = [
        Liked("a", weight=2),
        Liked("b", weight=-1, when=datetime(2026, 1, 1, tzinfo=UTC)),
        Liked(text="words", when=datetime(2026, 1, 1, 11, tzinfo=UTC)),
    ]
    assert read_history(tmp_path / "h.jsonl") == read_history(tmp_path / "h.csv") == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", r"h.jsonl:2: is no entry"),
        ('{"uri": "a", "wieght": 1}', "unknown field 'wieght'"),
        ('{"uri": "a", "weight": "much"}', "h.jsonl:2: the weight must be a number, got 'much'"),
        ('{"uri": "a", "weight": NaN}', "must be a number"),
        ('{"uri": "a", "weight": true}', "must be a number, got True"),
        ('{"uri": "a", "weight": [1]}', "must be a number"),
        ('{"uri": "a", "rating": 7}', "a rating is 1 to 5 stars, got 7"),
        ('{"uri": "a", "rating": "NaN"}', "a rating is 1 to 5 stars"),
        ('{"uri": "a", "rating": 5, "weight": 1}', "a weight or a rating, not both"),
        ('{"uri": "a", "when": "yesterday"}', "when must be a date such as 2026-01-31.*, got 'yesterday'"),
        ('{"uri": null}', "a uri or a text"),
        ('{"weight": 1}', "a uri or a text"),
        ('{"uri": "a", "text": "b"}', "one of them"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "h.jsonl").write_text(f'{{"uri": "a"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        read_history(tmp_path / "h.jsonl")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("uri,weight\na,1\nx,1,3\n", r"h.csv:3: has more cells than there are columns \(uri, weight\)"),
        ("uri,rating\na,5\nb,0\n", "h.csv:3: a rating is 1 to 5 stars, got 0"),
    ],
)
def test_a_wrong_row_is_told_by_its_number(tmp_path: Path, lines: str, words: str) -> None:
    (tmp_path / "h.csv").write_text(lines, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        read_history(tmp_path / "h.csv")


def test_what_is_no_csv(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text(f"uri\n{'x' * 2_000}\n", encoding="utf-8")
    before = csv.field_size_limit(1_000)
    try:
        with pytest.raises(ConfigurationError, match=r"h.csv:\d: is no CSV: field larger"):
            read_history(tmp_path / "h.csv")
    finally:
        csv.field_size_limit(before)


def test_null_is_missing(tmp_path: Path) -> None:
    (tmp_path / "h.jsonl").write_text('{"uri": "a", "text": null, "weight": null, "when": null}', encoding="utf-8")
    assert read_history(tmp_path / "h.jsonl") == [Liked("a")]


def test_a_history_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_history(tmp_path / "nope.csv")


def test_on_the_command_line(index: Index, declare: Callable[..., Path], run: Run) -> None:
    spec = declare(store={"uri": index.spec.store.uri})

    def said(*arguments: str | Path) -> tuple[int, str]:
        ran = run("recommend", spec, *arguments)
        return ran.code, ran.out + ran.err

    code, out = said(
        "--liked", "docs/river0.md=2", "--disliked", "docs/winter0.md", "--liked", "docs/a=b.md", "-k", "2"
    )
    assert code == 0
    assert "because of docs/river0.md" in out
    assert "docs/a=b.md is not in the index" in out
    code, out = said("--liked", "docs/river0.md", "--liked", "river7.md", "-k", "9", "--filter", 'uri ~ "*river1.md"')
    assert code == 0
    assert "river7.md is not in the index; did you mean 'docs/river" in out
    assert (out.count("because of"), "1. docs/river1.md" in out) == (1, True)
    code, out = said("--liked", "docs/river0.md", "--half-life", "-1")
    assert (code, "the half-life must be 0 days or more" in out) == (2, True)
    code, out = said("--interest", "snow in winter", "-k", "2", "--json")
    assert [each["uri"][:11] for each in json.loads(out)["items"]] == ["docs/winter"] * 2
    code, out = said()
    assert code == 2
    assert out.startswith("relance: there is no history; name documents with --liked")


def test_pictures(make_index: Callable[..., Index], docs: Path, vision: dict[str, Any]) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra media is not installed")
    for name, left, right in [
        ("a", "red", "red"),
        ("b", "red", "orange"),
        ("c", "blue", "blue"),
        ("d", "blue", "green"),
    ]:
        picture = image.new("RGB", (24, 16), left)
        picture.paste(right, (12, 0, 24, 16))
        picture.save(docs / f"{name}.png")
    index = make_index(media=vision)
    index.ingest()
    found = recommend(index, [Liked("docs/a.png")], level="media", k=4, diversity=0)
    urls = [each.url for each in found.items]
    assert urls[0] == "docs/b.png"
    assert set(urls[1:]) == {"docs/c.png", "docs/d.png"}
    (docs / "note.md").write_text("a note", encoding="utf-8")
    copied = docs / "again" / "b.png"
    copied.parent.mkdir()
    copied.write_bytes((docs / "b.png").read_bytes())
    index.ingest()
    found = recommend(index, [Liked("docs/b.png")], level="media", k=4)
    assert {each.url for each in found.items} == {"docs/a.png", "docs/c.png", "docs/d.png"}
    with pytest.raises(InputError, match=r"'docs/a.png' \(it is an image or a video; use level media\)"):
        recommend(index, [Liked("docs/a.png")])
    with pytest.raises(InputError, match="it is a text; use level documents"):
        recommend(index, [Liked("docs/note.md")], level="media")
    with pytest.raises(InputError, match=r"no document 'docs/aa.png' in this index; did you mean 'docs/a.png'"):
        vector_of(index.table(), "docs/aa.png", lambda: [index.table(), index.table(media=True)])
