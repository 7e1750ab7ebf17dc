"""What is particular to Google Drive: exports, shared drives, readers, and the key of a service account."""

import json

import pytest

pytest.importorskip("unstructured_ingest", reason="the extra connectors is not installed")

import google_service
from connector_sources import connector, items, others, served, text
from google_service import DOCUMENT, DRIVE, NOT_SHOWN, ROOT, SECRET, ident, person

from relance.documents import Ignored
from relance.errors import ConfigurationError, DocumentError, MissingExtraError, SourceError
from relance.sources.connector import patience


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_S", 0.0)


@pytest.fixture
def drive():
    with served("google-drive") as case:
        yield case


def readers(source, name):
    return source.read(items(source)[name]).metadata["principals"]


def shared(drive, *, files=5, **listing):
    """Turn to a shared drive with files in two folders."""
    for number in (1, 2):
        drive.service.folder(f"folder-shared-{number}", DRIVE, drive=DRIVE)
    for number in range(11, 11 + files):
        parent = f"folder-shared-{number % 2 + 1}"
        drive.service.file(ident(number), f"{number}.md", b"Shared words.", parent=parent, drive=DRIVE)
    section = drive.section()
    return section | {"connection": section["connection"] | {"drive_id": DRIVE}} | listing


class TestListing:
    def test_folders_below_are_read_where_recursive_says_so(self, drive):
        drive.service.folder("folder-below-00", ROOT)
        drive.service.file(ident(7), "Deep.md", b"Deep words.", parent="folder-below-00")
        assert ident(7) in items(connector(drive.section()))
        assert ident(7) not in items(connector(drive.section() | {"listing": {"recursive": False}}))

    def test_a_shared_drive_is_one_listing_whatever_folders_it_has(self, drive):
        source = connector(shared(drive))
        assert items(source).keys() == {ident(number) for number in range(11, 16)}
        pages = [query for query in drive.service.queries if query.get("corpora") == "drive"]
        assert len(pages) == 4, "seven files and folders, two on a page"
        assert not any("in parents" in query.get("q", "") for query in drive.service.queries)

    def test_one_file_may_be_named(self, drive):
        section = drive.section()
        section["connection"]["drive_id"] = ident(2)
        assert items(connector(section)).keys() == {ident(2)}

    def test_google_documents_are_exported_and_other_kinds_of_google_are_counted(self, drive):
        drive.service.file(ident(8), "Minutes", b"We met about pumps.", kind=DOCUMENT)
        drive.service.file(ident(9), "Survey", b"", kind="application/vnd.google-apps.form")
        source = connector(drive.section())
        item = items(source)[ident(8)]
        assert item.media_type == google_service.DOCX
        assert "We met about pumps." in text(source, item)
        assert [(type(each), each.reason) for each in others(source)] == [(Ignored, "Google form")]

    def test_a_document_of_google_has_a_version_without_a_checksum(self, drive):
        drive.service.file(ident(8), "Minutes", b"We met.", kind=DOCUMENT)
        source = connector(drive.section())
        before = items(source)
        assert items(source) == before
        drive.service.file(ident(8), "Minutes", b"We met again.", kind=DOCUMENT)
        after = items(source)
        assert [name for name in before if before[name] != after[name]] == [ident(8)]

    def test_a_touch_changes_no_version_of_a_file_and_another_name_does(self, drive):
        source = connector(drive.section())
        before = items(source)
        drive.touch()
        assert items(source) == before
        drive.service.files[ident(1)]["name"] = "Renamed.md"
        assert [name for name, item in items(source).items() if item != before[name]] == [ident(1)]

    def test_the_trash_is_gone_and_what_extensions_leave_out_is_counted(self, drive):
        drive.service.files[ident(1)]["trashed"] = True
        drive.service.file(ident(8), "Table.csv", b"a,b")
        source = connector(drive.section() | {"listing": {"recursive": True, "extensions": ["md"]}})
        assert items(source).keys() == {ident(2), ident(3)}
        assert [(each.reason, each.kind) for each in others(source)] == [("not in extensions", ".csv")]

    def test_a_listing_that_google_calls_incomplete_is_no_listing(self, drive):
        drive.service.incomplete = True
        with pytest.raises(SourceError, match="incompleteSearch"):
            list(connector(drive.section()).list())

    def test_too_many_requests_are_403_at_google_and_are_sent_again(self, drive):
        source, refused = connector(drive.section()), []

        def breaks(path, query):
            if len(refused) < 2:
                refused.append(path)
                return 403, drive.service._error(403, "userRateLimitExceeded"), {"Retry-After": "0"}
            return None

        drive.service.breaks = breaks
        assert len(items(source)) == 3
        assert len(refused) == 2

    def test_too_many_requests_for_good_say_so(self, drive):
        drive.service.breaks = lambda path, query: (403, drive.service._error(403, "rateLimitExceeded"), {})
        with pytest.raises(SourceError, match="asks for fewer requests, also after waiting"):
            list(connector(drive.section()).list())


