"""The types of the public names, as a type checker sees them: `ty check` reads this file, nothing runs it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, assert_type

import pandas as pd
import pyarrow as pa
from lancedb.table import Table

import relance
from relance import (
    CacheSpace,
    Explanation,
    FailureRow,
    Hit,
    Hits,
    Index,
    Maintained,
    MediaHit,
    Plan,
    Preview,
    Progress,
    Report,
    Rollback,
    RunHandle,
    RunSummary,
    Status,
)


def ingests(index: Index) -> None:
    handle = RunHandle(on_progress=shown)
    assert_type(index.plan(handle=handle), Plan)
    assert_type(index.preview(), Preview)
    report = index.ingest(full=True, only=["docs/a.md"], wait_s=1.5, approved=True, handle=handle)
    assert_type(report, Report)
    assert_type(report.added, int)
    assert_type(report.media, Report | None)
    assert_type(index.rollback("run"), Rollback)
    assert_type(index.maintain(wait_s=1), Maintained)


def shown(progress: Progress) -> None:
    assert_type(progress.documents, int)


def searches(index: Index) -> None:
    hits = index.search("ferry", k=3, mode="full-text", filter="year > 2000", explain=True)
    assert_type(hits, Hits[Hit])
    assert_type(hits[0], Hit)
    assert_type(hits.more, bool)
    assert_type(hits.explanation, Explanation | None)
    assert_type([hit.metadata for hit in hits], list[dict[str, Any]])
    media = index.search_media("ferry", image="ferry.png", mode="dense")
    assert_type(media, Hits[MediaHit])
    assert_type([hit.also for hit in media], list[list[str]])
    assert_type(index.search_both(like="docs/a.md"), tuple[Hits[Hit], Hits[MediaHit]])


def is_given_to_others(hits: Hits[Hit], media: Hits[MediaHit]) -> None:
    assert_type(hits.to_list(), list[dict[str, Any]])
    _arrow: pa.Table = media.to_arrow()
    assert_type(hits.to_pandas(), pd.DataFrame)


async def awaits(index: Index) -> None:
    assert_type(await index.asearch("ferry", k=3, mode="hybrid"), Hits[Hit])
    assert_type(await index.asearch_media(image="ferry.png"), Hits[MediaHit])
    assert_type(await index.asearch_both("ferry", group=True), tuple[Hits[Hit], Hits[MediaHit]])
    assert_type(await index.aingest(only=["docs/a.md"]), Report)


def describes(index: Index) -> None:
    status = index.status()
    assert_type(status, Status)
    assert_type(status.documents, int)
    assert_type(status.table, str | None)
    assert_type(status.media, Status | None)
    assert_type(status.last_run, RunSummary | None)
    assert_type(index.table(media=True), Table)
    (run, *_) = index.runs(limit=5)
    assert_type(run, RunSummary)
    assert_type(run.part, Literal["text", "media"])
    assert_type(run.ended_at, datetime)
    (failure, *_) = index.failures()
    assert_type(failure, FailureRow)
    assert_type(failure.failed_at, datetime)
    assert_type(index.cache(), list[CacheSpace])
    assert_type(index.prune_cache("500MB"), list[CacheSpace])
    for described in (status, run, failure, index.cache()[0]):
        assert_type(described.as_dict(), dict[str, Any])


def opens(spec: relance.IndexSpec) -> None:
    with Index(spec) as index:
        assert_type(index, Index)
    assert_type(relance.load_spec("index.yaml"), relance.IndexSpec)
    _version: str = relance.__version__


def is_refused(index: Index) -> None:
    """What a caller gets wrong is an error; an ignore that is not needed is one as well (pyproject.toml)."""
    index.search("ferry", mode="vector")  # ty: ignore[invalid-argument-type]
    index.asearch("ferry", limit=3)  # ty: ignore[unknown-argument]
    index.status()["documents"]  # ty: ignore[not-subscriptable]
    _caption = index.search("ferry")[0].caption  # ty: ignore[missing-attribute]
    _indexes = relance.Indexes  # ty: ignore[missing-attribute]
