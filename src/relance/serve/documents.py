"""The documents of an index as one reader sees them: a list by uri, one with its chunks, how many each source has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from relance.documents import document_id
from relance.errors import RelanceError
from relance.explore.index_reader import IndexReader
from relance.search.links import Links
from relance.search.rows import held
from relance.serve.answers import (
    ChunkAnswer,
    DocumentAnswer,
    DocumentPage,
    DocumentRow,
    IndexAnswer,
    SourceAnswer,
)
from relance.serve.problem import MissingError
from relance.sources import open_source

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["MOST_CHUNKS", "Documents"]

MOST_CHUNKS = 100
_CHUNK = ["id", "uri", "title", "heading_path", "lead", "text", "seq", "start_char", "end_char", "page", "page_end",
          "line", "line_end", "media_type", "metadata"]  # fmt: skip


class Documents:
    """Reads for one reader; used by several threads. Lists are remembered until their table has another version."""

    def __init__(self, index: Index) -> None:
        self._reader = IndexReader(index)
        self._links = Links(index.spec)
        self._spec = index.spec

    def page(self, *, offset: int, limit: int, words: str = "", media: bool = False) -> DocumentPage:
        """List some documents, by uri; `words` have to be in uri or title."""
        if media and self._spec.media is None:
            return DocumentPage(documents=[], total=0, offset=offset, more=False)
        listed = self._reader.documents(media=media)
        listed = listed.having(words, ["uri", "title"]) if words.strip() else listed
        rows = listed.rows.slice(offset, limit).to_pylist()
        documents = [
            DocumentRow(uri=row["uri"], title=row["title"] or "", chunks=row["chunks"] or 0, tokens=row["tokens"],
                        updated_at=row["updated_at"] and row["updated_at"].isoformat())
            for row in rows
        ]  # fmt: skip
        return DocumentPage(documents=documents, total=len(listed), offset=offset, more=offset + limit < len(listed))

    def one(self, uri: str, *, first: int, count: int) -> DocumentAnswer:
        """Read chunks of a document, from a place in it.

        Raises MissingError where there is no such document of text, or the reader may not see it.
        """
        table, doc_id = self._reader.table(), document_id(uri)
        mine = f"doc_id = '{doc_id}' AND active"
        total = 0 if table is None else table.count_rows(mine)
        if table is None or not total:
            return self._without_chunks(uri)
        first = min(first, total - 1)
        within = f"{mine} AND seq >= {first} AND seq < {first + count}"
        rows = table.search().where(within).select(held(table, _CHUNK)).limit(None).to_list()
        rows.sort(key=lambda row: row["seq"])
        metadata = json.loads(rows[0]["metadata"] or "{}") if rows else {}
        chunks = [_chunk(row) for row in rows]
        head = rows[0] if rows else {}
        return DocumentAnswer(
            uri=uri, title=head.get("title") or "", media_type=head.get("media_type") or "", metadata=metadata,
            link=self._links.of(uri, metadata, None, None), chunks=chunks, text=joined(chunks), first=first,
            total=total, more=first + count < total,
        )  # fmt: skip

    def place(self, uri: str, *, chunk: str = "", line: int | None = None) -> int:
        """Find the place of a chunk in its document: by its id, or by a line that it has; 0 where there is none."""
        table = self._reader.table()
        if table is None:
            return 0
        mine = f"doc_id = '{document_id(uri)}' AND active"
        if chunk:
            from relance.search.filters.literals import quoted

            rows = table.search().where(f"{mine} AND id = {quoted(chunk)}").select(["seq"]).limit(1).to_list()
            if not rows:
                msg = f"document {uri!r} has no chunk {chunk!r} now; the document may have changed: search again"
                raise MissingError(msg)
            return rows[0]["seq"]
        if line is not None and "line" in table.schema.names:
            rows = table.search().where(f"{mine} AND line <= {line}").select(["seq"]).limit(None).to_arrow()
            return max(rows["seq"].to_pylist(), default=0)
        return 0

    def about(self) -> IndexAnswer:
        """Describe the index, with counts of what the reader sees."""
        table, media = self._reader.table(), self._reader.table(media=True) if self._spec.media else None
        return IndexAnswer(
            name=self._spec.name, description=self._spec.description, model=self._spec.embedding.model,
            media=self._spec.media is not None, documents=len(self._reader.documents()),
            chunks=0 if table is None else self._count(media=False), pictures=0 if media is None else
            self._count(media=True), table=None if table is None else table.name,
            version=None if table is None else table.version, sources=self._sources(),
        )  # fmt: skip

    def status(self) -> dict[str, Any] | None:
        """Describe the index as `Index.status` does; None where the reader may not see all documents."""
        return None if self._reader.restricted else self._reader.status()

    def _without_chunks(self, uri: str) -> DocumentAnswer:
        row = self._reader.document(document_id(uri))
        if row is None:
            msg = f"there is no document {uri!r} in this index; write the uri as a search returns it"
            raise MissingError(msg)
        return DocumentAnswer(uri=uri, title=row["title"] or "", media_type="", metadata={}, link="", chunks=[],
                              text="", first=0, total=0, more=False)  # fmt: skip

    def _count(self, *, media: bool) -> int:
        table = self._reader.table(media=media)
        return 0 if table is None else self._reader.kept(f"rows {media}", table, lambda: table.count_rows("active"))

    def _sources(self) -> list[SourceAnswer]:
        listed = self._reader.documents()
        return self._reader.kept("sources", listed, lambda: self._by_source(listed.rows["uri"].to_pylist()))

    def _by_source(self, uris: list[str]) -> list[SourceAnswer]:
        """Count the documents of each source; the first that knows a uri's place has it."""
        found = []
        for position, section in enumerate(self._spec.sources):
            try:
                source = open_source(self._spec, position)
            except RelanceError:  # it lacks a secret or an extra, which only a run needs
                continue
            places = {place: source.location(place) is not None for place in {uri.partition("#")[0] for uri in uris}}
            mine = [uri for uri in uris if places[uri.partition("#")[0]]]
            uris = [uri for uri in uris if not places[uri.partition("#")[0]]]
            if mine:
                found.append(SourceAnswer(type=section.type, documents=len(mine), below=_below(mine[0], mine[-1])))
        return found


def _below(first: str, last: str) -> str:
    """Say in which folder everything between two uris lies, which are sorted; of one its name."""
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first if first == last else first[: first.rfind("/", 0, same) + 1]


def joined(chunks: list[ChunkAnswer]) -> str:
    """Put texts of chunks that follow each other together: once what two share, a line's end where there is a gap."""
    text, end = "", 0
    for chunk in chunks:
        if text and chunk.start > end:
            text += "\n"
        new = chunk.text if not text or chunk.start >= end else chunk.text[end - chunk.start :]
        text, end = text + new, max(end, chunk.end)
    return text


def _chunk(row: dict[str, Any]) -> ChunkAnswer:
    return ChunkAnswer(
        id=row["id"], seq=row["seq"], heading_path=list(row["heading_path"] or []), lead=row.get("lead") or "",
        text=row["text"], start=row["start_char"] or 0, end=row["end_char"] or 0, line=row.get("line"),
        line_end=row.get("line_end"), page=row["page"], page_end=row.get("page_end"),
    )  # fmt: skip
