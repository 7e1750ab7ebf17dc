"""The source `notes`: each row of an SQLite table is a document."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from pydantic import Field
from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV
from relance.documents import Content, Item
from relance.errors import ConfigurationError, DocumentError
from relance.sources import Location, Source, SourceContext


class NotesSpec(SourceSpec, title="Notes"):
    """Rows of an SQLite table with the columns `id`, `body` (Markdown) and `changed`."""

    type: Literal["notes"] = Field(title="Type", examples=["notes"])
    """What kind of source this is; `notes` reads the rows of an SQLite table."""
    database: Path = Field(title="Database", json_schema_extra=ENV, examples=["./notes.db"])
    """File of the database; relative to the spec file."""
    table: str = Field(default="notes", title="Table", pattern=r"^\w+$")
    """Table with the columns `id`, `body` and `changed`."""


class Notes(Source):
    """Rows of an SQLite table, as Markdown."""

    Spec = NotesSpec
    version = "notes-1"  # another one when the same row would give other bytes
    spec: NotesSpec

    def __init__(self, spec: NotesSpec, context: SourceContext) -> None:
        """Open nothing yet: `location` is asked where the database is not, too."""
        super().__init__(spec, context)
        self._path = (context.folder / spec.database.expanduser()).absolute()
        relative = Path(os.path.relpath(self._path, context.folder)).as_posix()
        self._prefix = f"{relative}/{spec.table}/"

    def list(self) -> Iterator[Item | DocumentError]:
        """Stream id and time of change of each row, without its text."""
        select = f"SELECT id, changed, length(CAST(body AS BLOB)) FROM {self.spec.table} ORDER BY id"
        try:
            with closing(self._connect()) as database:
                for name, changed, size in database.execute(select):
                    uri = f"{self._prefix}{name}"
                    yield Item(uri, str(changed), "text/markdown", size or 0, self.context.position)
        except sqlite3.Error as error:
            raise ConfigurationError(f"the table {self.spec.table} of {self._path} cannot be read: {error}") from error

    def read(self, item: Item) -> Content:
        """Read the text of one row."""
        select = f"SELECT body FROM {self.spec.table} WHERE CAST(id AS TEXT) = ?"
        try:
            with closing(self._connect()) as database:
                row = database.execute(select, [item.uri.removeprefix(self._prefix)]).fetchone()
        except sqlite3.Error as error:
            raise DocumentError(item.uri, f"the database cannot be read: {error}") from error
        if row is None:
            raise DocumentError(item.uri, "there is no such row any more")
        if not row[0]:
            raise DocumentError(item.uri, "the row has no text")
        data = str(row[0]).encode()
        if len(data) > self.spec.max_size:
            raise DocumentError(item.uri, f"it has {len(data):,} bytes, and max_size is {self.spec.max_size:,}")
        return Content(item, data)

    def location(self, uri: str = "") -> Location | None:
        """Say where a row is: in the database."""
        if uri and not uri.startswith(self._prefix):
            return None
        return Location(uri or str(self.spec.database), self._path)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
