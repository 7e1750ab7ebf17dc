"""A page of hits as a list, as an Arrow table and as a data frame."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from relance.errors import ConfigurationError
from relance.index import Index
from relance.search import Hit, Hits
from relance.search.media import MediaHit

Make = Callable[..., Index]

SPAN = pa.list_(pa.int64(), 2)
# What docs/search.md says of the columns: programs of other people rely on it.
TEXTS = {
    "uri": pa.string(), "title": pa.string(), "heading_path": pa.list_(pa.string()), "text": pa.string(),
    "start": pa.int64(), "end": pa.int64(), "score": pa.float64(), "page": pa.int64(),
    "page_end": pa.int64(), "seq": pa.int64(),
    "media_type": pa.string(), "metadata": pa.string(), "lead": pa.string(), "id": pa.string(),
    "line": pa.int64(), "line_end": pa.int64(), "link": pa.string(), "highlights": pa.list_(SPAN),
    "snippet": SPAN, "further": pa.int64(), "chunks": pa.string(), "relevance": pa.float64(), "found_by": pa.list_(pa.string()),
    "explained": pa.string(),
}  # fmt: skip
MEDIA = {
    "uri": pa.string(), "url": pa.string(), "kind": pa.string(), "title": pa.string(), "caption": pa.string(),
    "heading_path": pa.list_(pa.string()), "width": pa.int64(), "height": pa.int64(), "duration_s": pa.float64(),
    "score": pa.float64(), "media_type": pa.string(), "metadata": pa.string(), "also": pa.list_(pa.string()),
    "id": pa.string(), "last_seen": pa.string(), "moment_s": pa.float64(), "moment_end_s": pa.float64(),
    "highlights": pa.list_(SPAN), "relevance": pa.float64(), "found_by": pa.list_(pa.string()), "explained": pa.string(),
}  # fmt: skip


@pytest.fixture
def index(make_index: Make, docs: Path) -> Index:
    (docs / "ferry.md").write_text(
        "---\nyear: 2021\ntags: [船, ferry]\n---\n# Ferry\n\nThe ferry leaves at noon, and at six in the evening from May to September.\n\n## Fares\n\nA ferry costs two.\n",
        encoding="utf-8",
    )
    (docs / "bare.md").write_text("A river.\n", encoding="utf-8")
    index = make_index(chunking={"strategy": "markdown", "max_tokens": 16})
    index.ingest()
    return index


def test_a_table_has_a_row_for_each_hit(index: Index) -> None:
    hits = index.search("ferry", group=True, explain=True)
    table = hits.to_arrow()
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == TEXTS
    assert [row["uri"] for row in table.to_pylist()] == [hit.uri for hit in hits] != []
    first, hit = table.to_pylist()[0], hits[0]
    assert (first["score"], first["heading_path"], first["page"]) == (hit.score, hit.heading_path, None)
    assert json.loads(first["metadata"]) == hit.metadata
    assert hit.metadata["tags"] == ["船", "ferry"]
    assert "船" in first["metadata"], "as it was written, not as an escape"
    assert [tuple(span) for span in first["highlights"]] == hit.highlights != []
    assert tuple(first["snippet"]) == hit.snippet
    assert [each["text"] for each in json.loads(first["chunks"])] == [each.text for each in hit.chunks] != []
    assert json.loads(first["explained"])["ranks"] == hits[0].explained.ranks  # type: ignore[union-attr]
    assert index.search("ferry").to_arrow()["explained"].null_count == len(index.search("ferry"))


@pytest.mark.parametrize(("kind", "columns"), [(Hit, TEXTS), (MediaHit, MEDIA)])
def test_an_empty_page_has_the_same_columns(kind: Any, columns: dict[str, pa.DataType]) -> None:
    table = Hits(kind).to_arrow()
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == columns
    assert list(Hits(kind).to_pandas().columns) == list(columns) == [each.name for each in dataclasses.fields(kind)]
    assert Hits(kind).to_list() == []


def test_a_search_without_hits_keeps_its_columns(index: Index) -> None:
    assert index.search("ferry", filter='uri = "nothing"').to_arrow().schema == index.search("ferry").to_arrow().schema


def test_pictures_are_a_table_too(gallery: Any) -> None:
    gallery.paint("pics/a.png", "red")
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe lake was calm.\n")
    index = gallery.index()
    index.ingest()
    texts, media = index.search_both("barn")
    table = media.to_arrow()
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == MEDIA
    assert table.to_pylist()[0]["also"] == media[0].also != []
    _, none = index.search_both(like="docs/j.md")
    assert (len(none), none.to_arrow().schema) == (0, table.schema)
    texts, _ = index.search_both(image=str(gallery.folder / "pics/a.png"))
    assert (len(texts), dict(zip(texts.to_arrow().schema.names, texts.to_arrow().schema.types, strict=True))) == (
        0,
        TEXTS,
    )


def test_plain_dictionaries_are_ready_for_json(index: Index) -> None:
    hits = index.search("ferry", explain=True, group=True)
    plain = hits.to_list()
    assert plain == [hit.as_dict() for hit in hits]
    assert json.loads(json.dumps(plain)) == plain
    assert (plain[0]["metadata"]["year"], plain[0]["metadata"]["tags"]) == (2021, ["船", "ferry"])


def test_a_data_frame_has_the_columns_of_the_table(index: Index) -> None:
    hits = index.search("ferry")
    frame = hits.to_pandas()
    assert list(frame.columns) == list(TEXTS)
    assert frame["uri"].tolist() == [hit.uri for hit in hits]
    assert (frame["score"].dtype, frame["seq"].dtype) == ("float64", "int64")


def test_without_pandas_it_is_said_how_to_have_it(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match=r"^to_pandas\(\) needs pandas: pip install pandas$"):
        index.search("ferry").to_pandas()
