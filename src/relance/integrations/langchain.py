"""LangChain: a retriever, and a vector store to read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from pydantic import ConfigDict, PrivateAttr

from relance.config import IndexSpec
from relance.errors import InputError, MissingExtraError
from relance.index import Index
from relance.integrations.passage import metadata_of, text_of
from relance.integrations.retrieval import OPTIONS, Retrieval
from relance.search import Hit, Mode
from relance.store.principals import Principals

try:
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.vectorstores import VectorStore
except ImportError as error:
    raise MissingExtraError("relance.integrations.langchain", "langchain") from error

__all__ = ["RelanceRetriever", "RelanceVectorStore"]


class RelanceRetriever(BaseRetriever):
    """A retriever over an index: `RelanceRetriever(index="examples/handbook", k=5).invoke("…")`.

    Attributes:
        index: an `Index`, or the file or folder of its spec. An `Index` that is open (`with index:`) answers faster.
        k: documents for a question. This and the others are those of `Index.search`; `invoke(query, k=3)` changes them
            for one question.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    index: Index | IndexSpec | str | Path
    k: int = 10
    mode: Mode = "hybrid"
    filter: str | None = None
    group: bool = False
    rerank: str | None = None
    instruct: str | None = None
    principals: Principals = None
    _opened: Index = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Open the index, so that what is wrong with it is known at once."""
        super().model_post_init(context)
        self._opened = self.index if isinstance(self.index, Index) else Index(self.index)

    def _retrieval(self) -> Retrieval:
        return Retrieval(index=self._opened, **{name: getattr(self, name) for name in OPTIONS})

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
                                **options: Any) -> list[Document]:  # fmt: skip
        return [_document(hit) for hit in self._retrieval().search(query, **options)]

    async def _aget_relevant_documents(self, query: str, *,
                                       run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
                                       **options: Any) -> list[Document]:  # fmt: skip
        return [_document(hit) for hit in await self._retrieval().asearch(query, **options)]


class RelanceVectorStore(VectorStore):
    """An index as a vector store that is read; `relance ingest` writes it.

    Relevance scores are `Hit.relevance`, from 0 to 1; the scores of `similarity_search_with_score` are `Hit.score`, of
    which higher is better.
    """

    def __init__(self, index: Index | IndexSpec | str | Path, **options: Any) -> None:
        """Open an index.

        Args:
            index: an `Index`, or the file or folder of its spec.
            options: `mode`, `filter`, `group`, `rerank`, `instruct` and `principals` of `Index.search`, which each
                method takes, too, for one question.
        """
        self._retrieval = Retrieval.of(index, options)

    @property
    def embeddings(self) -> Embeddings | None:
        """None: the index embeds questions itself, by the model that embedded its texts."""
        return None

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Find the best chunks."""
        return [_document(hit) for hit in self._retrieval.search(query, k=k, **kwargs)]

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Find the best chunks."""
        return [_document(hit) for hit in await self._retrieval.asearch(query, k=k, **kwargs)]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """Find the best chunks, with their scores."""
        return [(_document(hit), hit.score) for hit in self._retrieval.search(query, k=k, **kwargs)]

    async def asimilarity_search_with_score(self, query: str, k: int = 4,
                                            **kwargs: Any) -> list[tuple[Document, float]]:  # fmt: skip
        """Find the best chunks, with their scores."""
        return [(_document(hit), hit.score) for hit in await self._retrieval.asearch(query, k=k, **kwargs)]

    def _similarity_search_with_relevance_scores(self, query: str, k: int = 4,
                                                 **kwargs: Any) -> list[tuple[Document, float]]:  # fmt: skip
        return [(_document(hit), hit.relevance) for hit in self._retrieval.search(query, k=k, **kwargs)]

    async def _asimilarity_search_with_relevance_scores(self, query: str, k: int = 4,
                                                        **kwargs: Any) -> list[tuple[Document, float]]:  # fmt: skip
        return [(_document(hit), hit.relevance) for hit in await self._retrieval.asearch(query, k=k, **kwargs)]

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the chunks of these ids, in any order, without those that are not there for this reader."""
        reader = self._retrieval
        return [_document(hit) for hit in reader.index.chunks(ids, principals=reader.principals)]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the chunks of these ids."""
        reader = self._retrieval
        return [_document(hit) for hit in await reader.index.achunks(ids, principals=reader.principals)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4,  # noqa: ARG002
                                    **kwargs: Any) -> NoReturn:  # noqa: ARG002  # fmt: skip
        """Refuse: the index embeds questions itself."""
        raise InputError("an index of relance embeds questions itself; ask with words: similarity_search(query)")

    def max_marginal_relevance_search(self, query: str, k: int = 4, fetch_k: int = 20,  # noqa: ARG002
                                      lambda_mult: float = 0.5, **kwargs: Any) -> NoReturn:  # noqa: ARG002  # fmt: skip
        """Refuse, and name what there is instead."""
        raise InputError("there is no MMR search; similarity_search(query, group=True) takes one chunk a document")

    def add_texts(self, texts: Any, metadatas: Any = None, *, ids: Any = None, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        raise _read_only()

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        raise _read_only()

    @classmethod
    def from_texts(cls, texts: list[str], embedding: Embeddings, metadatas: list[dict[str, Any]] | None = None,  # noqa: ARG003
                   *, ids: list[str] | None = None, **kwargs: Any) -> Self:  # noqa: ARG003  # fmt: skip
        """Refuse."""
        raise _read_only()


def _read_only() -> InputError:
    return InputError(
        "a vector store of relance is only read: put the document where a source of the index finds it, "
        "then run `relance ingest`"
    )


def _document(hit: Hit) -> Document:
    """Make LangChain's document; `source` is where its own chains look for what to cite."""
    metadata = metadata_of(hit) | {"source": hit.link or hit.uri}
    return Document(id=hit.id, page_content=text_of(hit), metadata=metadata)
