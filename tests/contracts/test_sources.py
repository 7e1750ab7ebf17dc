"""What every source promises, alone and with the parsers, checked over every implementation."""

import threading
import unicodedata
from collections.abc import Generator

import pytest
from buckets import S3Server, s3_server
from git_repositories import Repo, daemon, needs_git
from lakes import some_rows
from mail_servers import Account, dovecot, mail, needs_dovecot
from row_items import row_items
from sites import site, web

from relance.config import IndexSpec
from relance.documents import Content, Document, Ignored, Item
from relance.errors import ConfigurationError, DocumentError
from relance.pipeline.text_reader import TextReader, open_text_reader
from relance.sources import Source, open_source
from relance.testing.sources import SourceContract


def files(folder):
    docs = folder / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "a.md").write_text("# Alpha\n\ncafe\u0301\r\n", newline="")
    (docs / "sub/b.txt").write_bytes("中文文本，这是一个测试。".encode("gbk"))
    (docs / "sub/c.html").write_text("<h1>Gamma</h1><p>Some text about pumps.</p>")
    (docs / "rows.jsonl").write_text('{"id": 1, "text": "one"}\n{"id": 2, "text": ""}\n{"id": 3, "text": "three"}\n')
    (docs / "empty.md").touch()
    (docs / "binary.txt").write_bytes(bytes(range(256)))
    sources = [{"type": "files", "root": "other"}, {"type": "files", "root": "docs", "rows": {}}]
    return IndexSpec.model_validate({"name": "t", "sources": sources, "folder": folder})


def missing_files(folder):
    return IndexSpec.model_validate({"name": "t", "sources": [{"type": "files", "root": "nowhere"}], "folder": folder})


@pytest.fixture(params=[files], ids=lambda make: make.__name__)
def source(request, tmp_path) -> TextReader:
    return open_text_reader(request.param(tmp_path), 1)


class TestFiles(SourceContract):
    """The built-in source of files."""

    @pytest.fixture
    def source(self, tmp_path) -> Source:
        return open_source(files(tmp_path), 1)

    @pytest.fixture
    def missing(self, tmp_path) -> Source:
        return open_source(missing_files(tmp_path), 0)


