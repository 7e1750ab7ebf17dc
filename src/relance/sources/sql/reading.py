"""One table or query, with all that has been found out about it, and the statements that read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relance.config.sources import RowsSpec
from relance.documents import digest
from relance.errors import ConfigurationError
from relance.sources.columns import column_in, wanted_columns
from relance.sources.sql.relation import Relation
from relance.sources.sql.row_names import are_plain, ids_of, name_of
from relance.sources.sql.servers import Column, Server, Shape
from relance.sources.sql.spec import SqlSpec
from relance.sources.sql.table_shape import shape_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Reading"]

# So many rows are asked for by their ids at a time; SQLite takes 32,766 parameters.
_IDS = 1000


@dataclass(slots=True, frozen=True)
class Reading:
    """Reads a table or query within a snapshot.

    Attributes:
        wanted: the columns that are read, without those of the id.
        ids: the columns that name a row; empty where rows are named by their content.
        id_name: what the id is called in what is read.
        marker: an expression that changes when a row does.
        hashed: whether it is a hash of the id and all that is wanted.
        keyed: whether rows can be listed by id and marker, and read by their ids.
    """

    server: Server
    connection: Any
    relation: Relation
    shape: Shape
    wanted: tuple[Column, ...]
    ids: tuple[Column, ...]
    id_name: str
    marker: str
    hashed: bool
    keyed: bool

    @classmethod
    def of(
        cls, server: Server, connection: Any, relation: Relation, spec: SqlSpec, shape: Shape | None = None
    ) -> Reading:
        """Look at a table or query, unless its shape is known; ConfigurationError where it or a column is missing."""
        shape = shape or shape_of(server, connection, relation)
        where, names = f"{relation.uri.rpartition('/')[0]}: {_what(relation)}", shape.names
        rows = spec.read_rows or RowsSpec()
        columns = {each.name: each for each in shape.columns}
        wanted = [columns[each] for each in wanted_columns(rows, names, where)]
        ids = _ids(spec, rows, shape, where)
        if len(ids) > 1 and any(each.name == "id" for each in wanted):
            raise ConfigurationError(f"{where}: column 'id' is wanted beside `key`; use a `query` that renames it")
        for each in (*wanted, *ids):
            if each.kind == "bytes":
                reason = f"column {each.name!r} holds bytes ({each.type}), which are neither text nor an id"
                raise ConfigurationError(f"{where}: {reason}; use a `query` that makes text of it")
        marker, hashed = _marker(server, spec, shape, where)
        known = tuple(each.name for each in ids) in shape.keys
        if hashed:
            marker = server.hash([server.quote(each.name) for each in dict.fromkeys((*ids, *wanted))] or ["1"])
        keyed = bool(ids) and known and are_plain(ids)
        id_name = rows.id or "id"
        return cls(server, connection, relation, shape, tuple(wanted), tuple(ids), id_name, marker, hashed, keyed)

    @property
    def source(self) -> str:
        """What stands after FROM."""
        relation = self.relation
        if relation.query:
            return f"({relation.query}\n) q"
        return self.server.from_table(relation.schema, relation.table)

    @property
    def era(self) -> str:
        """What a marker begins with."""
        return f"{self.shape.era}:" if self.marker == _XMIN else ""

    def version(self) -> str:
        """Ask the server for a digest of the whole table: ids and markers, in any order."""
        ids = [self.server.quote(each.name) for each in self.ids]
        number = self.marker if self.hashed else self.server.hash([*ids, self.marker])
        statement = self.server.select(["COUNT(*)", self.server.total(number)], self.source)
        count, total = self.server.rows(self.connection, statement)[0]
        return digest("table", self.era, self.marker, *ids, str(count), str(total))

    def keys(self, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Stream `name` and `version` of rows, of all or of some; a name is empty where an id is no name."""
        import pyarrow as pa

        marker = self.server.text(self.marker)
        ids = [self.server.quote(each.name) for each in self.ids]
        width = len(ids)
        if names is None and width == 1:
            one = self.server.select([self.server.text(ids[0]), marker], self.source)
            if (copied := self.server.copied(self.connection, one)) is not None:
                yield from copied
                return
        for rows in self._some(self.server.select([*ids, marker], self.source), names):
            found = {"name": [name_of(row[:width]) for row in rows], "version": [str(row[width]) for row in rows]}
            yield pa.table(found, schema=pa.schema({"name": pa.string(), "version": pa.string()}))

    def lines(
        self, names: Sequence[str] | None = None
    ) -> tuple[list[str], list[bool], Iterator[list[tuple[Any, ...]]]]:
        """Read rows whole, all or some: names of their values, which of them are JSON, and the values."""
        server, wanted = self.server, [each for each in self.wanted if each not in self.ids or len(self.ids) > 1]
        columns = [*self.ids, *wanted]
        statement = server.select([*map(server.selected, columns)] or ["1"], self.source)
        width, decoded = len(self.ids), [each.kind == "json" for each in columns]
        named = [each.name for each in wanted]
        if width == 0:
            return named or ["1"], decoded or [False], self._some(statement, names)
        if width == 1:
            return self._with_id(named, decoded, self._some(statement, names))
        rows = ([(name_of(row[:width]) or None, *row[width:]) for row in each] for each in self._some(statement, names))
        return [self.id_name, *named], decoded[width - 1 :], rows

    def _with_id(
        self, named: list[str], decoded: list[bool], rows: Iterator[list[tuple[Any, ...]]]
    ) -> tuple[list[str], list[bool], Iterator[list[tuple[Any, ...]]]]:
        """Give the id its name, and also its own where the text or metadata of a row have it."""
        own = self.ids[0].name
        if own != self.id_name and any(each.name == own for each in self.wanted):
            again = ([(*row, row[0]) for row in each] for each in rows)
            return [self.id_name, *named, own], [*decoded, False], again
        return [self.id_name, *named], decoded, rows

    def _some(self, statement: str, names: Sequence[str] | None) -> Iterator[list[tuple[Any, ...]]]:
        if names is None:
            yield from self.server.stream(self.connection, statement)
            return
        found = [each for each in (ids_of(name, self.ids) for name in names) if each is not None]
        columns = [self.server.quote(each.name) for each in self.ids]
        left = columns[0] if len(columns) == 1 else f"({', '.join(columns)})"
        one = self.server.place if len(columns) == 1 else f"({', '.join([self.server.place] * len(columns))})"
        if self.server.place == "%s":
            statement, left = statement.replace("%", "%%"), left.replace("%", "%%")
        for start in range(0, len(found), _IDS):
            some = found[start : start + _IDS]
            chosen = f"{statement} WHERE {left} IN ({', '.join([one] * len(some))})"
            yield from self.server.stream(self.connection, chosen, [value for each in some for value in each])