class TestReading:
    @pytest.mark.parametrize(
        ("code", "reason"), [("cannotDownloadFile", "not download it"), ("exportSizeLimitExceeded", "at most 10 MB")]
    )
    def test_what_google_does_not_give_away_is_a_failure_that_says_why(self, drive, code, reason):
        source = connector(drive.section())
        item = items(source)[ident(1)]
        drive.service.breaks = lambda path, query: (
            (403, drive.service._error(403, code), {}) if "alt" in query else None
        )
        with pytest.raises(DocumentError, match=reason) as caught:
            source.read(item)
        assert caught.value.uri == item.uri

    def test_a_file_that_is_too_large_is_not_read_whole(self, drive):
        drive.service.file(ident(1), "Large.md", b"x" * 3_000_000)
        source = connector(drive.section() | {"max_size": "1MB"})
        with pytest.raises(DocumentError, match="more than max_size") as caught:
            source.read(items(source)[ident(1)])
        assert caught.value.uri.endswith(ident(1))

    def test_a_file_without_a_heading_has_its_name_for_a_title_and_not_its_id(self, drive):
        from relance.parsers import installed_parsers
        from relance.pipeline.text_reader import TextReader

        drive.service.file(ident(2), "Pumps.md", b"# Oil\n\nTwice a year.")
        source = connector(drive.section())
        reader, found = TextReader(source, installed_parsers()), items(source)
        assert reader.parse(reader.read(found[ident(1)])).title == "File 1"
        assert reader.parse(reader.read(found[ident(2)])).title == "Oil"

    def test_metadata_says_what_and_where_it_is(self, drive):
        source = connector(drive.section())
        item = items(source)[ident(1)]
        metadata = source.read(item).metadata
        assert (metadata["name"], metadata["date_created"]) == ("File 1.md", "2026-01-01T08:00:00Z")
        assert metadata["url"] == f"https://drive.google.com/file/d/{ident(1)}/view"
        assert source.location(item.uri).link == f"https://drive.google.com/open?id={ident(1)}"


class TestReaders:
    def test_they_are_people_groups_domains_and_links(self, drive):
        drive.service.readers[ident(1)] = [
            person("Ann@Example.com", "owner"),
            {"id": "1", "type": "group", "emailAddress": "ops@example.com", "role": "reader"},
            {"id": "2", "type": "domain", "domain": "example.com", "allowFileDiscovery": True, "role": "reader"},
            {"id": "3", "type": "domain", "domain": "example.org", "allowFileDiscovery": False, "role": "reader"},
            {"id": "4", "type": "anyone", "allowFileDiscovery": False, "role": "reader"},
            person("gone@example.com") | {"deleted": True},
            person("title@example.com") | {"view": "metadata"},
        ]
        source = connector(drive.section())
        assert readers(source, ident(1)) == [
            "domain:example.com", "group:ops@example.com", "link:anyone", "link:domain:example.org",
            "user:ann@example.com",
        ]  # fmt: skip
        drive.service.readers[ident(1)] = [{"id": "5", "type": "anyone", "allowFileDiscovery": True, "role": "reader"}]
        assert readers(source, ident(1)) == ["*"]

    def test_another_reader_is_another_version_with_the_same_text(self, drive):
        source = connector(drive.section())
        before, content = items(source), source.read(items(source)[ident(1)])
        drive.service.readers[ident(1)] = [person("bob@example.com")]
        after = items(source)
        assert [name for name in before if before[name] != after[name]] == [ident(1)]
        again = source.read(after[ident(1)])
        assert again.data == content.data
        assert again.content_hash != content.content_hash

    def test_a_file_whose_readers_google_does_not_name_is_a_failure_and_not_open_to_all(self, drive):
        drive.service.readers[ident(2)] = NOT_SHOWN
        source = connector(drive.section())
        assert items(source).keys() == {ident(1), ident(3)}
        [failure] = others(source)
        assert "may read it and not share it" in failure.reason
        assert "permissions: false" in failure.reason
        assert ident(2) in items(connector(drive.section() | {"permissions": False}))

    def test_in_a_shared_drive_one_file_of_a_folder_is_looked_up_for_all_that_have_the_same(self, drive):
        source = connector(shared(drive, files=20))
        drive.service.size = 100
        drive.service.readers[ident(13)] = [person("bob@example.com")]
        drive.service.files[ident(14)]["hasAugmentedPermissions"] = True
        assert len(items(source)) == 20
        looked_up = [path for path in drive.service.requests if path.endswith("/permissions")]
        assert len(looked_up) == 4, "two folders, one file with another reader, one with permissions of its own"
        assert readers(source, ident(13)) == ["user:bob@example.com"]

    def test_permissions_that_a_shared_drive_refuses_are_failures(self, drive):
        source = connector(shared(drive))
        refused = (403, drive.service._error(403, "insufficientFilePermissions"), {})
        drive.service.breaks = lambda path, query: refused if path.endswith("/permissions") else None
        assert [type(each) for each in source.list()] == [DocumentError] * 5

    def test_they_cost_nothing_where_nobody_wants_them(self, drive):
        source = connector(shared(drive) | {"permissions": False})
        assert "principals" not in source.read(items(source)[ident(11)]).metadata
        assert not [path for path in drive.service.requests if path.endswith("/permissions")]


