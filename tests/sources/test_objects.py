"""Objects of a bucket, read from a real S3 server."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import KEY_ID, SECRET, S3Server, s3_server

from relance.config import IndexSpec
from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError, MissingExtraError, RelanceError, SourceError
from relance.index import Index
from relance.sources import Source, open_source
from relance.sources.objects.address import Address

Make = Callable[..., Index]
Log = Callable[[], list[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(server: S3Server) -> S3Server:
    server.clear()
    return server


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> str:
    name = tmp_path.name.replace("_", "-").lower().strip("-")
    s3.make(name)
    return name


def source_of(section: dict[str, Any], **more: Any) -> Source:
    spec = {"name": "t", "sources": [section], "folder": Path("/srv")} | more
    return open_source(IndexSpec.model_validate(spec), 0)


def items(source: Source) -> dict[str, Item]:
    return {found.uri: found for found in source.list() if isinstance(found, Item)}


def only(source: Source) -> Item:
    (item,) = items(source).values()
    return item


def ignored(source: Source) -> dict[str, str]:
    return {found.uri: found.reason for found in source.list() if isinstance(found, Ignored)}


def test_objects_are_listed_by_their_address_with_the_patterns_of_a_folder(s3, bucket):
    for key in ("docs/a.md", "docs/sub/b.md", "docs/.hidden/c.md", "docs/.d.md", "docs/draft/x/e.md", "docs/draft/f.md",
                "docs/.git/config.md", "docs/t.lance/data/g.md", "docs/h.iso", "docs/i.md.bak", "elsewhere.md"):  # fmt: skip
        s3.put(bucket, key, key)
    s3.put(bucket, "docs/", "")
    s3.put(bucket, "docs/empty.md", "")
    source = source_of(s3.section(bucket, url=f"s3://{bucket}/docs/", include=["*.md"], exclude=["draft/"]))
    base = f"s3://{bucket}/docs"
    found = items(source)
    assert list(found) == [f"{base}/a.md", f"{base}/sub/b.md"]
    assert found[f"{base}/a.md"].size == len("docs/a.md")
    assert found[f"{base}/a.md"].media_type == "text/markdown"
    assert ignored(source) == {
        f"{base}/.hidden/": "hidden",
        f"{base}/.d.md": "hidden",
        f"{base}/draft/": "in exclude",
        f"{base}/t.lance/": "LanceDB table",
        f"{base}/h.iso": "not in include",
        f"{base}/i.md.bak": "not in include",
        f"{base}/empty.md": "empty",
    }
    assert f"{base}/.d.md" in items(source_of(s3.section(bucket, url=f"s3://{bucket}/docs", hidden=True)))


def test_a_marker_is_of_the_content(s3, bucket):
    s3.put(bucket, "a.md", "one")
    source = source_of(s3.section(bucket))
    before = items(source)[f"s3://{bucket}/a.md"].version
    s3.put(bucket, "a.md", "one")
    assert items(source)[f"s3://{bucket}/a.md"].version == before
    s3.put(bucket, "a.md", "two")
    assert items(source)[f"s3://{bucket}/a.md"].version != before


ODD = ["a b.md", "a#1.md", "t.jsonl#1", "t.jsonl", "a?b=c.md", "a%20b.md", "100%.md", "a+b.md", "ü.md", "e\u0301.md",
       "文档/一.md", "a\\b.md", "~x.md", "a*b.md", "a<b>.md", 'a"b.md', "a:b.md", "a&b;c.md", "a[1].md", "{x}.md", "..a.md"]  # fmt: skip


def test_odd_keys_are_read_and_never_meet(s3, bucket):
    for key in ODD:
        s3.put(bucket, key, f"text of {key}")
    source = source_of(s3.section(bucket, include=["*"], hidden=True))
    found = items(source)
    assert len(found) == len(ODD)
    assert {source.read(item).data.decode() for item in found.values()} == {f"text of {key}" for key in ODD}
    assert not any("#" in uri for uri in found), "a # begins the id of a row"
    for uri in found:
        assert source.location(uri) is not None
        with source.open(found[uri]) as (stream, size):
            assert len(stream.read()) == size
    address = Address.read(f"s3://{bucket}")
    assert {address.key(address.uri(key)) for key in ODD} == set(ODD)


@pytest.mark.parametrize("odd", ["a//b.md", "x/../b.md", "x/./b.md", "..", "a\tb.md", "b//", "a.md/", "//b.md"])
def test_a_key_that_no_library_can_address_is_one_failure(s3, bucket, odd):
    for key in ("!.md", "a.md", "z.md"):
        s3.put(bucket, key, key)
    s3.put(bucket, odd, "odd")
    found = list(source_of(s3.section(bucket)).list())
    assert [each.uri.rpartition("/")[2] for each in found if isinstance(each, Item)] == ["!.md", "a.md", "z.md"]
    (said,) = (each for each in found if not isinstance(each, Item))
    assert "rename it" in said.reason or said.reason in {"hidden", "type that is not read", "empty"}


def test_without_opendal_such_a_key_is_said_and_nothing_is_lost(s3, bucket, monkeypatch):
    s3.put(bucket, "a//b.md", "odd")
    monkeypatch.setitem(__import__("sys").modules, "opendal", None)
    with pytest.raises(SourceError, match=r"a//b\.md.*relance\[opendal\]"):
        list(source_of(s3.section(bucket)).list())


def test_a_key_that_looks_like_another_one_stops_the_listing(s3, bucket):
    s3.put(bucket, "/z.md", "one")
    s3.put(bucket, "a.md", "two")
    with pytest.raises(SourceError, match=r"begins with /.*rename it"):
        list(source_of(s3.section(bucket)).list())


def test_content_is_what_the_bucket_has(s3, bucket):
    s3.put(bucket, "a.md", "one")
    source = source_of(s3.section(bucket))
    item = only(source)
    content = source.read(item)
    assert content.data == b"one"
    assert content.metadata["size"] == 3
    assert content.metadata["mtime"].endswith("Z")


def test_a_large_object_is_read_in_parts(s3, bucket):
    data = b"".join(b"%09d\n" % number for number in range(1_200_000))
    s3.put(bucket, "big.jsonl", data)
    source = source_of(s3.section(bucket, max_size="1KB"))
    item = only(source)
    with pytest.raises(DocumentError, match="max_size"):
        source.read(item)
    s3.clear()
    with source.open(item) as (stream, size):
        assert size == len(data)
        stream.seek(-10, 2)
        assert stream.read() == b"001199999\n"
        stream.seek(10)
        assert stream.readline() == b"000000001\n"
        assert len(s3.reads()) == 2, "not the whole object"
        stream.seek(0)
        assert stream.read() == data
        assert len(s3.reads()) <= 5, "in large parts"


def test_an_object_that_changes_while_it_is_read_is_refused(s3, bucket):
    s3.put(bucket, "big.jsonl", b"1" * 9_000_000)
    source = source_of(s3.section(bucket))
    item = only(source)
    with pytest.raises(DocumentError, match="changed while being read"), source.open(item) as (stream, _):
        assert stream.read(1) == b"1"
        s3.put(bucket, "big.jsonl", b"2" * 9_000_000)
        stream.read()


def test_an_archived_object_is_a_failure_that_says_so(s3, bucket):
    s3.put(bucket, "old.md", "text", **{"x-amz-storage-class": "GLACIER"})
    source = source_of(s3.section(bucket))
    item = only(source)
    with pytest.raises(DocumentError, match="archived"):
        source.read(item)


def test_nothing_outside_of_the_folder_is_one_of_its_documents(s3, bucket):
    source = source_of(s3.section(bucket, url=f"s3://{bucket}/docs"))
    inside = [f"s3://{bucket}/docs/a.md", f"s3://{bucket}/docs/t.csv#7", f"s3://{bucket}/docs/a%23b.md"]
    assert all(source.location(uri) for uri in inside)
    for uri in (f"s3://{bucket}/docs", f"s3://{bucket}/docs/", f"s3://{bucket}/docs2/a.md", f"s3://{bucket}/docs/../a.md",
                "s3://other/docs/a.md", "docs/a.md", f"gs://{bucket}/docs/a.md", f"s3://{bucket}/docs//a.md"):  # fmt: skip
        assert source.location(uri) is None
        with pytest.raises(DocumentError):
            source.read(Item(uri, "", "text/markdown"))


def test_the_store_of_the_index_is_never_a_document(s3, bucket):
    for key in ("docs/a.md", "docs/db/relance.md", "docs/db2/b.md"):
        s3.put(bucket, key, key)
    source = source_of(s3.section(bucket), store={"uri": f"s3://{bucket}/docs/db"})
    assert list(items(source)) == [f"s3://{bucket}/docs/a.md", f"s3://{bucket}/docs/db2/b.md"]
    assert not ignored(source)


# -- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_bucket_that_is_not_there_is_a_configuration_error(s3):
    with pytest.raises(ConfigurationError, match="no such bucket"):
        list(source_of(s3.section("no-such-bucket")).list())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"key_id": "stranger"}, "access is refused"),
        ({"endpoint": "http://127.0.0.1:1"}, "does not answer"),
    ],
)
def test_a_server_that_refuses_or_is_away_is_no_empty_bucket(s3, bucket, changed, words, monkeypatch):
    from relance.sources.objects import obstore_bucket

    monkeypatch.setitem(obstore_bucket._RETRIES, "max_retries", 1)
    s3.put(bucket, "a.md", "text")
    source = source_of(s3.section(bucket, **changed))
    with pytest.raises(SourceError, match=words) as caught:
        list(source.list())
    assert "\n" not in str(caught.value)
    with pytest.raises(DocumentError) as failed:
        source.read(Item(f"s3://{bucket}/a.md", "", "text/markdown"))
    assert SECRET not in str(caught.value) + str(failed.value)


def test_a_page_that_fails_is_asked_for_again(s3, bucket):
    s3.put(bucket, "a.md", "text")
    failures = iter([(503, "SlowDown"), (500, "InternalError")])
    s3.fault = lambda request: next(failures, None)
    assert len(items(source_of(s3.section(bucket)))) == 1
    assert len(s3.requests) == 3


def test_a_listing_that_fails_in_the_middle_says_so(s3, bucket, monkeypatch):
    from relance.sources.objects import obstore_bucket

    monkeypatch.setitem(obstore_bucket._RETRIES, "max_retries", 1)
    for number in range(5):
        s3.put(bucket, f"{number}.md", "text")
    s3.page = 2
    assert len(items(source_of(s3.section(bucket)))) == 5
    s3.fault = lambda request: (500, "InternalError") if "continuation-token" in request[2] else None
    seen = []
    with pytest.raises(SourceError, match="500 InternalError"):
        for each in source_of(s3.section(bucket)).list():
            seen.append(each)  # noqa: PERF402
    assert len(s3.requests) == 3 + 1 + 2, "the page that failed was asked for again"


def test_an_object_that_appears_while_listing_is_in_this_listing_or_the_next(s3, bucket):
    s3.put(bucket, "a.md", "text")
    source = source_of(s3.section(bucket))
    listing = source.list()
    next(listing)
    s3.put(bucket, "b.md", "text")
    list(listing)
    assert list(items(source)) == [f"s3://{bucket}/a.md", f"s3://{bucket}/b.md"]


def test_secrets_are_not_shown(s3, bucket):
    source = source_of(s3.section(bucket, token="another-secret"))
    shown = f"{source.spec!r} {source.spec.model_dump_json()} {source.location()}"
    assert SECRET not in shown
    assert KEY_ID not in shown
    assert "another-secret" not in shown


def test_without_the_library_the_extra_is_named(s3, bucket, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    source = source_of(s3.section(bucket))
    assert source.location(f"s3://{bucket}/a.md") is not None
    with pytest.raises(MissingExtraError, match=r"relance\[objects\]"):
        list(source.list())


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"url": "bucket/docs"}, "looks like s3://"),
        ({"url": "sftp://host/docs"}, "mount it"),
        ({"url": "ftp://host/docs"}, "known are s3://"),
        ({"url": "s3://bucket/a//b"}, "empty part"),
        ({"endpoint": "127.0.0.1:9000"}, "http://"),
        ({"include": ["./a"]}, "matches nothing"),
        ({"presign": "soon"}, "no duration"),
        ({"presign": "8d"}, "at most 7d"),
    ],
)
def test_a_wrong_section_is_refused_with_a_sentence(section, words):
    with pytest.raises((ValueError, RelanceError), match=words):
        source_of({"type": "objects", "url": "s3://bucket"} | section)


def test_an_unknown_option_is_named(s3, bucket):
    with pytest.raises(ConfigurationError, match="nonsense"):
        list(source_of(s3.section(bucket, options={"nonsense": "1"})).list())


# -- addresses for services --------------------------------------------------------------------------------------


def test_presigned_addresses_can_be_fetched_and_are_one_picture(s3, bucket):
    import httpx

    from relance.media.identity import Identity, expiry

    s3.put(bucket, "shots/a b#1.png", b"picture")
    source = source_of(s3.section(bucket, presign="2h"))
    place = source.location(f"s3://{bucket}/shots/a b%231.png")
    assert place is not None
    s3.clear()
    assert source.location(f"s3://{bucket}/shots/a b%231.png") is not None
    assert not s3.requests, "nobody is asked for a signature"
    assert httpx.get(place.url, trust_env=False).content == b"picture"
    assert expiry(place.url) is not None
    assert Identity()(place.url) == f"{s3.endpoint}/{bucket}/shots/a%20b%231.png"
    assert SECRET not in place.url


def test_a_public_address_goes_before_a_signed_one(s3, bucket):
    section = s3.section(bucket, url=f"s3://{bucket}/shots", public_url="https://cdn.example.com/m/", presign="2h")
    place = source_of(section).location(f"s3://{bucket}/shots/a b%231.png")
    assert place is not None
    assert place.url == "https://cdn.example.com/m/a%20b%231.png"


# -- the whole way -----------------------------------------------------------------------------------------------


def test_an_index_follows_a_bucket_and_buys_only_what_is_new(s3, bucket, make_index: Make, log: Log):
    for name, text in {
        "rivers": "A gauge tells how high the river is.",
        "bridges": "A bridge spans the water.",
    }.items():
        s3.put(bucket, f"docs/{name}.md", f"# {name}\n\n{text}\n")
    s3.put(bucket, "docs/rows.jsonl", '{"id": 1, "text": "One ferry."}\n{"id": 2, "text": "Two ferries."}\n')
    section = s3.section(bucket, url=f"s3://{bucket}/docs", rows={})
    index = make_index(sources=[section])
    assert index.ingest().added == 4
    hit = index.search("gauge river", mode="full-text")[0]
    assert hit.uri == f"s3://{bucket}/docs/rivers.md"
    assert "Two ferries." in [hit.text for hit in index.search("ferries", mode="full-text")]
    bought = len(log())

    s3.clear()
    report = index.ingest()
    assert (report.added, report.changed, report.removed) == (0, 0, 0)
    assert s3.reads() == [], "a run without a change reads no object"
    s3.put(bucket, "docs/rivers.md", "# rivers\n\nA gauge tells how high the river is.\n")  # touched
    index.ingest()
    assert s3.reads() == []

    s3.put(bucket, "docs/rivers.md", "# rivers\n\nThe gauge is broken.\n")
    s3.put(bucket, "docs/spans.md", "# bridges\n\nA bridge spans the water.\n")  # renamed
    s3.remove(bucket, "docs/bridges.md")
    report = index.ingest()
    assert (report.added, report.changed, report.removed) == (1, 1, 1)
    assert len(log()) == bought + 1

    s3.remove(bucket, "docs/rows.jsonl")
    assert index.ingest().removed == 2
    assert {hit.uri for hit in index.search("water gauge", mode="full-text")} == {
        f"s3://{bucket}/docs/rivers.md", f"s3://{bucket}/docs/spans.md"}  # fmt: skip


def test_a_named_object_is_found_without_looking_at_others(s3, bucket, make_index: Make):
    s3.put(bucket, "a.md", "# a\n\nA lock lifts ships.\n")
    index = make_index(sources=[s3.section(bucket)])
    index.ingest()
    s3.put(bucket, "b.md", "# b\n\nA weir holds water.\n")
    s3.put(bucket, "c.md", "# c\n\nA dyke keeps it out.\n")
    s3.clear()
    assert index.ingest(only=[f"s3://{bucket}/b.md"]).added == 1
    assert s3.reads() == [f"/{bucket}/b.md"]
    assert index.search("weir", mode="full-text")[0].uri == f"s3://{bucket}/b.md"


def test_a_source_goes_to_other_processes(s3, bucket):
    source = source_of(s3.section(bucket))
    assert pickle.loads(pickle.dumps(source.spec)) == source.spec
