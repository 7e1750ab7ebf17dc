"""Images and videos of a bucket: as objects, in tables, and in documents that show them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import SECRET, S3Server, s3_server
from media_rows import media_rows

from relance.store import open_store
from relance.store.thumbnails import ThumbnailTable


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server, gallery: Any, tmp_path: Path) -> str:
    server.clear()
    name = tmp_path.name.replace("_", "-").lower().strip("-")
    server.make(name)
    for key, colour in {"pics/a.png": "red", "pics/b #1.png": "green", "c.png": "blue"}.items():
        server.put(name, key, gallery.png(colour))
    server.put(name, "tables/m.csv", f"id,url,caption\n1,/c.png,a lake\n2,s3://{name}/pics/a.png,a barn\n")
    server.put(name, "docs/j.md", "# Journal\n\n![a meadow](../pics/b%20%231.png)\n")
    return name


def test_pictures_of_a_bucket_are_found_wherever_they_are_named(server: S3Server, bucket: str, gallery: Any) -> None:
    source = server.section(bucket, rows={"url": "url", "caption": "caption"}, presign="2h")
    index = gallery.index(sources=[source], media=gallery.media(thumbnails="1MB"))
    index.ingest()
    assert len(ThumbnailTable(open_store(index.spec), "gallery").keys()) == 3, "the page cannot fetch them"
    base, rows = f"s3://{bucket}", media_rows(index)
    assert {uri: row["url"] for uri, row in rows.items()} == {
        f"{base}/pics/a.png": f"{base}/pics/a.png",
        f"{base}/pics/b %231.png": f"{base}/pics/b %231.png",
        f"{base}/c.png": f"{base}/c.png",
        f"{base}/tables/m.csv#1": f"{base}/c.png",
        f"{base}/tables/m.csv#2": f"{base}/pics/a.png",
        next(uri for uri in rows if uri.startswith(f"{base}/docs/j.md#")): f"{base}/pics/b %231.png",
    }
    assert SECRET not in str(rows)
    assert "X-Amz-Signature" not in str(rows)


def test_a_new_signature_is_no_new_picture(server: S3Server, bucket: str, gallery: Any) -> None:
    source = server.section(bucket, rows={"url": "url", "caption": "caption"})
    gallery.index(sources=[source | {"presign": "2h"}]).ingest()
    report = gallery.index(sources=[source | {"presign": "1h"}]).ingest().media
    assert report is not None
    assert (report.added, report.changed, report.removed) == (0, 0, 0)
    assert report.tokens == 0
    server.put(bucket, "c.png", gallery.png("white"))
    report = gallery.index(sources=[source]).ingest().media
    assert report is not None
    assert (report.added, report.changed, report.removed) == (0, 2, 0)
