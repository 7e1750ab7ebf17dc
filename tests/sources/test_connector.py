"""What a source of type connector promises, for each service against a stand-in on loopback."""

import logging

import pytest

pytest.importorskip("unstructured_ingest", reason="the extra connectors is not installed")

from connector_sources import CASES, connector, items, served, text

from relance.documents import Item
from relance.errors import ConfigurationError, DocumentError, SourceError
from relance.sources.connector import patience


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_S", 0.0)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture(params=CASES)
def case(request):
    with served(request.param) as case:
        yield case


@pytest.fixture
def source(case):
    return connector(case.section())


def test_what_there_is_is_listed_and_read(case, source):
    found = items(source)
    assert case.first in found
    assert len(found) >= 3
    assert "pump" in text(source, found[case.first]).lower()


def test_a_second_listing_is_the_same(source):
    assert list(items(source).values()) == list(items(source).values())


def test_a_document_that_is_added_is_listed(case, source):
    before = items(source)
    name = case.add()
    assert {each: item for each, item in items(source).items() if each != name and each in before} | before
    assert items(source).keys() - before.keys() == {name}


def test_a_change_changes_the_version_of_one_document_and_its_content(case, source):
    before, read = items(source), source.read(items(source)[case.first])
    case.change("The words are others now.")
    after = items(source)
    assert [name for name in before if before[name] != after[name]] == [case.first]
    again = source.read(after[case.first])
    assert again.content_hash != read.content_hash
    assert "others now" in text(source, after[case.first])


def test_a_touch_changes_no_content(case, source):
    before = source.read(items(source)[case.first])
    case.touch()
    assert source.read(items(source)[case.first]).content_hash == before.content_hash


def test_another_title_is_a_change_of_the_same_document(case, source):
    if type(case).rename is CASES["slack"].rename:
        pytest.skip("days of Slack have no titles, and names of files are no text")
    before = items(source)
    case.rename("Quite another title")
    after = items(source)
    assert before.keys() == after.keys()
    assert before[case.first] != after[case.first]
    assert "Quite another title" in text(source, after[case.first])


def test_what_is_removed_is_not_listed(case, source):
    before = items(source)
    case.remove()
    assert before.keys() - items(source).keys() == {case.first}


def test_what_is_removed_before_it_is_read_is_one_failure(case, source):
    item = items(source)[case.first]
    case.remove()
    with pytest.raises(DocumentError, match="it vanished while being read"):
        source.read(item)


def test_one_bad_document_is_one_failure(case, source):
    found = items(source)
    case.service.breaks = lambda path, query: (500, {}, {}) if case.is_reading_first(path, query) else None
    other = next(name for name in found if name != case.first and "pump" in text(source, found[name]).lower())
    with pytest.raises(DocumentError) as caught:
        source.read(found[case.first])
    assert caught.value.uri == found[case.first].uri
    assert source.read(found[other]).data


@pytest.mark.parametrize("status", [500, 503, 403, 400])
def test_a_page_of_the_listing_that_fails_is_no_end_of_it(case, source, status):
    case.service.breaks = lambda path, query: (status, {}, {}) if case.is_second_page(path, query) else None
    with pytest.raises((SourceError, ConfigurationError)):
        list(source.list())


def test_a_page_of_the_listing_without_a_listing_is_no_end_of_it(case, source):
    case.service.breaks = lambda path, query: (200, case.malformed(), {}) if case.is_second_page(path, query) else None
    with pytest.raises(SourceError):
        list(source.list())


def test_a_page_of_the_listing_that_is_no_json_is_no_end_of_it(case, source):
    page = (200, b"<html>Maintenance</html>", {"Content-Type": "text/html"})
    case.service.breaks = lambda path, query: page if case.is_second_page(path, query) else None
    with pytest.raises(SourceError):
        list(source.list())


def test_what_is_transient_is_asked_again(case, source):
    before, failed = items(source), []

    def breaks(path, query):
        if case.is_second_page(path, query) and len(failed) < 2:
            failed.append(path)
            return 429, {"ok": False, "error": "ratelimited", "code": "rate_limited"}, {"Retry-After": "0"}
        return None

    case.service.breaks = breaks
    assert items(source) == before
    assert len(failed) == 2


