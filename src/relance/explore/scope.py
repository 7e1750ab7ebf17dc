"""What a question looks through: how many documents pass its filters, their facets, how many hold its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from relance.explore.facets import Facet
from relance.explore.index_reader import IndexReader
from relance.explore.question import Question
from relance.search.condition import condition
from relance.search.filters.metadata import holds_only
from relance.search.hybrid_query import HybridQuery

__all__ = ["MOST_COUNTED", "Scope", "compiled", "matching"]

MOST_COUNTED = 1000  # passages with words of the question that are counted


@dataclass(slots=True, frozen=True)
class Scope:
    """What is looked through.

    Attributes:
        total: documents (or images and videos) of the index.
        passing: those that pass the filters.
        facets: of those.
        many: metadata keys with too many values for a facet.
        whole: whether metadata was counted.
        passages: that hold words of the question, at most 1,000, in a full-text search; else None.
        documents: that those are in.
    """

    total: int = 0
    passing: int = 0
    facets: list[Facet] = field(default_factory=list)
    many: Sequence[str] = ()
    whole: bool = True
    passages: int | None = None
    documents: int = 0

    @classmethod
    def of(cls, reader: IndexReader, question: Question, *, media: bool) -> Scope:
        """Count what a question looks through; FilterError as in the search itself."""
        table, facets = reader.table(media=media), reader.facets(media=media)
        if table is None:
            return cls()
        where = compiled(reader, question.condition(), media=media)
        ids = matching(reader, where, media=media) if where else None
        passages, documents = _with_words(table, question.q, where) if question.mode == "full-text" else (None, 0)
        return cls(facets.total, facets.total if ids is None else len(ids), facets.counted(ids), facets.many,
                   facets.whole, passages, documents)  # fmt: skip


def compiled(reader: IndexReader, filter: str | None, *, media: bool) -> str | None:  # noqa: A002  # what it is called everywhere
    """Write a filter as the condition that a search has; names of the other table's columns are no mistakes."""
    table, other = reader.table(media=media), reader.table(media=not media) if reader.has_media else None
    elsewhere = other.schema.names if other is not None else ()
    return (
        condition(table.schema, filter=filter, elsewhere=elsewhere, only=partial(holds_only, table)) if table else None
    )


def matching(reader: IndexReader, where: str, *, media: bool) -> Any:
    """List the ids of documents with a row for which a condition holds, as an Arrow array."""
    table = reader.table(media=media)
    assert table is not None  # noqa: S101  # whoever compiled the condition has it

    def read() -> Any:
        return table.search().where(where).where("active").select(["doc_id"]).limit(None).to_arrow()["doc_id"].unique()

    return reader.kept(f"matching {media} {where}", table, read)


def _with_words(table: Any, words: str, where: str | None) -> tuple[int, int]:
    query = HybridQuery(table, words, None, mode="full-text", first=MOST_COUNTED, where=where)
    found = query.best(MOST_COUNTED, ["doc_id"])
    return len(found), len({each.row["doc_id"] for each in found})
