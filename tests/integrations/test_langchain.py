"""LangChain: its own tests for retrievers, and the vector store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.documents import Document
from langchain_tests.integration_tests import RetrieversIntegrationTests

from relance.errors import InputError
from relance.index import Index
from relance.integrations.langchain import RelanceRetriever, RelanceVectorStore


@pytest.mark.anyio
class TestRelanceRetriever(RetrieversIntegrationTests):
    """The tests of langchain-tests."""

    folder: Path

    @pytest.fixture(autouse=True)
    def _use(self, harbour: Path) -> None:
        self.folder = harbour

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @property
    def retriever_constructor(self) -> type[RelanceRetriever]:
        return RelanceRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"index": self.folder}

    @property
    def retriever_query_example(self) -> str:
        return "ferry"


def test_a_question_changes_options_for_itself(index: Index) -> None:
    retriever = RelanceRetriever(index=index, k=5)
    [found] = retriever.invoke("crew paid", k=1, mode="full-text", principals=["ada"])
    assert found.metadata["uri"] == "crew/pay.md"
    assert len(retriever.invoke("crew paid")) == 5
    with pytest.raises(InputError, match=r"^a search has no option filtre; did you mean filter\?$"):
        retriever.invoke("ferry", filtre="year > 3")
    with pytest.raises(InputError, match="filter is a text such as"):
        retriever.invoke("ferry", filter={"year": 2021})
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        RelanceRetriever(index=index, filtre="year > 3")  # ty: ignore[unknown-argument]


def test_a_document_names_its_source_as_chains_of_langchain_expect(index: Index) -> None:
    [found] = RelanceRetriever(index=index, k=1).invoke("bicycle")
    assert found.metadata["source"] == "docs/ferry.md"


def test_the_store_has_scores_of_both_kinds(index: Index) -> None:
    store = RelanceVectorStore(index)
    hits = index.search("ferry at nine", k=4)
    scored = store.similarity_search_with_score("ferry at nine")
    assert [(each.id, score) for each, score in scored] == [(hit.id, hit.score) for hit in hits]
    related = store.similarity_search_with_relevance_scores("ferry at nine")
    assert [score for _, score in related] == [hit.relevance for hit in hits]
    assert all(0 <= score <= 1 for _, score in related)
    assert asyncio.run(store.asimilarity_search_with_relevance_scores("ferry at nine")) == related
    assert asyncio.run(store.asimilarity_search_with_score("ferry at nine")) == scored
    least = related[0][1]
    found = store.similarity_search_with_relevance_scores("ferry at nine", score_threshold=least)
    assert [each for each, _ in found] == [each for each, score in related if score >= least] != []


def test_a_retriever_of_the_store(index: Index) -> None:
    store = RelanceVectorStore(index, filter="year = 2021")
    found = store.as_retriever(search_kwargs={"k": 2}).invoke("ferry")
    assert [each.metadata["uri"] for each in found] == ["docs/ferry.md"] * 2
    [other] = store.as_retriever(search_kwargs={"filter": "year = 2019"}).invoke("ferry")
    assert other.metadata["uri"] == "docs/bridge.md"
    threshold = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.99})
    assert threshold.invoke("gulls") == []
    with pytest.raises(InputError, match="group=True"):
        store.as_retriever(search_type="mmr").invoke("ferry")


def test_chunks_are_read_by_their_ids_by_who_may_see_them(index: Index) -> None:
    mine = RelanceVectorStore(index, principals=["ada"])
    [pay] = mine.similarity_search("crew paid", k=1, mode="full-text")
    found = mine.similarity_search("ferry", k=3)
    ids = [str(each.id) for each in found]
    assert [each.id for each in mine.get_by_ids([*reversed(ids), "unknown", "it's"])] == ids[::-1]
    assert asyncio.run(mine.aget_by_ids(ids)) == mine.get_by_ids(ids)
    assert [each.page_content for each in mine.get_by_ids(ids)] == [each.page_content for each in found]
    assert mine.get_by_ids([str(pay.id)])[0].metadata["uri"] == "crew/pay.md"
    assert RelanceVectorStore(index).get_by_ids([str(pay.id)]) == []
    assert mine.get_by_ids([]) == []


def test_writing_says_who_writes(index: Index) -> None:
    store, document, none = RelanceVectorStore(index), Document(page_content="new"), cast("Any", None)
    readonly = pytest.raises(InputError, match=r"only read: .* then run `relance ingest`$")
    with readonly:
        store.add_texts(["new"])
    with readonly:
        store.add_documents([document])
    with readonly:
        asyncio.run(store.aadd_documents([document]))
    with readonly:
        store.delete(["1"])
    with readonly:
        asyncio.run(store.adelete(["1"]))
    with readonly:
        RelanceVectorStore.from_texts(["new"], none)
    with readonly:
        RelanceVectorStore.from_documents([document], none)
    with readonly:
        store.as_retriever().add_documents([document])
    with pytest.raises(InputError, match="ask with words"):
        store.similarity_search_by_vector([0.1])
    assert store.embeddings is None