@needs_git
class TestGit(SourceContract):
    """A repository on a server."""

    @pytest.fixture
    def source(self, tmp_path) -> Generator[Source]:
        repo = Repo(tmp_path / "work", tmp_path / "srv/repo.git")
        for name in ("a.md", "sub/b.txt", "sub/c #1.md"):
            repo.write(name, f"The text of {name}.")
        repo.write("empty.md", "")
        repo.write("lfs.md", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n")
        repo.commit()
        with daemon(tmp_path / "srv") as url:
            yield open_source(of_git(tmp_path, f"{url}/repo.git"), 1)

    @pytest.fixture
    def missing(self, tmp_path) -> Generator[Source]:
        with daemon(tmp_path) as url:
            yield open_source(of_git(tmp_path, f"{url}/nowhere.git"), 1)


class MailContract(SourceContract):
    """Mails, wherever they are."""

    @pytest.fixture
    def missing(self, tmp_path) -> Source:
        return open_source(of_mail(tmp_path, {"maildir": "nowhere"}), 1)


class TestMaildir(MailContract):
    """A Maildir."""

    @pytest.fixture
    def source(self, tmp_path) -> Source:
        for number in range(4):
            folder = tmp_path / "Maildir" / (".Lists" if number == 2 else "") / "cur"
            folder.mkdir(parents=True, exist_ok=True)
            data = mail(f"M{number}", f"Text {number}.") if number else b""
            (folder / f"170000000{number}.x.host:2,S").write_bytes(data)
        return open_source(of_mail(tmp_path, {"maildir": "Maildir"}), 1)


@pytest.fixture(scope="module")
def account() -> Generator[Account]:
    with dovecot() as found:
        for number in range(3):
            found.put("Lists" if number == 2 else "INBOX", mail(f"M{number}", f"Text {number}."))
        yield found


@needs_dovecot
class TestImap(MailContract):
    """An IMAP account."""

    @pytest.fixture
    def source(self, tmp_path, account) -> Source:
        return open_source(of_mail(tmp_path, {"host": "127.0.0.1", "port": account.port, "security": "none",
                                              "username": account.user, "password": account.password}), 1)  # fmt: skip


def of_mail(folder, place):
    sources = [{"type": "files", "root": "other"}, {"type": "mail", **place}]
    return IndexSpec.model_validate({"name": "t", "sources": sources, "folder": folder})


def of_git(folder, url):
    sources = [{"type": "files", "root": "other"}, {"type": "git", "url": url}]
    return IndexSpec.model_validate({"name": "t", "sources": sources, "folder": folder})


class TestConnector(SourceContract):
    """The source of type connector, with a stand-in for Confluence."""

    @pytest.fixture
    def case(self):
        pytest.importorskip("unstructured_ingest", reason="the extra connectors is not installed")
        from connector_sources import served

        with served("confluence") as case:
            yield case

    @pytest.fixture
    def source(self, case) -> Source:
        from connector_sources import connector

        return connector(case.section(), position=1)

    @pytest.fixture
    def missing(self, case) -> Source:
        from connector_sources import connector

        return connector(case.nowhere())


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        server.make("shelf")
        for key, text in {
            "docs/a.md": "# A",
            "docs/sub/b c#1.txt": "Text.",
            "docs/d.md": "# D",
            "docs/e.md": "",
        }.items():
            server.put("shelf", key, text)
        yield server


class TestObjects(SourceContract):
    """A bucket of an S3 server."""

    @pytest.fixture
    def source(self, s3: S3Server) -> Source:
        files = {"type": "files", "root": "other"}
        section = s3.section("shelf", url="s3://shelf/docs")
        return open_source(IndexSpec.model_validate({"name": "t", "sources": [files, section]}), 1)

    @pytest.fixture
    def missing(self, s3: S3Server) -> Source:
        return open_source(IndexSpec.model_validate({"name": "t", "sources": [s3.section("no-such-shelf")]}), 0)


class TestWeb(SourceContract):
    """The built-in source of pages."""

    @pytest.fixture
    def served(self):
        with site() as served:
            for path in ("/a", "/b/", "/c.html"):
                served.put(path, f"The page at {path}.")
            served.put("/hidden", "Hidden", head="<meta name='robots' content='noindex'>")
            served.put("/broken", "", status=301, headers={"Location": "/broken"})
            served.sitemap("/a", "/b/", "/c.html", "/hidden", "/broken", "/gone", "https://other.example/")
            yield served

    @pytest.fixture
    def source(self, tmp_path, served) -> Source:
        return web(tmp_path, f"{served.url}/sitemap.xml", position=1)

    @pytest.fixture
    def missing(self, tmp_path, served) -> Source:
        return web(tmp_path, f"{served.url}/nowhere.xml")


class TestSql(SourceContract):
    """Tables of each kind of database."""

    @pytest.fixture
    def source(self, database) -> Source:
        database.fill(3)
        for name in ("more", "others"):
            database.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, text VARCHAR(99))",
                             f"INSERT INTO {name} VALUES (1, 'A row.')")  # fmt: skip
        return database.source(table=["notes", "more", "others"])

    @pytest.fixture
    def missing(self, database) -> Source:
        database.fill(3)
        return database.source(table=["nowhere"])


@pytest.mark.parametrize("form", ["parquet", "delta", "iceberg", "lance"])
class TestLake:
    """What a source of one table promises; the contract wants three."""

    def test_it_keeps_the_contract(self, make_lake, form):
        lake = make_lake(form)
        lake.write(some_rows())
        contract, source = SourceContract(), lake.source()
        contract.test_it_has_the_methods_of_the_seam(source)
        contract.test_it_names_its_section_and_its_version(source)
        contract.test_a_listing_is_stable(source)
        contract.test_it_parses_nothing(source)
        contract.test_opening_gives_the_same_bytes_as_reading(source)
        contract.test_the_uri_alone_is_enough_to_read(source)
        contract.test_what_cannot_be_read_is_a_failure_with_its_uri_and_one_sentence(source)
        contract.test_what_is_larger_than_max_size_is_a_failure(source)
        contract.test_everything_it_lists_has_a_location_and_nothing_elsewhere_has(source)
        contract.test_threads_may_share_it(source)


