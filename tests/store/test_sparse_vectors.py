"""Sparse vectors in the chunks table, beside dense ones or alone, and through a whole run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedded_documents import EmbeddedDocument, chunk_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.config import EmbeddingSpec
from relance.documents import Chunk, Document, digest
from relance.embedding.providers import ModelInfo, Reply
from relance.embedding.providers.fake import FakeHash
from relance.embedding.sparse import Sparse, from_arrow, search_sparse
from relance.index import Index
from relance.store import Store, schemas
from relance.store.chunks import ChunkTable

Make = Callable[..., Index]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sparse_of(text: str) -> Sparse:
    """Weigh the words of a text."""
    words = text.lower().split()
    return Sparse.of([int(digest(word, size=3), 16) for word in words], [1.0] * len(words))


def written(uri: str, texts: list[str], dimension: int) -> EmbeddedDocument:
    whole, chunks, at = " ".join(texts), [], 0
    for text in texts:
        chunks.append(Chunk(at, at + len(text), len(text.split())))
        at += len(text) + 1
    dense = np.array([np.full(dimension, len(text) + 1) for text in texts], np.float32).reshape(len(texts), dimension)
    return EmbeddedDocument(Document(uri, whole, "text/plain", "h"), chunks, dense, [sparse_of(text) for text in texts])


def sparse_by_text(table: Any) -> dict[str, Sparse | None]:
    found = table.search().where("active").select(["text", "sparse"]).limit(None).to_arrow()
    return dict(zip(found["text"].to_pylist(), from_arrow(found["sparse"].combine_chunks()), strict=True))


@pytest.fixture(params=[4, 0], ids=["both", "alone"])
def chunks(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An empty chunks table with sparse vectors, with dense ones beside them or without."""
    schema = schemas.chunks(request.param, {}, sparse=True)
    return ChunkTable(Store(str(tmp_path / "db"), storage_options={}, api_key=""), "t", schema)


def width(chunks: Any) -> int:
    schema = chunks.create().schema
    return schema.field("vector").type.list_size if "vector" in schema.names else 0


def put(chunks: Any, documents: dict[str, list[str]], *, known: list[str] | None = None) -> None:
    each = [written(uri, texts, width(chunks)) for uri, texts in documents.items()]
    ids = [written(uri, [], 0).document.id for uri in known or []]
    chunks.replace(chunk_rows(each, chunks.schema), known=ids, run_id="r", now=NOW)


def test_chunks_come_back_with_their_own_sparse_vectors(chunks: Any, request: pytest.FixtureRequest) -> None:
    put(chunks, {"a": ["one two", "three"], "b": ["four five six"]})
    assert sparse_by_text(chunks.table) == {text: sparse_of(text) for text in ("one two", "three", "four five six")}
    assert ("vector" in chunks.table.schema.names) == ("both" in request.node.name)


def test_replacing_a_document_replaces_its_sparse_vectors_and_leaves_no_tombstone(chunks: Any) -> None:
    put(chunks, {"a": ["one", "two", "three"], "b": ["four"]})
    before = chunks.version
    put(chunks, {"a": ["two", "changed"]}, known=["a"])
    assert chunks.table.count_rows() == 3, "also who scans the table with plain LanceDB finds none"
    assert sparse_by_text(chunks.table) == {text: sparse_of(text) for text in ("two", "changed", "four")}
    # Of the two commits the first is whole: who reads it finds tombstones by scanning alone.
    between = chunks.table
    between.checkout(before + 1)
    dead = between.search().where("active = false").select(["sparse"]).limit(None).to_arrow()
    assert from_arrow(dead["sparse"].combine_chunks()) == [None, None]
    assert not search_sparse(between, sparse_of("one three"), k=5)
    assert sparse_by_text(between) == {text: sparse_of(text) for text in ("two", "changed", "four")}


def test_a_text_without_terms_has_an_empty_vector_and_not_none(chunks: Any) -> None:
    each = written("a", ["one"], width(chunks))
    empty = EmbeddedDocument(each.document, each.chunks, each.vectors, [Sparse.of([], [])])
    chunks.replace(chunk_rows([empty], chunks.schema), known=[], run_id="r", now=NOW)
    assert sparse_by_text(chunks.table) == {"one": Sparse.of([], [])}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from(["x", "y z", "w"]), max_size=3))))
