"""Whether the catalog and the log of runs can be read, and what they name is there."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from relance.errors import RetryableError
from relance.store import Store
from relance.store.catalog import NAME, Catalog
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.mending import drop_rows
from relance.store.doctor.reading import TableReading
from relance.store.runs import NAME as RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_alias", "check_catalog", "check_runs"]


def check_catalog(exam: Examination, store: Store, reading: TableReading, tables: Sequence[str], index: str) -> None:
    """Look at every entry: whether it can be read, is there once, and is about a table that is there."""
    entries: list[tuple[str, str]] = []
    for batch in reading.stream(["key", "value"]):
        entries += zip(batch["key"].to_pylist(), batch["value"].to_pylist(), strict=True)
    for key, number in Counter(key for key, _ in entries).items():
        if number > 1:
            exam.find(Finding(
                code="catalog-bad", where=f"{NAME}: {key}",
                what=f"the entry is there {number} times", remedy="keeps the first of them",
                fix=lambda key=key: _single(store, key),
            ))  # fmt: skip
    for key, raw in entries:
        try:
            value: Any = json.loads(raw)
            broken = not isinstance(value, dict) or (key.startswith("index/") and not isinstance(value["table"], str))
        except (TypeError, ValueError, KeyError):
            broken = True
        if broken:
            exam.find(Finding(
                code="catalog-bad", where=f"{NAME}: {key}", what="the entry cannot be read",
                remedy="removes it; what serves an index is found again by its tables",
                fix=lambda key=key: _remove(store, key),
            ))  # fmt: skip
            continue
        kind, _, name = key.partition("/")
        if kind == "table" and name not in tables and value.get("writer"):
            exam.find(Finding(
                code="catalog-stale", where=f"{NAME}: {key}", level="note",
                what=f"it says that run {value['writer']} writes a table that is not there",
                remedy="removes the entry",
                fix=lambda key=key: _remove(store, key),
            ))  # fmt: skip
        if kind == "index" and name.partition("/")[0] != index and value["table"] not in tables:
            exam.find(Finding(
                code="alias-dangling", where=f"{NAME}: {key}", level="note",
                what=f"index {name!r}, which is another one, is served by {value['table']}, which is not there",
                remedy="nothing; `relance doctor` or `relance ingest` with its spec",
            ))  # fmt: skip


def check_alias(exam: Examination, store: Store, index: str, alias: str, *, tables: Sequence[str],
                candidates: Sequence[str], part: str) -> None:  # fmt: skip
    """Look whether the table that serves an index (or its media) is there.

    `alias` is what the catalog names, "" for nothing; `candidates` are tables that could serve, best first.
    """
    there = [name for name in candidates if name in tables]
    if alias in tables or not (alias or there or any(f"{name}__documents" in tables for name in candidates)):
        return
    named = f"the catalog says that {alias} serves it" if alias else "the catalog does not say what serves it"
    gone = ", and that table is gone" if alias else ""
    exam.find(Finding(
        code="alias-dangling" if alias else "alias-missing", where=f"{NAME}: index/{index}", part=part,
        what=f"searches fail: {named}{gone}",
        remedy=f"lets {there[0]} serve" if there else "nothing: the next `relance ingest` writes the table again",
        fix=(lambda: _serve(store, index, there[0])) if there else None,
        waits=not there,
    ))  # fmt: skip


def check_runs(exam: Examination, store: Store, reading: TableReading, index: str) -> dict[str, list[dict[str, int]]]:
    """Look at every entry of the log; returns the versions that runs left, by table: of chunks, documents, failures."""
    bad: list[str] = []
    versions: dict[str, list[dict[str, int]]] = {}
    columns = ["run_id", "index", "table", "report", "chunks_version", "documents_version", "failures_version"]
    for batch in reading.stream(columns):
        for row in batch.to_pylist():
            if row["index"].partition("/")[0] != index:
                continue
            try:
                if not isinstance(json.loads(row["report"]), dict):
                    raise TypeError  # noqa: TRY301  # as one that is no JSON
            except (TypeError, ValueError):
                bad.append(row["run_id"])
                continue
            versions.setdefault(row["table"], []).append(
                {"run": row["run_id"], "": row["chunks_version"], "__documents": row["documents_version"],
                 "__failures": row["failures_version"]}
            )  # fmt: skip
    if bad:
        exam.find(Finding(
            code="run-unreadable", where=RUNS, what=f"{len(bad)} entries of the log of runs cannot be read, which "
            "status, runs and rollback need: " + ", ".join(bad[:5]) + (" …" if len(bad) > 5 else ""),
            remedy="removes them", lost=f"what {len(bad)} runs did and cost",
            fix=lambda: _drop_runs(store, bad),
        ))  # fmt: skip
    return versions


def _drop_runs(store: Store, bad: list[str]) -> str:
    from relance.store.schemas import in_lists

    table = store.open(RUNS)
    removed = sum(table.delete(each).num_deleted_rows for each in in_lists("run_id", bad)) if table is not None else 0
    return f"removed {removed} entries of {RUNS}"


def _remove(store: Store, key: str) -> str:
    quoted = key.replace("'", "''")
    drop_rows(store, NAME, f"key = '{quoted}'")
    return f"removed {key} from the catalog"


def _single(store: Store, key: str) -> str:
    table: Any = store.open(NAME)
    quoted = key.replace("'", "''")
    rows = table.search().where(f"key = '{quoted}'").select(["_rowid"]).limit(None).to_arrow()["_rowid"].to_pylist()
    if surplus := sorted(rows)[1:]:
        drop_rows(store, NAME, f"_rowid IN ({', '.join(map(str, surplus))})")
    return f"kept one entry of {key}"


def _serve(store: Store, index: str, table: str) -> str:
    catalog, key = Catalog(store), f"index/{index}"
    wanted = {"table": table, "previous": None}
    try:
        catalog.put(key, wanted, expected=catalog.get(key))
    except RetryableError:  # written by hand, with other spaces than relance writes
        _remove(store, key)
        catalog.put(key, wanted, expected=None)
    return f"{table} serves {index}"
