"""What all retrievers have in common: they find what `Index.search` finds, for the same people, with all it says."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import relance
from relance.errors import InputError, MissingExtraError, SpecError
from relance.index import Index


@dataclass
class Found:
    """A document of a framework."""

    id: str
    text: str
    metadata: dict[str, Any]


def langchain(index: Any, *, wait: bool = False, **options: Any) -> Callable[[str], list[Found]]:
    from relance.integrations.langchain import RelanceRetriever

    made = RelanceRetriever(index=index, **options)

    def ask(query: str) -> list[Found]:
        documents = asyncio.run(made.ainvoke(query)) if wait else made.invoke(query)
        return [Found(str(each.id), each.page_content, each.metadata) for each in documents]

    return ask


def langchain_store(index: Any, *, wait: bool = False, k: int = 10, **options: Any) -> Callable[[str], list[Found]]:
    from relance.integrations.langchain import RelanceVectorStore

    made = RelanceVectorStore(index, **options)

    def ask(query: str) -> list[Found]:
        documents = asyncio.run(made.asimilarity_search(query, k)) if wait else made.similarity_search(query, k)
        return [Found(str(each.id), each.page_content, each.metadata) for each in documents]

    return ask


def llama_index(index: Any, *, wait: bool = False, **options: Any) -> Callable[[str], list[Found]]:
    from relance.integrations.llama_index import RelanceRetriever

    made = RelanceRetriever(index, **options)

    def ask(query: str) -> list[Found]:
        nodes = asyncio.run(made.aretrieve(query)) if wait else made.retrieve(query)
        for each in nodes:
            assert each.score == each.metadata["relevance"]
        return [Found(each.node_id, each.text, each.metadata) for each in nodes]

    return ask


def haystack(index: Any, *, wait: bool = False, **options: Any) -> Callable[[str], list[Found]]:
    from relance.integrations.haystack import RelanceRetriever

    made = RelanceRetriever(index, **options)

    def ask(query: str) -> list[Found]:
        documents = (asyncio.run(made.run_async(query)) if wait else made.run(query))["documents"]
        for each in documents:
            assert each.score == each.meta["relevance"]
        return [Found(each.id, each.content or "", each.meta) for each in documents]

    return ask


ALL = pytest.mark.parametrize("retriever", [langchain, langchain_store, llama_index, haystack])


@ALL
@pytest.mark.parametrize("wait", [False, True], ids=["sync", "async"])
def test_the_hits_of_the_index_in_its_order(retriever: Any, index: Index, wait: bool) -> None:
    hits = index.search("When does the ferry leave?", k=3)
    found = retriever(index, k=3, wait=wait)("When does the ferry leave?")
    assert [each.id for each in found] == [hit.id for hit in hits]
    assert len(found) == 3
    for each, hit in zip(found, hits, strict=True):
        assert each.text.endswith(hit.text)
        assert 0 < each.metadata["relevance"] == hit.relevance <= 1
        assert (each.metadata["score"], each.metadata["uri"]) == (hit.score, hit.uri)
        assert (each.metadata["start"], each.metadata["end"]) == (hit.start, hit.end)


@ALL
def test_a_document_says_where_it_is_from(retriever: Any, index: Index) -> None:
    [fares] = retriever(index, k=1, mode="full-text")("bicycle crowns")
    said = fares.metadata
    assert (said["uri"], said["title"], said["heading_path"]) == ("docs/ferry.md", "The ferry", ["Fares"])
    assert (said["line"], said["line_end"]) == (10, 12)
    assert said["metadata"]["year"] == 2021
    assert said["metadata"]["score"] == "own", "a key of the document does not hide one of ours"
    assert isinstance(said["score"], float)
    assert "page" not in said
    assert "link" not in said


@ALL
def test_what_continues_a_table_begins_with_its_header(retriever: Any, index: Index) -> None:
    pier = retriever(index, k=1, mode="full-text")("Pier 11")[0]
    assert pier.text.startswith("| Pier | Ferry |\n|---|---|\n")
    assert pier.metadata["lead"] == "| Pier | Ferry |\n|---|---|"
    assert "Pier 11" in pier.text
    assert "Pier 1 |" not in pier.text


@ALL
def test_options_of_a_search_are_those_of_the_index(retriever: Any, index: Index) -> None:
    assert {each.metadata["metadata"]["year"] for each in retriever(index, filter="year < 2020")("ferry")} == {2019}
    assert retriever(index, mode="full-text")("unheard")[:1] == []
    grouped = retriever(index, group=True)("ferry")
    assert len({each.metadata["uri"] for each in grouped}) == len(grouped) == 3
    by_words = retriever(index, k=1, mode="full-text")("ferry")[0]
    assert by_words.metadata["found_by"] == ["full-text"]


@ALL
def test_nobody_finds_what_is_not_for_them(retriever: Any, harbour: Path) -> None:
    def uris(index: Any, **options: Any) -> set[str]:
        return {each.metadata["uri"] for each in retriever(index, **options)("crew paid")}

    assert "crew/pay.md" not in uris(harbour)
    assert "crew/pay.md" in uris(harbour, principals=["ada"])
    assert "crew/pay.md" in uris(harbour, principals=relance.OWNER)
    assert "crew/pay.md" not in uris(harbour, principals=["bob"])
    assert "crew/pay.md" in uris(Index(harbour, principals=["ada"]))


@ALL
def test_wrong_use_is_said_in_the_words_of_relance(retriever: Any, index: Index, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no column"):
        retriever(index, filter="media_tpye = 'x' and media_tpe.x = 3")("ferry")
    with pytest.raises(InputError, match="the query is empty"):
        retriever(index)(" ")
    with pytest.raises(SpecError, match="relance init writes one"):
        retriever(tmp_path / "nowhere")("ferry")


@pytest.mark.parametrize("framework", ["langchain", "llama_index", "haystack"])
def test_without_the_framework_the_extra_is_named(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"relance.integrations.{framework}"
    package = {"langchain": "langchain_core", "llama_index": "llama_index", "haystack": "haystack"}[framework]
    for module in [each for each in sys.modules if each == name or each.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    extra = framework.replace("_", "-")
    with pytest.raises(MissingExtraError, match=rf"pip install 'relance\[{extra}\]'$"):
        importlib.import_module(name)


def test_nothing_else_of_relance_imports_a_framework() -> None:
    source = Path(relance.__file__).parent
    files = [file for file in source.rglob("*.py") if file.parent.name != "integrations"]
    framework = re.compile(
        r"^\s*(?:from|import) (?:langchain|llama_index|haystack|relance\.integrations)", re.MULTILINE
    )
    assert [file for file in files if framework.search(file.read_text(encoding="utf-8"))] == []
    assert len(files) > 100
