"""Answer a question from an index by LlamaIndex, with citations.

    relance ingest examples/handbook --direct
    python examples/programs/ask_llama_index.py examples/handbook "How long are pictures kept?"
"""

import sys

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.core.schema import NodeWithScore

import relance
from relance.integrations.llama_index import RelanceRetriever

MODEL = MockLLM()  # repeats its prompt, without a key; put a model of yours here


def place(node: NodeWithScore) -> str:
    """Say where a passage is from: file, lines or page, heading."""
    known = node.metadata
    at = f", line {known['line']}" if "line" in known else f", page {known['page']}" if "page" in known else ""
    return f"{known.get('link', known['uri'])}{at}: {' › '.join(known.get('heading_path', []))}"


def engine(index: relance.Index, k: int = 3) -> CitationQueryEngine:
    """Make an engine that numbers its sources, and answers by these numbers."""
    return CitationQueryEngine(RelanceRetriever(index, k=k), llm=MODEL, citation_chunk_size=2000)


if __name__ == "__main__":
    with relance.Index(sys.argv[1]) as handbook:
        answer = engine(handbook).query(sys.argv[2])
    print(answer, "\n")
    for number, node in enumerate(answer.source_nodes, 1):
        print(f"[{number}] {place(node)}")
