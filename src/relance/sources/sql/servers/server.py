"""What is needed of a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relance.errors import ConfigurationError, RelanceError, RetryableError, SourceError
from relance.safe_text import visible
from relance.sources.sql.address import Address

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FETCH", "AwayError", "Column", "Kind", "MissingTableError", "Server", "Shape"]

# Rows fetched at a time: of 1 kB each they are 2 MB.
FETCH = 2000

Kind = Literal["int", "text", "uuid", "bytes", "json", "time", "other"]


class AwayError(SourceError, RetryableError):
    """There is no connection; the next attempt may get one."""


class MissingTableError(ConfigurationError):
    """There is no such table or view."""


@dataclass(slots=True, frozen=True)
class Column:
    """A column of a table or query; `type` is what the database calls it."""

    name: str
    type: str = ""
    kind: Kind = "other"


@dataclass(slots=True, frozen=True)
class Shape:
    """What a table is like.

    Attributes:
        keys: columns that name a row together and have an index, the primary key first.
        primary: the columns of the primary key.
        xmin: whether each row says which transaction wrote it.
        era: text that changes where such numbers begin anew.
        row_bytes: of an average row; 0 where the server does not know.
        table_bytes: of all rows; 0 where `row_bytes` is known anyway.
    """

    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    primary: tuple[str, ...] = ()
    xmin: bool = False
    era: str = ""
    row_bytes: int = 0
    table_bytes: int = 0

    @property
    def names(self) -> list[str]:
        """The columns in order."""
        return [each.name for each in self.columns]


class Server(ABC):
    """How one kind of database is spoken to, with its own driver; a constructor opens nothing.

    SQLAlchemy would add a third to the time a row takes, sends types along with which an index on `char` is not used,
    and has no dialect that DuckDB 2 answers to.

    Attributes:
        place: what a parameter is in a statement.
    """

    place: ClassVar[str] = "%s"

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.address, self.timeout_s = address, timeout_s

    @contextmanager
    def snapshot(self) -> Generator[Any]:
        """Connect, for as long as the block, to read one state of the database and write nothing.

        Raises ConfigurationError where there is no such database or its extra is missing, MissingTableError,
        SourceError for what else goes wrong in the block; no text has the password.
        """
        import stamina

        connection = None
        try:
            for attempt in stamina.retry_context(on=AwayError, attempts=3, wait_initial=0.3, timeout=20):
                with attempt:
                    connection = self._translated(self.connect)
            yield connection
        except RelanceError:
            raise
        except Exception as error:
            raise (self.explain(error) or error) from None
        finally:
            if connection is not None:
                self.close(connection)

    def _translated(self, connect: Any) -> Any:
        try:
            return connect()
        except RelanceError:
            raise
        except Exception as error:
            raise (self.explain(error) or error) from None

    @abstractmethod
    def connect(self) -> Any:
        """Connect and begin a transaction that reads one state, ends statements in time, and gives times in UTC."""

    def close(self, connection: Any) -> None:
        """End the transaction and leave."""
        connection.close()

    @abstractmethod
    def explain(self, error: Exception) -> RelanceError | None:
        """Say what an error of the driver means; None for one that is not the driver's."""

    @abstractmethod
    def stream(self, connection: Any, statement: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Run a statement, and stream its rows some at a time, without holding all of them here."""

    def rows(self, connection: Any, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with few rows."""
        return [row for each in self.stream(connection, statement, values) for row in each]

    def copied(self, connection: Any, statement: str) -> Iterator[pa.Table] | None:  # noqa: ARG002  # most have only one way
        """Stream a statement with a name and a version as tables in a faster way; None where there is none."""
        return None

    @abstractmethod
    def shape(self, connection: Any, schema: str, table: str) -> Shape:
        """Look what a table is like; MissingTableError if there is none."""

    @abstractmethod
    def columns_of_query(self, connection: Any, statement: str) -> tuple[Column, ...]:
        """Look which columns a query has, without running it whole."""

    @abstractmethod
    def tables(self, connection: Any, schema: str) -> list[str]:
        """List the tables and views of a schema, or of the connection's own."""

    @abstractmethod
    def hash(self, expressions: Sequence[str]) -> str:
        """Write an expression: a whole number that changes when one of the expressions does."""

    def total(self, expression: str) -> str:
        """Write an aggregate of such numbers that does not depend on their order, and counts equal ones."""
        return f"SUM({expression})"

    def select(self, expressions: Sequence[str], source: str) -> str:
        """Write a SELECT of expressions that are quoted already."""
        return f"SELECT {', '.join(expressions)} FROM {source}"  # noqa: S608

    def quote(self, name: str) -> str:
        """Write a name, whatever is in it."""
        return '"' + name.replace('"', '""') + '"'

    def text(self, expression: str) -> str:
        """Write an expression as text."""
        return f"CAST({expression} AS TEXT)"

    def selected(self, column: Column) -> str:
        """Write how the values of a column are asked for."""
        return self.quote(column.name)

    def from_table(self, schema: str, table: str) -> str:
        """Write the name of a table."""
        return f"{self.quote(schema)}.{self.quote(table)}" if schema else self.quote(table)

    def said(self, error: Exception) -> str:
        """Write what a driver said as one line, without the password."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = visible(lines[0] if lines else type(error).__name__, line=True)[:300]
        return text.replace(self.address.password, "***") if self.address.password else text

    def broke(self, error: Exception) -> SourceError:
        """Make an error of what a driver said."""
        return SourceError(f"{self.address.shown}: {self.said(error)}")

    def too_slow(self) -> SourceError:
        """Make an error of a statement that the server ended."""
        return SourceError(f"{self.address.shown}: a statement took longer than timeout_s ({self.timeout_s:g} s)")