def items(source):
    """List everything, collections and what they hold."""
    for found in source.list():
        if isinstance(found, Ignored):
            continue
        yield found
        if isinstance(found, Item) and found.collection:
            yield from row_items(source.rows(found))


def documents(source):
    for item in items(source):
        if isinstance(item, Item) and not item.collection:
            try:
                content = source.read(item)
                yield item, content, source.parse(content)
            except DocumentError:
                continue


def test_a_listing_is_stable(source):
    assert [getattr(item, "uri", item) for item in source.list()] == [
        getattr(item, "uri", item) for item in source.list()
    ]
    assert [item for item in items(source) if isinstance(item, Item)] == [
        item for item in items(source) if isinstance(item, Item)
    ]


def test_uris_are_unique_and_every_item_names_its_source(source):
    found = [item for item in items(source) if isinstance(item, Item)]
    assert len(found) > 3
    assert len({item.uri for item in found}) == len(found)
    assert {item.source for item in found} == {1}
    assert all(item.version and item.media_type and item.size >= 0 for item in found)


def test_only_rows_have_a_parent_and_a_payload(source):
    collections = {item.uri for item in source.list() if isinstance(item, Item) and item.collection}
    for item in items(source):
        if isinstance(item, Item):
            assert (item.row is None) == (item.parent is None)
            assert item.parent is None or item.parent in collections


def test_a_document_is_where_its_item_said_and_its_text_is_clean(source):
    found = list(documents(source))
    assert len(found) > 3
    for item, content, document in found:
        assert isinstance(content, Content)
        assert isinstance(document, Document)
        assert (document.uri, document.media_type) == (item.uri, item.media_type)
        assert document.content_hash == content.content_hash
        assert document.text.strip()
        assert unicodedata.is_normalized("NFC", document.text)
        assert not {"\r", "\0"} & set(document.text)
        assert all(0 <= page <= len(document.text) for page in document.pages)
        assert list(document.pages) == sorted(document.pages)


def test_metadata_are_json(source):
    import json

    for _, _, document in documents(source):
        assert json.loads(json.dumps(document.metadata, allow_nan=False)) == document.metadata


def test_reading_twice_gives_the_same_hash_and_text(source):
    first = [(item.uri, content.content_hash, document.text) for item, content, document in documents(source)]
    assert first == [(item.uri, content.content_hash, document.text) for item, content, document in documents(source)]


def test_what_cannot_be_read_is_a_failure_with_its_uri_and_one_sentence(source):
    failures = []
    for item in items(source):
        if isinstance(item, DocumentError):
            failures.append((item, item.uri))
        elif not item.collection:
            try:
                source.parse(source.read(item))
            except DocumentError as error:
                failures.append((error, item.uri))
    assert len(failures) > 1
    for error, uri in failures:
        assert error.uri == uri
        assert error.reason
        assert "\n" not in error.reason
        assert "Traceback" not in error.reason


def test_every_item_has_a_parser_version(source):
    for item in items(source):
        if isinstance(item, Item):
            assert source.parser_version(item.media_type)
            assert source.parser_version(item.media_type) == source.parser_version(item.media_type)


def test_threads_may_share_it(source):
    expected = [(item.uri, document.text) for item, _, document in documents(source)]
    seen: list[list] = []
    threads = [
        threading.Thread(target=lambda: seen.append([(item.uri, doc.text) for item, _, doc in documents(source)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 4


@pytest.mark.parametrize("make", [missing_files])
def test_a_source_that_is_not_there_is_never_taken_for_an_empty_one(make, tmp_path):
    with pytest.raises(ConfigurationError):
        list(open_text_reader(make(tmp_path), 0).list())
