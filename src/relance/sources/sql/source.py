"""Rows of a database."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from relance.documents import Item
from relance.errors import ConfigurationError, DocumentError, SourceError
from relance.parsers.media_types import JSONL
from relance.sources.abilities import Announcing
from relance.sources.keyed import KeyedSource
from relance.sources.source import Location, SourceContext
from relance.sources.sql.address import read_address
from relance.sources.sql.json_lines import write_lines
from relance.sources.sql.key_spool import spooled
from relance.sources.sql.notifications import listen
from relance.sources.sql.reading import Reading
from relance.sources.sql.relation import Relation
from relance.sources.sql.servers import Server, Shape, server_of
from relance.sources.sql.servers.postgres import Postgres
from relance.sources.sql.spec import SqlSpec

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sql"]


class Sql(KeyedSource, Announcing):
    """The `sql` source: each table, or the query, is an item, whose rows become documents as those of a file do.

    The version of a table is a digest of the ids and markers of its rows, which the server makes: one that has not
    changed is not listed. Where an id is the primary key, or has a unique index, rows are listed by id and marker, and
    only those that changed are read. Others are read whole when the table has changed, and compared by their content.
    """

    Spec = SqlSpec
    version = "sql-1"
    spec: SqlSpec

    def __init__(self, spec: SqlSpec, context: SourceContext) -> None:
        """Prepare to read."""
        super().__init__(spec, context)
        self._address = read_address(spec.url.get_secret_value(), context.folder)
        base = self._address.shown
        relations = [Relation.of_table(base, each) for each in spec.table]
        if spec.query:
            relations = [Relation.of_query(base, spec.name, spec.query)]
        self._relations = {each.uri: each for each in relations}
        self._shapes: dict[str, Shape] = {}

    def list(self) -> Iterator[Item]:
        """Stream the tables; of one that cannot be read the error comes after the others."""
        return self.tables(self._relations.keys())

    def tables(self, only: AbstractSet[str]) -> Iterator[Item]:
        """Stream the tables; one whose rows are found by id has a version only if it is named."""
        broken: SourceError | None = None
        for uri, relation in self._relations.items():
            try:
                with self._reading(relation) as reading:
                    version = reading.version() if uri in only or not reading.keyed else ""
            except SourceError as error:
                broken = broken or error
                continue
            yield Item(uri, version, JSONL, 0, self.context.position)
        if broken is not None:
            raise broken

    @contextmanager
    def open(self, item: Item) -> Generator[tuple[BinaryIO, int]]:
        """Read all rows of a table into a temporary file; raises SourceError where that breaks off."""
        with self._opened(self._relation(item.uri), None) as opened:
            yield opened

    def keys(self, table: Item, names: AbstractSet[str]) -> Iterator[pa.Table] | None:
        """List rows by id and marker, in one statement; None where they have to be read whole."""
        with self._reading(self._relation(table.uri)) as reading:
            if not reading.keyed:
                return None
            size, whole = reading.shape.row_bytes, reading.shape.table_bytes
            if names and (found := spooled(reading.keys(sorted(names)), reading.era, size)) is not None:
                listed = [*found]
                # A text that is not found may be the cleaned name of an id with blanks around it.
                if sum(map(len, listed)) == len(names) or all(each.kind != "text" for each in reading.ids):
                    return iter(listed)
            return spooled(reading.keys(), reading.era, size, whole=whole)

    @contextmanager
    def open_rows(self, table: Item, names: Sequence[str]) -> Generator[tuple[BinaryIO, int]]:
        """Read some rows of a table into a temporary file."""
        with ExitStack() as exits:
            try:
                opened = exits.enter_context(self._opened(self._relation(table.uri), names))
            except (SourceError, ConfigurationError) as error:  # of a column that went since the listing
                raise DocumentError(table.uri, str(error)) from None
            yield opened

    def location(self, uri: str = "") -> Location | None:
        """Say where a table or one of its rows is."""
        if not uri:
            only = next(iter(self._relations))
            return Location(only if len(self._relations) == 1 else self._address.shown)
        place, found, name = uri.partition("#")
        if place not in self._relations:
            return None
        link = self.spec.link.replace("{id}", quote(name, safe="")) if found else ""
        return Location(uri, link=link)

    def news(self, stop: threading.Event) -> Iterator[frozenset[str] | None] | None:
        """Listen to the channel `notify`."""
        return self._news(stop) if self.spec.notify else None

    def _news(self, stop: threading.Event) -> Iterator[frozenset[str] | None]:
        server = self._server()
        assert isinstance(server, Postgres)  # noqa: S101  # the section is refused for others
        for payloads in listen(server, self.spec.notify, stop):
            yield None if payloads is None else frozenset(uri for each in payloads for uri in self._named(each))

    def _named(self, payload: str) -> Iterator[str]:
        """Read what a trigger sends: an id; of several tables `TABLE#ID`; without an id the whole table."""
        if len(self._relations) == 1:
            tables, name = [*self._relations], payload
        else:
            table, _, name = payload.partition("#")
            tables = [each.uri for each in self._relations.values() if each.name == table]
        if not tables:
            yield from self._relations
        for uri in tables:
            yield f"{uri}#{name}" if name else uri

    @contextmanager
    def _opened(self, relation: Relation, names: Sequence[str] | None) -> Generator[tuple[BinaryIO, int]]:
        with tempfile.TemporaryFile(prefix="relance-rows-") as file:
            with self._reading(relation, again=names is not None) as reading:
                columns, decoded, blocks = reading.lines(names)
                size = write_lines(file, blocks, columns, decoded)
            file.seek(0)
            yield file, size

    @contextmanager
    def _reading(self, relation: Relation, *, again: bool = False) -> Generator[Reading]:
        """Connect, and look what the table is like; `again`: it is as it was a moment ago."""
        server = self._server()
        with server.snapshot() as connection:
            known = self._shapes.get(relation.uri) if again else None
            reading = Reading.of(server, connection, relation, self.spec, known)
            self._shapes[relation.uri] = reading.shape
            yield reading

    def _server(self) -> Server:
        return server_of(self._address, self.spec.timeout_s)

    def _relation(self, uri: str) -> Relation:
        relation = self._relations.get(uri)
        if relation is None:
            raise DocumentError(
                uri, "no table of this source (a picture's address begins with http, or `rows` has an `url_prefix`)"
            )
        return relation
