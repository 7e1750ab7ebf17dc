"""An index over a source of type connector: what is embedded, what stays, and who may read it."""

import pytest

pytest.importorskip("unstructured_ingest", reason="the extra connectors is not installed")

from connector_sources import served

from relance.errors import SourceError
from relance.sources.connector import patience


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_S", 0.0)


@pytest.fixture
def confluence():
    with served("confluence") as case:
        yield case


def titles(index):
    return {hit.title for hit in index.search("words on pumps", k=20)}


def bought(log):
    """List what was embedded beside questions."""
    return [text for text in log() if text != "words on pumps"]


def test_pages_of_confluence_are_kept_in_sync(confluence, make_index, log, docs):
    (docs / "note.md").write_text("# Note\n\nA file beside.\n")
    files = {"type": "files", "root": str(docs)}
    index = make_index(sources=[{"type": "connector"} | confluence.section(), files])
    index.ingest()
    assert titles(index) == {"Page 101", "Page 102", "Page 103", "Note"}
    assert len(bought(log)) == 4

    index.ingest()
    confluence.touch()
    index.ingest()
    assert len(bought(log)) == 4, "nothing has changed"

    confluence.change("Other words on pumps.")
    confluence.add()
    index.ingest()
    assert len(bought(log)) == 6
    assert "Other words on pumps." in "".join(bought(log)[4:])

    confluence.service.restricted["102"] = {"users": ["ann"]}
    index.ingest()
    assert len(bought(log)) == 6, "a change of permissions embeds nothing"
    readers = {
        hit.title: hit.metadata["principals"] for hit in index.search("words on pumps", k=20) if hit.title != "Note"
    }
    assert readers["Page 102"] == ["user:ann"]
    assert readers["Page 103"] == ["group:staff"]

    confluence.rename("Renamed")
    confluence.service.pages.pop("103")
    index.ingest()
    assert titles(index) == {"Renamed", "Page 102", "Page 104", "Note"}


def test_a_listing_that_breaks_off_removes_nothing(confluence, make_index, log, docs):
    (docs / "note.md").write_text("# Note\n\nA file beside.\n")
    files = {"type": "files", "root": str(docs)}
    index = make_index(sources=[{"type": "connector"} | confluence.section(), files])
    index.ingest()
    before = titles(index)

    failed = (500, {}, {})
    confluence.service.breaks = lambda path, query: failed if confluence.is_second_page(path, query) else None
    (docs / "note.md").write_text("# Note\n\nAnother file beside.\n")
    report = index.ingest()
    assert titles(index) == before
    assert "Another file beside." in log()[-1], "the other source goes on"
    assert any("could not be listed to its end" in failure.reason for failure in report.failures)
    assert not any(confluence.secret in failure.reason for failure in report.failures)


def test_readers_that_are_not_told_leave_what_is_indexed(confluence, make_index, log):
    confluence.service.restricted["102"] = {"users": ["ann"]}
    index = make_index(sources=[{"type": "connector"} | confluence.section()])
    index.ingest()
    confluence.service.breaks = lambda path, query: (403, {}, {}) if "/102/restriction" in path else None
    index.ingest()
    readers = {hit.title: hit.metadata["principals"] for hit in index.search("pumps", k=20)}
    assert readers["Page 102"] == ["user:ann"]


def test_a_service_that_is_away_is_an_error_and_no_empty_index(confluence, make_index, log):
    index = make_index(sources=[{"type": "connector"} | confluence.section()])
    index.ingest()
    confluence.service.breaks = lambda path, query: (401, {}, {})
    with pytest.raises(SourceError, match="refuses these credentials"):
        index.ingest()
    assert titles(index) == {"Page 101", "Page 102", "Page 103"}