def test_after_any_replacements_the_table_holds_the_last_version_of_each_document(
    chunks: Any, versions: list[dict[str, list[str]]]
) -> None:
    put(chunks, {uri: [] for uri in "abc"}, known=list("abc"))
    held: dict[str, list[str]] = {}
    for version in versions:
        put(chunks, version, known=list(version))
        held |= version
    found = chunks.create().search().where("active").select(["text", "sparse"]).limit(None).to_arrow()
    assert sorted(found["text"].to_pylist()) == sorted(text for texts in held.values() for text in texts)
    for text, sparse in zip(found["text"].to_pylist(), from_arrow(found["sparse"].combine_chunks()), strict=True):
        assert sparse == sparse_of(text)


# A whole run


@pytest.fixture(params=[8, 0], ids=["both", "alone"])
def dimension(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the fake model make sparse vectors, beside its dense ones or instead."""
    embed, size = FakeHash.embed, request.param

    def init(self: FakeHash, spec: EmbeddingSpec) -> None:
        real(self, spec)
        self.info = ModelInfo("fake/hash", size, batch_texts=3, max_input_tokens=8192, price_per_million_tokens=0.0,
                              space=f"sparse:{size}", tokenizer="words", sparse=True)  # fmt: skip

    async def both(self: FakeHash, texts: list[str], *, input_type: Any) -> Reply:
        reply = await embed(self, texts, input_type=input_type)
        return Reply(reply.vectors, sparse=[sparse_of(text) for text in texts])

    real = FakeHash.__init__
    monkeypatch.setattr(FakeHash, "__init__", init)
    monkeypatch.setattr(FakeHash, "embed", both)
    return size


def test_a_run_keeps_an_index_with_sparse_vectors_in_sync_and_buys_nothing_twice(
    make_index: Make, docs: Path, dimension: int, log: Callable[[], list[str]]
) -> None:
    texts = {f"{number}.md": f"Text number {number} of seven." for number in range(7)}
    for name, text in (texts | {"same.md": texts["0.md"]}).items():
        (docs / name).write_text(text, encoding="utf-8")
    index = make_index()
    report = index.ingest()
    assert (report.status, report.added, report.embedded, report.reused) == ("completed", 8, 7, 1)
    assert sparse_by_text(index.table()) == {text: sparse_of(text) for text in texts.values()}
    (docs / "3.md").unlink()
    (docs / "4.md").write_text(texts["5.md"], encoding="utf-8")
    again = index.ingest()
    assert (again.removed, again.changed, again.embedded, again.reused) == (1, 1, 0, 1)
    assert sparse_by_text(index.table()).keys() == set(texts.values()) - {texts["3.md"], texts["4.md"]}
    (docs / "3.md").write_text(texts["3.md"], encoding="utf-8")
    index.ingest()
    assert sparse_by_text(index.table())[texts["3.md"]] == sparse_of(texts["3.md"])
    assert sorted(log()) == sorted(texts.values()), "each text was bought once"
    assert ("vector" in index.table().schema.names) == bool(dimension)


def test_a_document_whose_text_is_refused_does_not_shift_the_vectors_of_others(
    make_index: Make, docs: Path, dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.errors import InputError

    texts = [f"Text number {number}." for number in range(6)]
    for number, text in enumerate(texts):
        (docs / f"{number}.md").write_text(text, encoding="utf-8")
    embed = FakeHash.embed

    async def refuse(self: FakeHash, asked: list[str], *, input_type: Any) -> Reply:
        if texts[2] in asked:
            raise InputError("refused")
        return await embed(self, asked, input_type=input_type)

    monkeypatch.setattr(FakeHash, "embed", refuse)
    index = make_index()
    assert index.ingest().failed == 1
    assert sparse_by_text(index.table()) == {text: sparse_of(text) for text in texts if text != texts[2]}
    assert dimension == len(index.table().search().limit(1).to_list()[0].get("vector", []))


def test_a_stage_that_runs_again_with_nothing_left_writes_nothing(make_index: Make, docs: Path, dimension: int) -> None:
    from relance.embedding.sparse import from_arrow
    from relance.pipeline.run import Run
    from relance.pipeline.stages import chunk, embed, load

    (docs / "a.md").write_text("Some text.", encoding="utf-8")
    with Run(make_index().spec) as run:
        part = run.parts[0]
        batch = next(part.batches())
        chunked = chunk(part.context, load(part.context, batch))
        chunks = embed(part.context, chunked, part.claim(chunked))["chunks"]
        assert from_arrow(chunks["sparse"].combine_chunks()) == [sparse_of("Some text.")]
        assert (
            [len(each) for each in chunks["vector"].to_pylist()] == [dimension] if dimension else "vector" not in chunks
        )
        (docs / "a.md").unlink()
        chunked = chunk(part.context, load(part.context, batch))
        assert part.commit(embed(part.context, chunked, part.claim(chunked))) == 0
        part.finish()
