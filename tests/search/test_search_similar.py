"""Search for what is alike: a document, or a picture, in the place of words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from relance.errors import InputError
from relance.index import Index


def test_like_finds_what_is_alike_and_not_the_document_itself(few: Index) -> None:
    hits = few.search(like="docs/a.md", k=5)
    assert [hit.uri for hit in hits] == ["docs/b.md", "docs/c.md"]
    rows = {row["uri"]: np.array(row["vector"]) for row in few.table().search().limit(None).to_list()}
    cosine = rows["docs/a.md"] @ rows["docs/b.md"]
    assert hits[0].score == pytest.approx(cosine, abs=1e-5)
    assert (hits[0].highlights, hits[0].snippet) == ([], (0, len(hits[0].text)))


def test_a_document_stands_for_the_mean_of_its_chunks_and_costs_nothing(notes: Index) -> None:
    from relance.search.similar import vector_of

    table = notes.table()
    rows = table.search().where("uri = 'docs/weir.md'").select(["vector"]).limit(None).to_list()
    mean = np.mean([np.array(row["vector"]) / np.linalg.norm(row["vector"]) for row in rows], axis=0)
    assert vector_of(table, "docs/weir.md", list) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    hits = notes.search(like="docs/weir.md", k=2, group=True, explain=True)
    assert {hit.uri for hit in hits} == {"docs/harbour.md", "docs/bridge.md"}
    assert hits.explanation is not None
    assert (hits.explanation.query_vector, hits.explanation.model) == ("docs/weir.md", "")


def test_like_can_be_filtered_and_paged(notes: Index) -> None:
    hits = notes.search(like="docs/readings.jsonl#7", k=3, filter="year < 1910")
    assert len(hits) == 3
    assert all(hit.metadata["year"] < 1910 and hit.metadata["year"] != 1907 for hit in hits)
    pages = [
        notes.search(like="docs/readings.jsonl#7", k=4, offset=offset, filter="year < 1910") for offset in (0, 4, 8)
    ]
    assert {hit.metadata["year"] for page in pages for hit in page} == {*range(1900, 1910)} - {1907}
    assert [len(page) for page in pages] == [4, 4, 1]


def test_like_an_unknown_document_names_what_may_be_meant(few: Index) -> None:
    with pytest.raises(InputError, match=r"no document 'docs/a\.mb'.*did you mean 'docs/a\.md'"):
        few.search(like="docs/a.mb")
    with pytest.raises(InputError, match="one of them"):
        few.search("ferry", like="docs/a.md")
    with pytest.raises(InputError, match="rerank needs a query"):
        few.search(like="docs/a.md", rerank="lancedb/mrr")
    nasty = "docs/' OR active --"
    with pytest.raises(InputError, match="no document"):
        few.search(like=nasty)


def test_pictures_are_like_pictures(gallery: Any) -> None:
    for name, colour in {"a": "red", "b": "green", "c": "darkred"}.items():
        gallery.paint(f"pics/{name}.png", colour)
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe lake was calm.\n")
    gallery.write("docs/k.md", "# Lake\n\nA calm lake.\n")
    index = gallery.index()
    index.ingest()
    hits = index.search_media(like="pics/a.png", k=5)
    assert {hit.url for hit in hits} == {"pics/b.png", "pics/c.png"}, "not itself, nor its copy in the table"
    texts, media = index.search_both(like="pics/a.png")
    assert (texts, [hit.url for hit in media]) == ([], [hit.url for hit in hits])
    texts, media = index.search_both(like="docs/j.md")
    assert ([hit.uri for hit in texts], media) == (["docs/k.md"], [])
    with pytest.raises(InputError, match="no document"):
        index.search_both(like="nothing")
    pages = [index.search_media("red", k=1, offset=offset, mode="dense") for offset in range(4)]
    assert [len(page) for page in pages] == [1, 1, 1, 0]
    assert [page.more for page in pages] == [True, True, False, False]
    hit = index.search_media("barn", k=1, mode="full-text", explain=True, filter='url ~ "*a.png"')[0]
    assert [hit.caption[start:end] for start, end in hit.highlights] == ["barn"]
    assert hit.explained.ranks == {"full-text": 1}
    assert json.loads(json.dumps(hit.as_dict())) == hit.as_dict()