@pytest.fixture(scope="module")
def pair():
    """Make the two keys of a service account."""
    pytest.importorskip("google.auth", reason="the extra google-drive is not installed")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, *form).decode()
    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return private, key.public_key().public_bytes(*pem).decode()


class TestServiceAccount:
    @pytest.fixture
    def key(self, drive, pair):
        private, drive.service.key = pair
        return json.dumps({
            "type": "service_account", "client_email": "reader@project.iam.gserviceaccount.com", "private_key": private,
            "private_key_id": "1", "project_id": "project", "token_uri": f"{drive.service.address}/token",
        })  # fmt: skip

    def test_its_key_gets_a_token_which_is_used_again(self, drive, key, monkeypatch):
        tokens, respond = [], drive.service.respond

        def counting(method, target, headers, body):
            tokens.extend([target] if target == "/token" else [])
            return respond(method, target, headers, body)

        monkeypatch.setattr(drive.service, "respond", counting)
        source = connector(drive.section() | {"secrets": {"service_account_key": key}})
        assert [source.read(item).data for item in items(source).values()]
        assert tokens == ["/token"]

    def test_a_key_that_google_refuses_is_said_without_it(self, drive, key):
        section = drive.section() | {"secrets": {"service_account_key": key}}
        answer = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, {})
        drive.service.respond = lambda method, target, headers, body: answer
        with pytest.raises(SourceError, match="refuses these credentials") as caught:
            list(connector(section).list())
        assert "PRIVATE" not in str(caught.value)

    @pytest.mark.parametrize("bad", ['{"type": "service_account"}', "no JSON 5d5d"])
    def test_what_is_no_key_is_said_without_it(self, drive, bad):
        with pytest.raises(ConfigurationError, match=r"sources\[0\]\.secrets") as caught:
            list(connector(drive.section() | {"secrets": {"service_account_key": bad}}).list())
        assert "5d5d" not in str(caught.value)

    def test_without_the_extra_the_command_that_installs_it_is_said(self, drive, key, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "google.oauth2.service_account", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'relance\[google-drive\]'"):
            list(connector(drive.section() | {"secrets": {"service_account_key": key}}).list())


def test_the_token_goes_to_no_other_host(drive):
    """A page of the listing, or a download, may lead anywhere."""
    source = connector(drive.section())
    item = items(source)[ident(1)]
    elsewhere = drive.service.address.replace("127.0.0.1", "localhost")
    seen, respond = [], drive.service.respond

    def watching(method, target, headers, body):
        seen.append((headers["Host"].partition(":")[0], headers.get("Authorization")))
        return (200, b"From elsewhere.", {}) if target == "/elsewhere" else respond(method, target, headers, body)

    drive.service.respond = watching
    redirect = (302, b"", {"Location": f"{elsewhere}/elsewhere"})
    drive.service.breaks = lambda path, query: redirect if query.get("alt") == "media" else None
    assert source.read(item).data == b"From elsewhere."
    assert ("localhost", None) in seen
    assert {token for host, token in seen if host == "127.0.0.1"} == {f"Bearer {SECRET}"}
