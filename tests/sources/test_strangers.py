"""A source of somebody else, on no disk: what lists and reads needs no code for tables, pages and their pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from row_items import row_items

from relance.config import MediaSpec, SourceSpec
from relance.documents import Content, Item, digest
from relance.errors import ConfigurationError, DocumentError
from relance.parsers import Collection, Row, installed_parsers, open_parsers
from relance.parsers.table_rows import TableRows
from relance.pipeline.media_reader import MediaReader
from relance.pipeline.text_reader import TextReader
from relance.sources import Location, Source, SourceContext
from relance.testing.sources import SourceContract


class BucketSpec(SourceSpec):
    bucket: str


BUCKETS: dict[str, dict[str, bytes]] = {
    "b": {
        "a.md": b"# Alpha\n\n![a barn](pics/barn.png) ![](/top.png) ![](https://example.com/c.png) ![](../../d.png)\n",
        "pics/barn.png": b"\x89PNG",
        "rows.jsonl": b'{"id": 1, "text": "one", "url": "x.png"}\n{"id": 2, "text": "two", "url": "/y.png"}\n',
        "sub/b.txt": b"Some words.",
    }
}


class Bucket(Source):
    """Objects by key."""

    Spec = BucketSpec
    version = "bucket-1"
    spec: BucketSpec

    def list(self) -> Iterator[Item | DocumentError]:
        if self.spec.bucket not in BUCKETS:
            raise ConfigurationError(f"there is no bucket {self.spec.bucket!r}; correct `bucket`")
        for key, data in sorted(BUCKETS[self.spec.bucket].items()):
            kind = self.context.media_type_of(key)
            if self.context.wanted(kind):
                yield Item(self._root + key, digest("etag", data), kind, len(data), self.context.position)

    def read(self, item: Item) -> Content:
        data = BUCKETS[self.spec.bucket].get(item.uri.removeprefix(self._root))
        if data is None:
            raise DocumentError(item.uri, "there is no such object")
        if len(data) > self.spec.max_size:
            raise DocumentError(item.uri, f"it has {len(data)} bytes, more than max_size")
        return Content(item, data, metadata={"bucket": self.spec.bucket})

    def location(self, uri: str = "") -> Location | None:
        if uri and not uri.startswith(self._root):
            return None
        return Location(uri or self._root, url=f"https://{self.spec.bucket}.example.com/{uri.removeprefix(self._root)}")

    @property
    def _root(self) -> str:
        return f"mem://{self.spec.bucket}/"


def bucket(name: str = "b", **options: Any) -> Bucket:
    return Bucket(
        BucketSpec.model_validate({"type": "bucket", "bucket": name, **options}), SourceContext(Path("/spec"), 2)
    )


class TestBucket(SourceContract):
    @pytest.fixture
    def source(self) -> Source:
        return bucket()

    @pytest.fixture
    def missing(self) -> Source:
        return bucket("elsewhere")


def test_documents_and_rows_are_read_by_the_parsers() -> None:
    reader = TextReader(bucket(rows={"text": "text"}), installed_parsers(), skip_media=True)
    items = [item for item in reader.list() if isinstance(item, Item)]
    assert [(item.uri, item.collection) for item in items] == [
        ("mem://b/a.md", False), ("mem://b/rows.jsonl", True), ("mem://b/sub/b.txt", False)]  # fmt: skip
    document = reader.parse(reader.read(items[0]))
    assert (document.title, document.metadata["bucket"], document.metadata["path"]) == ("Alpha", "b", "mem://b/a.md")
    rows = [row for row in row_items(reader.rows(items[1])) if isinstance(row, Item)]
    assert [(row.uri, row.parent, row.source) for row in rows] == [
        (f"mem://b/rows.jsonl#{name}", "mem://b/rows.jsonl", 2) for name in (1, 2)]  # fmt: skip
    assert reader.parse(reader.read(rows[1])).text == "two"
    assert reader.parser_version("text/markdown") == "bucket-1/markdown-3"


def test_pictures_are_found_beside_the_page_or_table_that_names_them() -> None:
    reader = MediaReader(bucket(rows={"url": "url"}), installed_parsers(), MediaSpec())
    found = [item for item in reader.list() if isinstance(item, Item)]
    assert [(item.uri, item.collection) for item in found] == [
        ("mem://b/a.md", True), ("mem://b/pics/barn.png", False), ("mem://b/rows.jsonl", True)]  # fmt: skip
    rows = [row for item in found if item.collection for row in row_items(reader.rows(item)) if isinstance(row, Item)]
    assert [row.row["urls"] for row in rows if row.row] == [
        ["mem://b/pics/barn.png"], ["mem://b/top.png"], ["https://example.com/c.png"],
        ["mem://b/x.png"], ["mem://b/y.png"]]  # fmt: skip
    assert all(row.live for row in rows), "nothing on this machine says that they changed"
    assert reader.read_place("mem://b/pics/barn.png") == b"\x89PNG"
    assert reader.public_url("mem://b/pics/barn.png") == "https://b.example.com/pics/barn.png"
    with pytest.raises(DocumentError, match="no such object"):
        reader.read_place("mem://b/x.png")


class OddRows(TableRows):
    """Yields what cannot be stored, in its own way and one by one."""

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        yield Row("1", "one", "", {"raw": b"\0"})
        yield Row("2", "two", "", {"b": 1, "a": float("inf")})
        yield Row("3", "half a pair: \ud83d", "", {})


def test_rows_that_cannot_be_stored_cost_no_others() -> None:
    reader = TextReader(bucket(rows={"text": "text"}), open_parsers(given={"rows": OddRows}))
    (table,) = [item for item in reader.list() if isinstance(item, Item) and item.collection]
    found = list(row_items(reader.rows(table)))
    assert [(each.uri, each.reason.partition(":")[0]) for each in found if isinstance(each, DocumentError)] == [
        ("mem://b/rows.jsonl#1", "its metadata are no JSON"),
        ("mem://b/rows.jsonl#3", "its text is not valid Unicode"),
    ]
    (good,) = (each for each in found if isinstance(each, Item))
    assert good.row == {"text": "two", "title": "", "metadata": {"b": 1, "a": float("inf")}}
    assert good.version == digest("row", "two", "", '{"a": Infinity, "b": 1}'), "or an index would be written again"
