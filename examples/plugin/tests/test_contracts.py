"""What relance promises its users of every plug-in, checked for these three."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from relance.errors import ConfigurationError
from relance.sources import SourceContext
from relance.testing.chunkers import ChunkerContract
from relance.testing.providers import ProviderContract
from relance.testing.sources import SourceContract
from relance_example.ngrams import Ngrams
from relance_example.notes import Notes, NotesSpec
from relance_example.sentences import Sentences


def write_notes(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, changed TEXT)")
        texts = ["# Ferry\n\nIt leaves at nine.", "# 渡轮\n\n九点开船。", "Sensors hang below the bridge.", None]
        database.executemany("INSERT INTO notes (body, changed) VALUES (?, '2026-01-01')", [(text,) for text in texts])
        database.commit()


def section(database, table="notes"):
    return NotesSpec(type="notes", database=Path(database), table=table)


class TestNotes(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        write_notes(tmp_path / "notes.db")
        return Notes(section("notes.db"), SourceContext(tmp_path, position=1))

    @pytest.fixture
    def missing(self, tmp_path):
        return Notes(section("nowhere.db"), SourceContext(tmp_path))

    @pytest.mark.parametrize(("database", "table"), [("notes.db", "gone"), ("text.txt", "notes")])
    def test_what_is_no_table_is_said(self, tmp_path, database, table):
        write_notes(tmp_path / "notes.db")
        (tmp_path / "text.txt").write_text("no database")
        source = Notes(section(database, table), SourceContext(tmp_path))
        with pytest.raises(ConfigurationError, match="cannot be read"):
            list(source.list())


class TestSentences(ChunkerContract):
    strategy, plugin = "sentences", Sentences


class TestThreeSentences(ChunkerContract):
    strategy, plugin, options = "sentences", Sentences, {"together": 3}


class TestNgrams(ProviderContract):
    plugin = Ngrams

    @pytest.fixture(params=[{}, {"dimension": 64}, {"n": 2}])
    def spec(self, request):
        return self.section({"model": "ngrams/hashed"} | request.param)
