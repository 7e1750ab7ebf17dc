"""LlamaIndex: a retriever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relance.config import IndexSpec
from relance.documents import document_id
from relance.errors import MissingExtraError
from relance.index import Index
from relance.integrations.passage import CITED, metadata_of, text_of
from relance.integrations.retrieval import Retrieval
from relance.search import Hit

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode
except ImportError as error:
    raise MissingExtraError("relance.integrations.llama_index", "llama-index") from error

__all__ = ["RelanceRetriever"]


class RelanceRetriever(BaseRetriever):
    """A retriever over an index: `RelanceRetriever("examples/handbook", k=5).retrieve("…")`.

    The score of a node is `Hit.relevance`, from 0 to 1, as postprocessors want it; `Hit.score` is in its metadata.
    """

    def __init__(self, index: Index | IndexSpec | str | Path, *, callback_manager: CallbackManager | None = None,
                 verbose: bool = False, **options: Any) -> None:  # fmt: skip
        """Open an index.

        Args:
            index: an `Index`, or the file or folder of its spec. One that is open (`with index:`) answers faster.
            callback_manager: of LlamaIndex.
            verbose: of LlamaIndex.
            options: `k`, `mode`, `filter`, `group`, `rerank`, `instruct` and `principals` of `Index.search`.
        """
        super().__init__(callback_manager=callback_manager, verbose=verbose)
        self._retrieval = Retrieval.of(index, options)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in self._retrieval.search(query_bundle.query_str)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in await self._retrieval.asearch(query_bundle.query_str)]


def _node(hit: Hit) -> NodeWithScore:
    """Make a node; a language model sees of its metadata only what it needs to cite it."""
    metadata = metadata_of(hit)
    hidden = [name for name in metadata if name not in CITED]
    document = RelatedNodeInfo(node_id=document_id(hit.uri), metadata={"uri": hit.uri})
    node = TextNode(
        id_=hit.id,
        text=text_of(hit),
        mimetype=hit.media_type,
        start_char_idx=hit.start,
        end_char_idx=hit.end,
        metadata=metadata,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=list(metadata),
        relationships={NodeRelationship.SOURCE: document},
    )
    return NodeWithScore(node=node, score=hit.relevance)