def test_what_appears_while_listing_takes_nothing_away(case, source):
    before, added = items(source), []

    def breaks(path, query):
        if case.is_second_page(path, query) and not added:
            added.append(case.add())

    case.service.breaks = breaks
    assert before.keys() <= items(source).keys() <= before.keys() | set(added)
    assert added
    assert items(source).keys() == before.keys() | set(added)


def test_wrong_credentials_are_told_without_them(case):
    section = case.section()
    wrong = "xoxb-wrong-b0b0" if "xoxb" in case.secret else "wrong-b0b0"
    source = connector(section | {"secrets": dict.fromkeys(section["secrets"], wrong)})
    with pytest.raises(SourceError, match="refuses these credentials") as caught:
        list(source.list())
    assert wrong not in str(caught.value)
    with pytest.raises(DocumentError, match="refuses these credentials") as caught:
        source.read(Item(f"{source.location().text}/{case.first}", "", "text/html"))
    assert wrong not in str(caught.value)


@pytest.mark.parametrize("kind", CASES)
def test_a_service_that_is_away_is_no_empty_one(kind):
    with served(kind) as case:
        section = case.section()
    with pytest.raises(SourceError, match="cannot be reached"):
        list(connector(section).list())


def test_a_place_that_is_not_there_is_no_empty_one(case):
    with pytest.raises(ConfigurationError, match=r"sources\[0\]\.(listing|connection)"):
        list(connector(case.nowhere()).list())


def test_no_log_and_no_error_shows_a_secret(case, source, caplog):
    caplog.set_level(logging.DEBUG)
    for item in items(source).values():
        source.read(item)
    case.service.breaks = lambda path, query: (500, {"message": f"sent {case.secret}"}, {})
    with pytest.raises(SourceError) as caught:
        list(source.list())
    shown = [str(caught.value), caplog.text, repr(source.spec), str(source.location())]
    assert not [each for each in shown if case.secret in each]


def test_locations_are_exact(case, source):
    prefix = source.location().text
    for name, item in items(source).items():
        assert item.uri == f"{prefix}/{name}"
        assert source.location(item.uri).text == item.uri
        assert source.page(item.uri, source.read(item).metadata).startswith("http")
    for uri in (
        prefix,
        f"{prefix}/",
        f"{prefix}x/{case.first}",
        f"{prefix}/{case.first}/../1",
        f"{prefix}/a b",
        "a.md",
    ):
        assert source.location(uri) is None


def test_a_setting_that_does_not_exist_is_told_with_the_one_that_was_meant(case):
    section = case.section()
    name = next(iter(section["listing"]))
    with pytest.raises(ConfigurationError, match=rf"sources\[0\]\.listing: unknown setting '{name}z'; did you mean"):
        list(connector(section | {"listing": {f"{name}z": 1}}).list())
    secret = next(iter(section["secrets"]))
    with pytest.raises(ConfigurationError, match=rf"secrets: unknown setting '{secret}z'; did you mean '{secret}'"):
        list(connector(section | {"secrets": {f"{secret}z": "hush-5d5d"}}).list())
    with pytest.raises(ConfigurationError, match="is a secret; write it under `secrets`"):
        list(connector(section | {"connection": section["connection"] | {secret: "hush-5d5d"}}).list())


def test_a_setting_of_the_wrong_type_is_told_without_its_value(case):
    section = case.section()
    name = next(iter(section["listing"]))
    with pytest.raises(ConfigurationError, match=rf"sources\[0\]\.listing\.{name}") as caught:
        list(connector(section | {"listing": {name: 17}}).list())
    assert "17" not in str(caught.value)


def test_secrets_that_are_missing_are_told(case):
    with pytest.raises(ConfigurationError, match=r"sources\[0\]\.(secrets|connection)"):
        list(connector(case.section() | {"secrets": {}}).list())
