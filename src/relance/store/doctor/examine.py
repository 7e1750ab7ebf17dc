"""Looking at everything an index has in its store: nothing is written, and every check stands alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from relance.store import schemas
from relance.store.cache_spaces import describe
from relance.store.catalog import NAME as CATALOG
from relance.store.catalog import Catalog
from relance.store.doctor.cache import CacheRows, check_cache, check_chunk_vectors, check_journal, has_columns
from relance.store.doctor.catalog import check_alias, check_catalog, check_runs
from relance.store.doctor.cause import cause_of
from relance.store.doctor.columns import check_columns
from relance.store.doctor.documents import ChunkRows, check_documents
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.leftovers import check_leftovers
from relance.store.doctor.marking import finish, mark
from relance.store.doctor.patient import Patient
from relance.store.doctor.reading import TableReading
from relance.store.doctor.rules import Rules
from relance.store.doctor.search_indexes import check_search_indexes
from relance.store.doctor.tables import check_table, check_versions
from relance.store.embeddings import PREFIX, EmbeddingStore, table_name
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import is_held
from relance.store.runs import NAME as RUNS
from relance.store.thumbnails import thumbnails_name

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["examine", "unreachable"]

_STAGING = "relance__staging__"  # of runs; what killed ones have left goes after a day
_WRITTEN = "the next run writes what was in it again, with vectors of the embedding cache"
_ROLES = {
    "": ("the chunks that readers search", _WRITTEN),
    "__documents": ("the manifest", "the next run looks at their documents again"),
    "__failures": ("the failures", "the next run tries all documents that failed"),
}
_THUMBNAILS = ("drawn pictures of what is behind addresses", "the explore page fetches what it shows of them")
_CACHE = ("the embedding cache", "vectors that chunks have are copied back, others are bought when they are needed")


def examine(patient: Patient, *, held: bool = False) -> Examination:
    """Check everything; `held` says that the caller holds the index, so that no run writes it meanwhile."""
    began = time.perf_counter()
    look = _Look(patient, held=held)
    look.all()
    look.exam.seconds = round(time.perf_counter() - began, 3)
    return look.exam


def unreachable(patient: Patient) -> Examination | None:
    """Ask an object store whether it answers, before minutes are spent on one that does not; None if it does."""
    began = time.perf_counter()
    try:
        patient.store.ask()
    except Exception as error:
        exam = Examination(patient.spec.name)
        exam.find(_unreadable(patient.store.uri, error))
        exam.seconds = round(time.perf_counter() - began, 3)
        return exam
    return None


def _unreadable(uri: str, error: Exception) -> Finding:
    return Finding(
        code="store-unreadable", where=uri, what=f"its tables cannot be listed: {cause_of(error)}",
        remedy="nothing; check store.uri, store.storage_options and what this user may read",
    )  # fmt: skip


class _Look:
    """One look at an index."""

    def __init__(self, patient: Patient, *, held: bool) -> None:
        self.patient, self.store, self.spec = patient, patient.store, patient.spec
        self.exam = Examination(patient.spec.name)
        self._held = held
        self._names: list[str] = []
        self._seen: set[str] = set()
        self._unread: set[str] = set()
        self._named: dict[str, str] = {}
        self._runs: dict[str, list[dict[str, Any]]] = {}
        self._retention = timedelta(days=patient.spec.store.retention_days)

    def all(self) -> None:
        """Look at what all indexes share, at each part, and at what is left over."""
        exam, store = self.exam, self.store
        try:
            self._names = store.tables() if store.exists else []
        except Exception as error:
            exam.find(_unreadable(store.uri, error))
            return
        if not self._names:
            exam.notes.append(f"nothing is in {store.uri} yet; run `relance ingest` first")
            return
        exam.busy = not self._held and any(self._busy(part) for part in self.patient.parts)
        if exam.busy:
            exam.notes.append(
                "a run is writing the index: its documents were not compared with the manifest; look again later"
            )
        with exam.checking(CATALOG):
            self._catalog()
        with exam.checking(RUNS):
            self._log()
        for part in self.patient.parts:
            with exam.checking(f"{self.spec.name}: {part}", part):
                self._part(part)
        self._others()
        if any(each.where.startswith("relance__") and each.level == "error" for each in exam.findings):
            return  # what is needed is not known without the catalog and the log of runs
        with exam.checking("leftovers"):
            check_leftovers(exam, store, staging=self.patient.staging, tables=self.patient.tables)

    # -- what all indexes share --------------------------------------------------------------------------------

    def _catalog(self) -> None:
        role = ("the catalog", "what serves an index is found again by its tables")
        reading = self._table(CATALOG, role)
        if CATALOG in self._names and (reading is None or reading.hurt):
            self._unread.add(CATALOG)
        if reading is not None and not reading.hurt:
            check_catalog(self.exam, self.store, reading, self._names, self.spec.name)
            check_versions(self.exam, self.store, reading, {})

    def _log(self) -> None:
        role = ("the log of runs", "rollback knows these runs no more")
        reading = self._table(RUNS, role)
        if reading is not None:
            self._runs = check_runs(self.exam, self.store, reading, self.spec.name)
            check_versions(self.exam, self.store, reading, {})

    # -- the parts of the index --------------------------------------------------------------------------------

    def _part(self, part: str) -> None:
        exam, store, media = self.exam, self.store, part == "media"
        index = part_name(self.spec.name, media=media)
        tables = self._serving(part)
        if tables is None:
            return
        name = tables.name
        if (writer := self._writer(tables)) and not exam.busy:
            exam.find(Finding(
                code="run-interrupted", where=name, part=part,
                what=f"run {writer} was cut short while it wrote",
                remedy="marks what it left half done; the next run writes that again",
                fix=partial(finish, store, index, name),
            ))  # fmt: skip
        rows = ChunkRows()
        readings = {
            end: self._table(name + end, role, part=part, look=rows.look if end == "" else None)
            for end, role in _ROLES.items()
        }
        for end, reading in readings.items():
            if reading is not None:
                with exam.checking(f"{reading.name}: versions", part):
                    left = {run[end]: run["run"] for run in self._runs.get(name, []) if run[end]}
                    check_versions(exam, store, reading, left, part)
                with exam.checking(f"{reading.name}: search indexes", part):
                    self._search_indexes(reading, part, chunks=end == "")
        mark_here = partial(mark, store, index, name)
        whole = self._columns(part, readings, mark_here)
        chunks, manifest = readings[""], readings["__documents"]
        unread = any(each.code == "table-unreadable" and each.part == part for each in exam.findings)
        if whole and not exam.busy and not unread:
            with exam.checking(f"{name}: documents", part):
                check_documents(exam, tables, chunks, manifest, rows, part=part, mark=mark_here)
        with exam.checking(f"{name}: embedding cache", part):
            self._cache(part, tables, chunks if whole else None, manifest, mark_here)

    def _serving(self, part: str) -> IndexTables | None:
        """Find the tables that serve a part; where the catalog does not say, those that could."""
        media = part == "media"
        index = part_name(self.spec.name, media=media)
        try:
            alias = Catalog(self.store).get(f"index/{index}")
        except Exception:  # the catalog cannot be read, or this entry of it, which is a finding already
            alias = None
        named = self._named[part] = alias["table"] if alias else ""
        ours = self._wanted(part)
        logged = [table for table, runs in self._runs.items() if runs and ("__media__" in table) == media]
        pattern = re.compile(rf"{re.escape(self.spec.name)}__{'media__' if media else ''}(2__)?[0-9a-f]{{8}}")
        found = [each for each in (name.removesuffix("__documents") for name in self._names) if pattern.fullmatch(each)]
        candidates = list(dict.fromkeys([*reversed(logged), *([ours.name] if ours else []), *found]))
        if CATALOG not in self._unread:
            check_alias(self.exam, self.store, index, named, tables=self._names, candidates=candidates, part=part)
        there = (each for each in candidates if {each, f"{each}__documents"} & set(self._names))
        name = named or next(there, "")
        return IndexTables(self.store, index, name) if name else None

    def _wanted(self, part: str) -> IndexTables | None:
        info, media = self.patient.models.get(part), part == "media"
        if info is None:
            return None
        return IndexTables.for_model(self.store, self.spec, info, media=media, serving=self._named.get(part, ""))

    def _columns(self, part: str, readings: dict[str, TableReading | None], mark: Callable[[Any], str]) -> bool:
        """Compare the columns of the tables; returns whether those are there that the other checks read."""
        ours, whole = self._wanted(part), True
        wanted = {"__documents": schemas.DOCUMENTS, "__failures": schemas.FAILURES}
        chunks = readings[""]
        if ours is not None and chunks is not None and chunks.name == ours.name:
            wanted[""] = ours.chunks.schema
        for end, schema in wanted.items():
            if (reading := readings[end]) is not None:
                with self.exam.checking(f"{reading.name}: columns", part):
                    whole &= check_columns(
                        self.exam, self.store, reading, schema, part=part, mark_all=lambda: mark(None)
                    )  # fmt: skip
        info = self.patient.models.get(part)
        if whole and info is not None and "" in wanted and info.dimension:
            size = chunks.table.schema.field("vector").type.list_size if chunks is not None else info.dimension
            if size != info.dimension:
                self.exam.find(Finding(
                    code="dimension-differs", where=f"{ours.name if ours else ''}.vector", part=part,
                    what=f"its vectors have {size} numbers, {info.name} makes {info.dimension}",
                    remedy="nothing; remove the table, and `relance ingest` writes it again",
                ))  # fmt: skip
        return whole

    def _cache(self, part: str, tables: IndexTables, chunks: TableReading | None, manifest: TableReading | None,
               mark: Callable[[Any], str]) -> None:  # fmt: skip
        """Read the embedding cache of the part's space, and compare it with the chunks."""
        exam, store, rows = self.exam, self.store, CacheRows()
        info, wanted = self.patient.models.get(part), self._wanted(part)
        ours = info is not None and wanted is not None and wanted.space == tables.space
        name = table_name(tables.space)
        reading = self._table(name, _CACHE, part=part, look=rows.look, vectors=True)
        if reading is not None:
            check_versions(exam, store, reading, {}, part)
            self._search_indexes(reading, part, chunks=False)
        dimension = info.dimension if ours and info else 0

        def cache() -> EmbeddingStore:
            assert info is not None  # noqa: S101  # without it nothing is opened
            return EmbeddingStore(store, tables.space, info.dimension, sparse=info.sparse)

        if ours:
            check_journal(exam, store, tables.space, rows, dimension=dimension, part=part, cache=cache)
        check_cache(exam, store, reading, rows, dimension=dimension, part=part)
        named = self.patient.keys.get(part) if ours and not exam.busy else None
        if named is not None and chunks is not None and manifest is not None and has_columns(chunks):
            check_chunk_vectors(exam, chunks, rows, named(Rules(manifest)), room=self._room(dimension), part=part,
                                cache=cache, mark=mark)  # fmt: skip

    def _room(self, dimension: int) -> int:
        """Say how many vectors fit into the cache before it is pruned."""
        try:
            used = sum(space.bytes for space in describe(self.store))
        except Exception:  # a hurt table of another space
            used = 0
        return max(0, int(self.spec.store.cache_max_bytes) - used) // (4 * dimension + 48)

    # -- other tables ------------------------------------------------------------------------------------------

    def _others(self) -> None:
        """Read the other tables of the index (of earlier models, classes, clusters), and others that are shared."""
        for name in self._names:
            if name in self._seen or name.startswith(_STAGING):
                continue
            if name.startswith((f"{self.spec.name}__", "relance__")):
                role = _CACHE if name.startswith(PREFIX) else ("a table that does not serve now", "they are gone")
                role = _THUMBNAILS if name == thumbnails_name(self.spec.name) else role
                with self.exam.checking(name):
                    reading = self._table(name, role)
                    if reading is not None:
                        check_versions(self.exam, self.store, reading, {})

    # -- details -----------------------------------------------------------------------------------------------

    def _table(self, name: str, role: tuple[str, str], *, part: str = "", vectors: bool = False,
               look: Callable[[pa.RecordBatch], None] | None = None) -> TableReading | None:  # fmt: skip
        self._seen.add(name)
        return check_table(
            self.exam,
            self.store,
            name,
            role,
            part=part,
            vectors=vectors,
            look=look or (lambda _: None),
        )

    def _search_indexes(self, reading: TableReading, part: str, *, chunks: bool) -> None:
        check_search_indexes(
            self.exam, self.store, reading, language=self.spec.search.language, chunks=chunks,
            retention=self._retention, part=part,
        )  # fmt: skip

    def _busy(self, part: str) -> bool:
        try:
            return is_held(self.store, part_name(self.spec.name, media=part == "media"))
        except Exception:  # the catalog cannot be read, which is a finding of its own
            return False

    @staticmethod
    def _writer(tables: IndexTables) -> str | None:
        try:
            return tables.writer
        except Exception:  # as above
            return None
