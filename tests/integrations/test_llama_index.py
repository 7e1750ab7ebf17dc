"""LlamaIndex: nodes as its engines and postprocessors take them."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle, TextNode

from relance.documents import document_id
from relance.errors import InputError
from relance.index import Index
from relance.integrations.llama_index import RelanceRetriever


def test_a_node_knows_its_document_and_its_place_in_it(index: Index, harbour: Path) -> None:
    [hit] = index.search("bicycle", k=1, mode="full-text")
    [found] = RelanceRetriever(index, k=1, mode="full-text").retrieve(QueryBundle("bicycle"))
    node = found.node
    assert isinstance(node, TextNode)
    assert (node.start_char_idx, node.end_char_idx, node.mimetype) == (hit.start, hit.end, "text/markdown")
    assert node.ref_doc_id == document_id("docs/ferry.md")
    assert node.get_content(MetadataMode.NONE) == hit.text


def test_a_language_model_sees_what_it_cites_by_and_no_more(index: Index) -> None:
    [found] = RelanceRetriever(index, k=1, mode="full-text").retrieve("bicycle")
    seen = found.node.get_content(MetadataMode.LLM)
    assert "uri: docs/ferry.md" in seen
    assert "line: 10" in seen
    assert "relevance" not in seen
    assert found.node.get_content(MetadataMode.EMBED) == found.node.get_content(MetadataMode.NONE)


def test_a_postprocessor_cuts_by_relevance(index: Index) -> None:
    nodes = RelanceRetriever(index, k=5).retrieve("ferry at nine")
    least = sorted(node.get_score() for node in nodes)[-2]
    left = SimilarityPostprocessor(similarity_cutoff=least).postprocess_nodes(nodes)
    assert 1 <= len(left) < len(nodes)


def test_a_query_engine_answers_from_the_index(index: Index) -> None:
    engine = RetrieverQueryEngine.from_args(RelanceRetriever(index, k=1, mode="full-text"), llm=MockLLM())
    answer = engine.query("What does a bicycle cost?")
    assert "a bicycle nothing at all" in str(answer)
    assert [node.metadata["uri"] for node in answer.source_nodes] == ["docs/ferry.md"]


def test_an_option_that_there_is_not(index: Index) -> None:
    with pytest.raises(InputError, match=r"^a search has no option similarity_top_k; the options are k, mode, filter"):
        RelanceRetriever(index, similarity_top_k=3)
