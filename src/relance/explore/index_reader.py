"""What an index holds, read for people: lists of documents and failures, one document, one picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from relance.documents import document_id
from relance.explore.annotations import read_annotations
from relance.explore.facets import Facets
from relance.explore.paged_table import Page, PagedTable
from relance.explore.suggestions import fields_of, folders_of, titles_of
from relance.explore.versioned_cache import VersionedCache
from relance.media.thumbnails import thumbnail_key
from relance.search.rows import held
from relance.store import open_store
from relance.store.catalog import NAME as CATALOG
from relance.store.failures import Failures
from relance.store.manifest import Manifest
from relance.store.principals import Reader
from relance.store.runs import NAME as RUNS
from relance.store.serving import ServingTables
from relance.store.thumbnails import thumbnails_name
from relance.store.visible_table import VisibleTable, seen_by

if TYPE_CHECKING:
    from relance.index import Index
    from relance.store.lazy_table import LazyTable
    from relance.store.open_tables import TableVersion

__all__ = ["CHUNKS_PER_PAGE", "IndexReader"]

CHUNKS_PER_PAGE = 40
_SAMPLE = 500  # rows that are looked at for what documents say about themselves
_LISTED = ["doc_id", "uri", "parent", "title", "chunks", "tokens", "updated_at", "version", "content_hash", "run_id",
           "collection"]  # fmt: skip
_FAILED = ["doc_id", "uri", "stage", "reason", "retryable", "run_id", "failed_at", "indexed"]
_CHUNK = ["id", "uri", "title", "heading_path", "lead", "text", "seq", "start_char", "end_char", "page", "page_end",
          "line", "line_end", "tokens", "media_type", "metadata"]  # fmt: skip
_FIRST = "active AND seq = 0"  # of the rows of a film, one for each key frame
_MEDIA = ["doc_id", "uri", "url", "kind", "title", "text", "heading_path", "width", "height", "duration_s", "bytes",
          "content_hash", "media_type", "metadata"]  # fmt: skip


class IndexReader:
    """Reads an index; tables stay open, and lists are kept until their table has another version.

    Used by several threads.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._store = open_store(index.spec)
        self._serving = ServingTables(index.spec, self._store)
        self._reader = Reader.of(index.principals)
        self.has_media = index.spec.media is not None
        self.kept = VersionedCache()

    def table(self, *, media: bool = False) -> TableVersion | None:
        """Return the table that serves, as searches of the reader see it; None before the first run."""
        table = self._serving.beside(None, media=media)
        return None if table is None else seen_by(table, self._reader)

    @property
    def restricted(self) -> bool:
        """Whether the index has, or may have, documents that whoever looks may not see.

        Then pages about all documents at once are not shown: runs, the status, what is ignored.
        """
        if self._reader.is_owner:
            return False
        declared = any(source.access is not None for source in self.index.spec.sources)
        return declared or any(isinstance(self.table(media=media), VisibleTable) for media in self._parts())

    def documents(self, *, media: bool = False) -> PagedTable:
        """List the documents, by uri."""
        table, seen = self._beside(Manifest, media=media), self.table(media=media)

        def read() -> PagedTable:
            listed = PagedTable(_rows(table, _LISTED)).being("collection", False).sorted("uri")
            return listed if not self.restricted else listed.among("doc_id", self._seen(media=media))

        return self.kept(f"documents {media}", (table, seen), read)

    def failures(self) -> PagedTable:
        """List the failures of texts and media, by uri."""
        tables = [self._beside(Failures, media=media) for media in self._parts()]
        seen = [self.table(media=media) for media in self._parts()]

        def read() -> PagedTable:
            import pyarrow as pa

            listed = PagedTable(pa.concat_tables([_rows(table, _FAILED) for table in tables])).sorted("uri")
            if not self.restricted:
                return listed
            return listed.among("doc_id", pa.chunked_array([self._seen(media=media) for media in self._parts()]))

        return self.kept("failures", (tables, seen), read)

    def media_types(self, *, media: bool = False) -> list[tuple[str, int]]:
        """Count the chunks (or the images and videos) of each media type."""
        table = self.table(media=media)
        if table is None:
            return []

        def read() -> list[tuple[str, int]]:
            rows = table.search().where(_FIRST if media else "active").select(["media_type"]).limit(None).to_arrow()
            return PagedTable(rows).counts("media_type")

        return self.kept(f"types {media}", table, read)

    def facets(self, *, media: bool = False) -> Facets:
        """Count the values that documents have, all that the reader sees."""
        table = self.table(media=media)
        columns = ["doc_id", "uri", "media_type", "metadata", "updated_at", *(["kind"] if media else [])]

        def read() -> Facets:
            if table is None:
                import pyarrow as pa

                return Facets(pa.table({name: pa.array([], pa.string()) for name in columns}))
            return Facets(table.search().where(_FIRST).select(columns).limit(None).to_arrow())

        return self.kept(f"facets {media}", table, read)

    def status(self) -> dict[str, Any]:
        """Describe the index, as `Index.status` does."""
        versions = [self._serving.tables.newest(name) for name in (CATALOG, RUNS)]
        for media in self._parts():
            versions += [self.table(media=media), *(self._beside(kind, media=media) for kind in (Manifest, Failures))]
        return self.kept("status", versions, lambda: self.index.status().as_dict())

    def runs(self) -> list[dict[str, Any]]:
        """List the latest thousand runs, newest first."""
        version = self._serving.tables.newest(RUNS)
        return self.kept("runs", version, lambda: [run.as_dict() for run in self.index.runs(1000)])

    def warm(self) -> None:
        """Read what the first pages need, before anybody asks."""
        if self.table() is not None:
            _ = (self.documents(), self.failures(), self.media_types(), self.folders(), self.fields(), self.facets())
            if not self.restricted:
                self.status()

    def chunks(self, document: dict[str, Any], number: int) -> Page:
        """Read a page of the chunks of a document (its row of the manifest), in order, with `metadata` parsed."""
        table, total, first = self.table(), document["chunks"] or 0, (number - 1) * CHUNKS_PER_PAGE
        rows: list[dict[str, Any]] = []
        if table is not None and first < total:
            within = f"seq >= {first} AND seq < {first + CHUNKS_PER_PAGE}"
            condition = f"doc_id = '{document['doc_id']}' AND active AND {within}"
            rows = table.search().where(condition).select(held(table, _CHUNK)).limit(None).to_list()
        rows.sort(key=lambda row: row["seq"])
        return Page([_parsed(row) for row in rows], number, total, CHUNKS_PER_PAGE)

    def row(self, doc_id: str, seq: int) -> dict[str, Any] | None:
        """Read all columns of a chunk, but who may see it where not everybody may see that; None if there is none."""
        table = self.table()
        if table is None:
            return None
        names = [name for name in table.schema.names if name != "access" or not self.restricted]
        condition = f"doc_id = '{doc_id}' AND seq = {seq} AND active"
        rows = table.search().where(condition).select(names).limit(1).to_list()
        return rows[0] if rows else None

    def neighbours(self, row: dict[str, Any], count: int) -> list[tuple[float, dict[str, Any]]]:
        """Find the chunks whose dense vectors are nearest to that of a row, with their cosine similarity."""
        table = self.table()
        if table is None or not row.get("vector"):
            return []
        search = table.search(row["vector"], vector_column_name="vector").distance_type("cosine").where("active")
        found = search.select([*held(table, [*_CHUNK, "doc_id"]), "_distance"]).limit(count + 1).to_list()
        return [(1 - each["_distance"], each) for each in found if each["id"] != row["id"]][:count]

    def document(self, doc_id: str) -> dict[str, Any] | None:
        """Read the manifest's row of a document of text; None if there is none."""
        return self.documents().first("doc_id", doc_id)

    def medium(self, doc_id: str) -> dict[str, Any] | None:
        """Read the row of an image or video; None if there is none."""
        table = self.table(media=True)
        if table is None:
            return None
        rows = table.search().where(f"doc_id = '{doc_id}' AND active").select(_MEDIA).limit(1).to_list()
        return _parsed(rows[0]) if rows else None

    def thumbnail(self, row: dict[str, Any], moment_s: float) -> bytes | None:
        """Read what a run has drawn of an image, or of a film at a moment (WebP); None if there is nothing.

        `row` is one that the reader of the index sees.
        """
        from lancedb.expr import col

        media = self.index.spec.media
        if media is None or not media.thumbnails or "://" not in row["url"]:
            return None
        key = thumbnail_key(row["content_hash"], moment_s if row["kind"] == "video" else 0.0)
        try:
            table = self._serving.tables.newest(thumbnails_name(self.index.spec.name))
            rows = table.search().where(col("key") == key).select(["webp"]).limit(1).to_list() if table else ()
            return next((row["webp"] for row in rows), None)
        except Exception:  # it is a cache: what cannot be read of it is fetched
            return None

    def copies(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Read the rows of the same content in other places."""
        from lancedb.expr import col

        table = self.table(media=True)
        if table is None:
            return []
        condition = (col("content_hash") == row["content_hash"]) & (col("seq") == 0) & col("active")
        found = table.search().where(condition).select(_MEDIA).limit(200).to_list()
        return sorted((each for each in found if each["doc_id"] != row["doc_id"]), key=lambda each: each["uri"])

    def failure(self, doc_id: str) -> dict[str, Any] | None:
        """Say why a document could not be brought up to date, if it could not."""
        return self.failures().first("doc_id", doc_id)

    def media(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        """Read the rows of images and videos, by id of document."""
        from relance.store.schemas import in_lists

        table = self.table(media=True)
        if table is None:
            return {}
        found: dict[str, dict[str, Any]] = {}
        for condition in in_lists("doc_id", ids):
            rows = table.search().where(condition).where(_FIRST).select(_MEDIA).limit(None).to_list()
            found.update({row["doc_id"]: _parsed(row) for row in rows})
        return found

    def different_media(self, count: int) -> list[dict[str, Any]]:
        """Read some images and videos, none of which has the same content as another."""
        table = self.table(media=True)
        if table is None:
            return []
        rows = table.search().where(_FIRST).select(_MEDIA).limit(10 * count).to_list()
        rows.sort(key=lambda row: bool(row["text"]))  # of the same ones the last is kept: one with words
        return [_parsed(row) for row in {row["content_hash"]: row for row in rows}.values()][:count]

    def title_of(self, uri: str) -> str:
        """Name a document or picture as people know it."""
        row = self.document(document_id(uri)) or self.medium(document_id(uri)) or {}
        return row.get("title") or row.get("text") or uri

    def folders(self) -> list[str]:
        """List the folders documents lie in, those with the most first."""
        listed = self.documents()
        return self.kept("folders", listed, lambda: folders_of(listed.rows["uri"].to_pylist()))

    def titles(self) -> list[str]:
        """List titles of documents, the latest first: what the field of the search proposes."""
        listed = self.documents()

        def read() -> list[str]:
            return titles_of(listed.sorted("updated_at", descending=True).rows["title"].to_pylist())

        return self.kept("titles", listed, read)

    def fields(self) -> list[tuple[str, str]]:
        """List what documents say about themselves, with an example of each: what filters may ask about."""
        table = self.table()
        if table is None:
            return []

        def read() -> list[tuple[str, str]]:
            rows = table.search().where("active").select(["metadata"]).limit(_SAMPLE).to_list()
            return fields_of(row["metadata"] for row in rows)

        return self.kept("fields", table, read)

    def shape(self, *, media: bool = False) -> dict[str, Any]:
        """Say what the table itself says: its bytes, its dimension."""
        table = self.table(media=media)
        if table is None:
            return {"bytes": None, "dimension": None}
        dense = table.schema.field("vector").type.list_size if "vector" in table.schema.names else None
        return {"bytes": table.stats()["total_bytes"] if self._store.local else None, "dimension": dense}

    @property
    def store_uri(self) -> str:
        """Where the tables are."""
        return self._store.uri

    def results_version(self, kind: str) -> TableVersion | None:
        """Return the newest version of a table of results (clusters, anomalies, classes).

        None if there are none that the reader may see.
        """
        from relance.analysis.results import may_see, result_table

        table = self._serving.tables.newest(result_table(self.index, kind))
        if table is None or not self.restricted:
            return table
        versions = [table, *(self.table(media=media) for media in self._parts())]
        seen = self.kept(f"seen {kind}", versions, lambda: may_see(self.index, table.to_arrow()))
        return table if seen else None

    def annotations(self, uris: Sequence[str]) -> dict[str, dict[str, str]]:
        """Say what analysis found out about some documents, by uri."""
        return read_annotations(self.results_version, uris)

    def of_uri(self, uri: str) -> str:
        """Say where a document or picture of this uri is shown; empty if there is none."""
        doc_id = document_id(uri)
        if self.document(doc_id):
            return f"/documents/{doc_id}"
        return f"/media/{doc_id}" if self.medium(doc_id) else ""

    def _beside(self, kind: type[LazyTable], *, media: bool) -> TableVersion | None:
        """Return the version of a table beside the one that serves that fits it."""
        return self._serving.beside(kind, media=media)

    def _seen(self, *, media: bool) -> Any:
        """List the ids of documents that have rows the reader sees; of one without rows nobody knows whose it is."""
        import pyarrow as pa

        table = self.table(media=media)
        if table is None:
            return pa.array([], pa.string())
        rows = table.search().where("active").select(["doc_id"]).limit(None).to_arrow()
        return rows["doc_id"].unique()

    def _parts(self) -> tuple[bool, ...]:
        """Say for what parts of the index there are tables: not media, media."""
        return (False, True) if self.has_media else (False,)


def _rows(table: TableVersion | None, columns: list[str]) -> Any:
    """Read columns of a table that may not be there, or may be from before there was such a column."""
    import pyarrow as pa

    from relance.store import schemas

    kept = schemas.FAILURES if "reason" in columns else schemas.DOCUMENTS
    schema = pa.schema([kept.field(name) for name in columns])
    if table is None:
        return schema.empty_table()
    there = [name for name in columns if name in table.schema.names]
    rows = table.search().select(there).limit(None).to_arrow()
    for name in set(columns).difference(there):
        rows = rows.append_column(schema.field(name), pa.nulls(rows.num_rows, schema.field(name).type))
    return rows.select(columns)


def _parsed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"metadata": json.loads(row["metadata"] or "{}"), "heading_path": list(row["heading_path"] or [])}
