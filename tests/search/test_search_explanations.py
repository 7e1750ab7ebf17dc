"""Why a hit is where it is: its place in every list, and which index served."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from relance.index import Index
from relance.search import Mode
from relance.search.fusion import fused
from relance.store import open_store
from relance.store.maintain import maintain
from relance.store.maintenance import MaintenanceLimits

Make = Callable[..., Index]


def test_a_fused_hit_tells_its_place_in_every_list(notes: Index) -> None:
    hits = notes.search("dry ferry reading", k=20, explain=True, filter="year > 1910")
    told = hits.explanation
    assert told is not None
    assert (told.mode, told.table, told.version) == ("hybrid", notes.table().name, notes.table().version)
    assert told.indexes == {"sparse": "exact", "full-text": "FTS", "dense": "exact"}
    assert "json_get_float" in str(told.where)
    assert told.seconds.keys() == {"embed", "search"}
    lists = {mode: {hit.id: (rank, hit.score) for rank, hit in enumerate(notes.search("dry ferry reading", k=190, mode=mode, filter="year > 1910"), start=1)}
             for mode in get_args(Mode) if mode != "hybrid"}  # fmt: skip
    merged = dict(fused({way: [(name, score) for name, (_, score) in found.items()] for way, found in lists.items()}))
    for hit in hits:
        assert hit.explained is not None
        assert hit.explained.fused == hit.score
        assert hit.score == pytest.approx(merged[hit.id], abs=1e-4)
        scores = {"dense": hit.explained.cosine, "full-text": hit.explained.bm25, "sparse": hit.explained.sparse}
        assert {way for way, score in scores.items() if score is not None} == hit.explained.ranks.keys()
        for way, rank in hit.explained.ranks.items():
            assert scores[way] == lists[way][hit.id][1]
            assert way == "full-text" or rank == lists[way][hit.id][0], "in full text, many are equal"
    assert json.loads(json.dumps(told.as_dict())) == told.as_dict()


def test_a_search_that_is_not_asked_for_reasons_gives_none(notes: Index) -> None:
    hits = notes.search("ferry", k=2)
    assert hits.explanation is None
    assert hits[0].explained is None


def test_an_index_that_served_is_named(make_index: Make, docs: Path) -> None:
    lines = [{"id": i, "text": f"number{i} of the words word{i % 7} word{i % 11}"} for i in range(400)]
    (docs / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    index.ingest()
    maintain(index.spec, open_store(index.spec), limits=MaintenanceLimits(vector_index_rows=300))
    hits = index.search("word3 of number17", explain=True)
    assert hits.explanation is not None
    assert hits.explanation.indexes.keys() == {"full-text", "dense"}
    assert "RQ" in hits.explanation.indexes["dense"].upper()
    assert index.search("word3 of number17", mode="full-text", explain=True).explanation.query_vector == ""  # type: ignore[union-attr]


def test_rows_that_moved_while_they_were_found_are_read_all_the_same(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody compacts the table between the finding and the reading: rows have other places then."""
    from relance.search import hybrid_query

    index = make_index()
    for i in range(6):
        (docs / f"{i}.md").write_text(f"The ferry number {i}.", encoding="utf-8")
        index.ingest()
    (docs / "0.md").unlink()
    index.ingest()
    expected = [(hit.uri, hit.text) for hit in index.search("ferry number", k=10)]
    best = hybrid_query.HybridQuery.best

    def moved(self: Any, *arguments: Any) -> Any:
        found = best(self, *arguments)
        index.table().optimize()
        return found

    monkeypatch.setattr(hybrid_query.HybridQuery, "best", moved)
    assert [(hit.uri, hit.text) for hit in index.search("ferry number", k=10)] == expected
    assert len(expected) == 5
