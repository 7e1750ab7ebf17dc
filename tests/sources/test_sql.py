"""Rows of tables, in each kind of database: what changes is embedded, and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from by_hand import by_hand
from databases import Database
from rows import rows

from relance.documents import Item
from relance.errors import ConfigurationError, DocumentError, SourceError
from relance.parsers.media_types import JSONL
from relance.sources.sql import Sql

META = {"metadata": ["year"]}

# What all four have in common is in tests/contracts, for each of them.
pytestmark = pytest.mark.parametrize("database", ["postgresql", "sqlite", *by_hand("mariadb", "duckdb")], indirect=True)


def names(database: Database, **options) -> list[str]:
    prefix = f"{database.shown}/notes#"
    return sorted(row["uri"].removeprefix(prefix) for row in rows(database.index(**options)))


def lines(source: Sql, item: Item | None = None) -> list[dict]:
    """Read a table as what the parser gets."""
    (found,) = [*source.list()]
    data = source.read(item or found).data
    return [json.loads(line) for line in data.decode("utf-8-sig").splitlines()]


def test_rows_are_documents_with_their_metadata(database):
    database.fill()
    assert database.index(rows=META).ingest().added == 9
    (row,) = [row for row in rows(database.index(rows=META)) if row["uri"].endswith("#3")]
    assert row["uri"] == f"{database.shown}/notes#3"
    assert row["text"] == "Row number 3."
    assert row["metadata"] == {"path": f"{database.shown}/notes", "media_type": JSONL, "year": 2003}


def test_exactly_what_changed_is_read_and_embedded(database, log, monkeypatch):
    database.fill()
    database.index(rows=META).ingest()
    bought, asked = len(log()), []
    opened = Sql.open_rows
    monkeypatch.setattr(
        Sql, "open_rows", lambda self, table, names: (asked.extend(names), opened(self, table, names))[1]
    )
    assert database.index(rows=META).ingest().unchanged == 9
    assert asked == []
    database.execute(
        "UPDATE notes SET text = 'Row four says something else.' WHERE id = 4",
        "INSERT INTO notes VALUES (99, 'A new row.', 1)",
        "DELETE FROM notes WHERE id = 0",
        "UPDATE notes SET id = 77 WHERE id = 5",  # a new name, and a text that was bought
    )
    report = database.index(rows=META).ingest()
    assert (report.changed, report.added, report.removed, report.unchanged) == (1, 2, 2, 6)
    assert sorted(asked) == ["4", "77", "99"]
    assert sorted(log()[bought:]) == ["A new row.", "Row four says something else."]
    assert names(database, rows=META) == sorted(["1", "2", "3", "4", "6", "7", "77", "8", "99"])


def test_a_row_that_was_written_again_as_it_was_costs_nothing(database, log):
    database.fill()
    database.index(rows=META).ingest()
    bought = len(log())
    database.execute("UPDATE notes SET year = year WHERE id = 4")
    assert database.index(rows=META).ingest().unchanged == 9
    assert len(log()) == bought


def test_a_column_that_nobody_wants_changes_nothing(database, log):
    database.fill()
    database.index().ingest()
    bought = len(log())
    database.execute("UPDATE notes SET year = 1999")
    assert database.index().ingest().unchanged == 9
    assert len(log()) == bought


def test_a_table_that_was_emptied_empties_the_index(database):
    database.fill()
    database.index().ingest()
    database.execute("DELETE FROM notes")
    report = database.index().ingest(approved=True)
    assert (report.removed, report.failed) == (9, 0)
    database.execute("INSERT INTO notes VALUES (1, 'There again.', 1)")
    assert database.index().ingest().added == 1


def test_a_row_without_text_is_one_failure(database):
    database.fill()
    database.execute("UPDATE notes SET text = NULL WHERE id = 4")
    report = database.index().ingest()
    assert (report.added, [failure.uri for failure in report.failures]) == (8, [f"{database.shown}/notes#4"])
    database.execute("UPDATE notes SET text = 'Now it has one.' WHERE id = 4")
    report = database.index().ingest()
    assert (report.added, report.failed) == (1, 0)


ODD = [
    "a#b",
    "a/b",
    "with space",
    "Zürich",
    "中文",
    "quote'd",
    'double"d',
    "back\\slash",
    "per%cent",
    "%s",
    "semi;colon",
]


def test_ids_may_hold_anything_a_text_can(database):
    database.execute("CREATE TABLE notes (id VARCHAR(100) PRIMARY KEY, text VARCHAR(2000))")
    database.many("INSERT INTO notes VALUES (?, ?)", [(each, f"Text of {each}.") for each in ODD])
    assert database.index().ingest().added == len(ODD)
    assert names(database) == sorted(ODD)
    database.many("UPDATE notes SET text = ? WHERE id = ?", [(f"Other text of {each}.", each) for each in ODD])
    report = database.index().ingest()
    assert (report.changed, report.failed) == (len(ODD), 0)


def test_ids_that_are_cleaned_are_called_as_rows_of_files(database):
    database.execute("CREATE TABLE notes (id VARCHAR(100) PRIMARY KEY, text VARCHAR(2000))")
    database.many("INSERT INTO notes VALUES (?, ?)", [(" a", "One."), ("b", "Two.")])
    assert database.index().ingest().added == 2
    assert names(database) == ["a", "b"]
    database.execute("UPDATE notes SET text = 'Three.' WHERE id = ' a'")
    report = database.index().ingest()
    assert (report.changed, report.unchanged, report.removed) == (1, 1, 0)
    assert database.index().ingest(only=[f"{database.shown}/notes#a"]).removed == 0


def test_names_may_be_reserved_words_and_hold_quotes(database):
    quote = (lambda name: "`" + name.replace("`", "``") + "`") if database.kind == "mariadb" else (
        lambda name: '"' + name.replace('"', '""') + '"'
    )  # fmt: skip
    table, key, text, year = map(quote, ("order", "group", 'se"le`ct %s', "Ünï; DROP TABLE x"))
    database.execute(f"CREATE TABLE {table} ({key} INTEGER PRIMARY KEY, {text} VARCHAR(99), {year} INTEGER)",
                     f"INSERT INTO {table} VALUES (1, 'One.', 5)")  # fmt: skip
    wanted = {"id": "group", "text": ['se"le`ct %s'], "metadata": ["Ünï; DROP TABLE x"]}
    index = database.index(table="order", rows=wanted)
    assert index.ingest().added == 1
    (row,) = rows(index)
    assert (row["uri"], row["text"]) == (f"{database.shown}/order#1", "One.")
    assert row["metadata"]["Ünï; DROP TABLE x"] == 5
    database.execute(f"UPDATE {table} SET {text} = 'Two.'")
    assert index.ingest().changed == 1


def test_rows_without_a_key_are_read_whole_and_named_by_content(database, log):
    database.execute("CREATE TABLE notes (text VARCHAR(99))")
    database.many("INSERT INTO notes VALUES (?)", [("One.",), ("Two.",), ("Two.",)])
    assert database.index().ingest().added == 3
    assert database.index().ingest().unchanged == 3
    bought = len(log())
    database.execute("UPDATE notes SET text = 'Three.' WHERE text = 'One.'")
    report = database.index().ingest()
    assert (report.added, report.removed, report.unchanged) == (1, 1, 2)
    assert log()[bought:] == ["Three."]


def test_an_id_without_a_unique_index_may_be_null_or_twice(database):
    database.execute("CREATE TABLE notes (id INTEGER, text VARCHAR(99))")
    database.many("INSERT INTO notes VALUES (?, ?)", [(1, "One."), (None, "Nameless."), (1, "Again."), (2, "Two.")])
    report = database.index().ingest()
    assert (report.added, report.failed) == (2, 2)
    assert {failure.reason.partition(" in ")[0] for failure in report.failures} == {
        "no id",
        "the id '1' was already used",
    }
    database.execute("DELETE FROM notes WHERE id = 2")
    assert database.index().ingest().removed == 0  # of rows that cannot be told apart, what is indexed stays


def test_several_columns_may_name_a_row(database, log):
    database.execute("CREATE TABLE notes (a VARCHAR(9), b INTEGER, text VARCHAR(99), PRIMARY KEY (a, b))")
    database.many("INSERT INTO notes VALUES (?, ?, ?)", [("x", 1, "One."), ("x/1", 2, "Two."), ("%2F", 1, "Three.")])
    assert database.index().ingest().added == 3
    assert names(database) == ["%252F/1", "x%2F1/2", "x/1"]
    bought = len(log())
    database.execute("UPDATE notes SET text = 'Four.' WHERE a = 'x/1'", "DELETE FROM notes WHERE a = 'x'")
    report = database.index().ingest()
    assert (report.changed, report.removed, report.unchanged) == (1, 1, 1)
    assert log()[bought:] == ["Four."]


def test_a_query_is_read_whole_when_its_result_has_changed(database, log):
    database.fill()
    given = {
        "query": "SELECT id, text AS body FROM notes WHERE year > 2004;",
        "name": "late ones",
        "rows": {"text": "body"},
    }
    index = database.index(**given)
    assert index.ingest().added == 4
    assert rows(index)[0]["uri"].startswith(f"{database.shown}/query:late%20ones#")
    bought = len(log())
    database.execute("UPDATE notes SET text = 'Changed.' WHERE id = 1", "UPDATE notes SET text = 'Other.' WHERE id = 7",
                     "DELETE FROM notes WHERE id = 8")  # fmt: skip
    report = index.ingest()
    assert (report.changed, report.removed, report.unchanged) == (1, 1, 2)
    assert log()[bought:] == ["Other."]


def test_a_marker_column_decides(database, log):
    database.fill()
    index = database.index(marker="year")
    index.ingest()
    bought = len(log())
    database.execute("UPDATE notes SET text = 'Not seen.' WHERE id = 1")
    assert index.ingest().unchanged == 9
    database.execute("UPDATE notes SET text = 'Seen.', year = 2050 WHERE id = 2")
    assert index.ingest().changed == 1
    assert log()[bought:] == ["Seen."]


def test_a_huge_text_is_one_document_or_one_failure(database):
    kind = "LONGTEXT" if database.kind == "mariadb" else "TEXT"
    database.execute(f"CREATE TABLE notes (id INTEGER PRIMARY KEY, text {kind})")
    database.many("INSERT INTO notes VALUES (?, ?)", [(1, "word " * 200_000), (2, "Short."), (3, "long " * 500_000)])
    report = database.index(max_size="2MB").ingest()
    assert (report.added, report.failed) == (2, 1)
    assert "max_size" in report.failures[0].reason


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"table": "note"}, "no table 'note'; did you mean 'notes'?"),
        ({"rows": {"text": "txt"}}, "has no column 'txt'; did you mean 'text'? it has: id, text, year"),
        ({"rows": {"metadata": ["yeer"]}}, "did you mean 'year'?"),
        ({"rows": {"id": "Id"}}, "did you mean 'id'?"),
        ({"marker": "updated"}, "has no column 'updated'"),
        ({"key": ["id", "nix"]}, "has no column 'nix'"),
    ],
)
def test_what_is_not_there_is_named_with_what_was_meant(database, options, hint):
    database.fill()
    with pytest.raises(ConfigurationError) as caught:
        [*database.source(**options).list()]
    assert hint in str(caught.value)


def test_a_query_that_does_not_run_says_why(database):
    database.fill()
    with pytest.raises(ConfigurationError, match="nix"):
        [*database.source(query="SELECT nix FROM notes", name="q").list()]


def test_a_column_of_bytes_is_refused_with_a_word(database):
    if database.kind == "sqlite":
        pytest.skip("columns of SQLite have no type")
    kind = "BYTEA" if database.kind == "postgresql" else "BLOB"
    database.execute(f"CREATE TABLE notes (id INTEGER PRIMARY KEY, text {kind})")
    with pytest.raises(ConfigurationError, match="column 'text' holds bytes"):
        [*database.source().list()]


def test_a_place_that_is_gone_is_a_document_error(database):
    database.fill()
    with pytest.raises(DocumentError, match="no table"):
        database.source().read(Item(f"{database.shown}/other", "", JSONL))


def test_a_table_that_goes_between_listing_and_reading_removes_nothing(database, monkeypatch):
    database.fill()
    database.index().ingest()
    listed = Sql.list

    def racing(self):
        for item in listed(self):
            database.execute("UPDATE notes SET text = 'x'", "ALTER TABLE notes RENAME TO gone")
            yield item

    monkeypatch.setattr(Sql, "list", racing)
    database.execute("DELETE FROM notes WHERE id = 1")
    with pytest.raises((SourceError, ConfigurationError)):
        database.index().ingest()
    assert len(names(database)) == 9


def test_a_row_that_appears_while_listing_stays(database, monkeypatch):
    database.fill()
    index = database.index()
    listed = Sql.list

    def racing(self):
        for item in listed(self):
            database.execute("INSERT INTO notes VALUES (50, 'Late.', 1)")
            yield item

    with monkeypatch.context() as patch:
        patch.setattr(Sql, "list", racing)
        assert index.ingest().added == 10
    report = index.ingest()
    assert (report.removed, report.unchanged) == (0, 10)


def test_where_only_rows_are_looked_at_no_digest_of_their_table_is_made(database):
    database.fill(9)
    index, source = database.index(), database.source()
    index.ingest()
    (whole,) = source.list()
    (partly,) = source.tables({f"{whole.uri}#1"})
    assert (partly.uri, partly.version) == (whole.uri, "")
    assert [*source.tables({whole.uri})] == [whole]
    database.execute("UPDATE notes SET text = 'Another text.' WHERE id IN (1, 2)")
    report = index.ingest(only=[f"{whole.uri}#1"])
    assert (report.changed, report.unchanged, report.removed) == (1, 8, 0)
    report = index.ingest()
    assert (report.changed, report.unchanged, report.removed) == (1, 8, 0)


def test_locations_are_those_of_its_tables(database):
    source = database.source(table=["notes", "main.other"], link="https://example.com/notes/{id}")
    whole = f"{database.shown}/notes"
    for uri in (whole, f"{database.shown}/main.other#7", f"{whole}#a#b"):
        assert source.location(uri).text == uri
    for uri in (f"{whole}x", f"{database.shown}/other", f"{database.shown}", "notes", "x://y"):
        assert source.location(uri) is None
    assert source.location(f"{whole}#a b").link == "https://example.com/notes/a%20b"
    assert source.location().text == database.shown


def test_a_column_of_addresses_names_media(database, gallery):
    pictures = [f"data:image/png;base64,{b64encode(gallery.png(each)).decode()}" for each in ("red", "green", "blue")]
    database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, image TEXT, name VARCHAR(99))")
    database.many("INSERT INTO notes VALUES (?, ?, ?)", [(n, each, f"Picture {n}") for n, each in enumerate(pictures)])
    index = database.index(rows={"url": "image", "caption": "name"}, sections={"media": gallery.media()})
    assert index.ingest().media.added == 3
    database.execute("UPDATE notes SET name = 'Another' WHERE id = 1", "DELETE FROM notes WHERE id = 2")
    report = index.ingest().media
    assert (report.removed, report.changed, report.failed) == (1, 1, 0)
