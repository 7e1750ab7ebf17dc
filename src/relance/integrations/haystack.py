"""Haystack: a retriever component."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from relance.config import IndexSpec
from relance.errors import InputError, MissingExtraError
from relance.index import Index
from relance.integrations.passage import metadata_of, text_of
from relance.integrations.retrieval import Retrieval
from relance.search import Hit, Mode
from relance.store.principals import Owner, Principals

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise MissingExtraError("relance.integrations.haystack", "haystack") from error

__all__ = ["RelanceRetriever"]


@component
class RelanceRetriever:
    """A retriever over an index: `RelanceRetriever("examples/handbook", k=5).run("…")["documents"]`.

    The score of a document is `Hit.relevance`, from 0 to 1; `Hit.score` is in its meta.
    """

    def __init__(self, index: Index | IndexSpec | str | Path, k: int = 10, mode: Mode = "hybrid",  # noqa: PLR0917
                 filter: str | None = None, group: bool = False, rerank: str | None = None,  # noqa: A002
                 instruct: str | None = None, principals: Principals = None) -> None:  # fmt: skip
        """Open an index.

        Args:
            index: the file or folder of its spec, or an `Index`, which no pipeline can save. One that is open
                (`with index:`) answers faster.
            k: documents for a question. This and the others are those of `Index.search`.
            mode: dense, full-text, sparse or hybrid.
            filter: a condition such as `year >= 2020`.
            group: one chunk of each document.
            rerank: `provider/model`, or `none`.
            instruct: what questions are for.
            principals: who asks.
        """
        self._index = index
        options = {"k": k, "mode": mode, "filter": filter, "group": group, "rerank": rerank, "instruct": instruct,
                   "principals": principals}  # fmt: skip
        self._retrieval = Retrieval.of(index, options)

    def to_dict(self) -> dict[str, Any]:
        """Return what a pipeline saves: the address of the spec and the options; InputError for what has no text."""
        if not isinstance(self._index, str | Path):
            raise InputError("a pipeline saves an index by its path: RelanceRetriever('folder/index.yaml')")
        if isinstance(self._retrieval.principals, Owner):
            raise InputError("a pipeline does not save principals=relance.OWNER: give it when the pipeline runs")
        return default_to_dict(self, index=str(self._index), **self._retrieval.options())

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make the component of what `to_dict` returned."""
        return default_from_dict(cls, data)

    @component.output_types(documents=list[Document])
    def run(self, query: str, k: int | None = None, filter: str | None = None,  # noqa: A002
            principals: Principals = None) -> dict[str, list[Document]]:  # fmt: skip
        """Find the best chunks; what is given here goes before what the component was made with."""
        hits = self._retrieval.search(query, **_given(k, filter, principals))
        return {"documents": [_document(hit) for hit in hits]}

    @component.output_types(documents=list[Document])
    async def run_async(self, query: str, k: int | None = None, filter: str | None = None,  # noqa: A002
                        principals: Principals = None) -> dict[str, list[Document]]:  # fmt: skip
        """Do what `run` does, for pipelines that have an event loop."""
        hits = await self._retrieval.asearch(query, **_given(k, filter, principals))
        return {"documents": [_document(hit) for hit in hits]}


def _given(k: int | None, condition: str | None, principals: Principals) -> dict[str, Any]:
    """Take the options of a question that are given."""
    options = {"k": k, "filter": condition, "principals": principals}
    return {name: value for name, value in options.items() if value is not None}


def _document(hit: Hit) -> Document:
    return Document(id=hit.id, content=text_of(hit), meta=metadata_of(hit), score=hit.relevance)