_XMIN = "xmin"


def _what(relation: Relation) -> str:
    return f"the query {relation.name}" if relation.query else f"table {relation.name}"


def _ids(spec: SqlSpec, rows: RowsSpec, shape: Shape, where: str) -> list[Column]:
    """Choose the columns that name a row."""
    columns = {each.name: each for each in shape.columns}
    if spec.key or rows.id:
        return [columns[_exact(shape.names, each, where)] for each in spec.key or [rows.id or ""]]
    if rows.id is None:
        return []
    return [columns["id"]] if "id" in columns else [columns[each] for each in shape.primary]


def _exact(names: list[str], wanted: str, where: str) -> str:
    if wanted in names:
        return wanted
    found = column_in(names, wanted, where)
    raise ConfigurationError(f"{where}: an id is a whole column, not {wanted!r} within {found!r}")


def _marker(server: Server, spec: SqlSpec, shape: Shape, where: str) -> tuple[str, bool]:
    """Choose what tells that a row has changed: an expression, and whether it is a hash of what is wanted."""
    if spec.marker == "auto":
        return (_XMIN, False) if shape.xmin else ("", True)
    if spec.marker in shape.names:
        return server.quote(spec.marker), False
    if spec.marker == "hash":
        return "", True
    if spec.marker == _XMIN:
        if shape.xmin:
            return _XMIN, False
        raise ConfigurationError(f"{where} has no xmin (only tables of PostgreSQL have); set `marker: hash`")
    return server.quote(_exact(shape.names, spec.marker, where)), False
