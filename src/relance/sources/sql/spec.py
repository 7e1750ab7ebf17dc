"""The section of a source of SQL."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from relance.config.spec_model import ENV, Column
from relance.config.tables import TablesSpec
from relance.sources.sql.address import check_address, is_of_database
from relance.sources.sql.one_query import refusal
from relance.sources.sql.relation import parts_of

__all__ = ["SqlSpec"]

Tables = Annotated[list[Column], Field(min_length=1)]


class SqlSpec(TablesSpec, title="SQL"):
    """Rows of a database: each row of a table, a view or a query is a document, or an image or video."""

    no_encoding = "a database has no encoding of its own; leave it out"

    type: Literal["sql"] = Field(default="sql", title="Type", examples=["sql"])
    """What kind of source this is; `sql` reads rows of PostgreSQL, MySQL, MariaDB, SQLite or DuckDB."""
    url: SecretStr = Field(
        title="Address",
        json_schema_extra=ENV,
        examples=["postgresql://reader:${DB_PASSWORD}@db.example.com/shop", "sqlite:///shop.db"],
    )
    """Where the database is: `postgresql://`, `mysql://` or `mariadb://` USER:PASSWORD@HOST/DATABASE, `sqlite:///FILE`
    or `duckdb:///FILE`. Characters of a password that mean something in addresses are percent-encoded. Files are
    relative to the spec file."""
    table: Tables = Field(default=[], title="Table", examples=["public.products", ["articles", "news"]])
    """Table or view, or several with the same columns; `SCHEMA.TABLE`, with double quotes around a name that holds a
    dot."""
    query: str = Field(default="", title="Query", examples=["SELECT id, title, body FROM posts WHERE published"])
    """One SELECT (or WITH … SELECT) instead of a table; `name` is what it is called."""
    name: str = Field(default="", title="Name of the query", examples=["published-posts"])
    """Name of the query in the addresses of its rows: `postgresql://HOST/DATABASE/query:NAME#ID`."""
    key: list[Column] = Field(default=[], title="Key columns", examples=[["order_id", "line"]])
    """Columns that name a row together, as `7/2`. Empty: `rows.id`; without it a column `id`; without one the primary
    key."""
    marker: str = Field(default="auto", title="Marker", min_length=1, examples=["auto", "xmin", "hash", "updated_at"])
    """What shows that a row has changed: a column that changes with it, `hash` of the columns that are wanted, or in
    PostgreSQL `xmin`, the number of the transaction that wrote it. `auto` is `xmin` where there is one, else `hash`."""
    timeout_s: float = Field(default=600.0, title="Time limit of a statement", gt=0, le=86_400)
    """Seconds after which the server ends a statement."""
    notify: str = Field(default="", title="Channel of notifications", examples=["relance_products"])
    """PostgreSQL: `relance watch` listens to this channel (LISTEN), to which a trigger sends ids of rows (NOTIFY)."""
    link: str = Field(default="", title="Page of a row", json_schema_extra=ENV,
                      examples=["https://shop.example.com/products/{id}"])  # fmt: skip
    """Page where people see a row; `{id}` is its id, percent-encoded."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Look at a database, and at one table of it."""
        from relance.sources.sql.first_look import first_look

        return first_look(address) if is_of_database(address) else None

    @field_validator("table", mode="before", json_schema_input_type=Column | Tables)
    @classmethod
    def _one_table(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("table")
    @classmethod
    def _tables_are_names(cls, tables: list[str]) -> list[str]:
        for each in tables:
            parts_of(each)
        if len(set(map(parts_of, tables))) != len(tables):
            msg = "names a table twice"
            raise ValueError(msg)
        return tables

    @field_validator("url")
    @classmethod
    def _address_is_known(cls, url: SecretStr) -> SecretStr:
        check_address(url.get_secret_value())
        return url

    @field_validator("query")
    @classmethod
    def _query_only_reads(cls, query: str) -> str:
        if query and (reason := refusal(query)):
            raise ValueError(reason)
        return query

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.table) == bool(self.query):
            msg = "set one of `table` and `query`"
            raise ValueError(msg)
        if bool(self.query) != bool(self.name):
            msg = "a query needs `name`, which its rows are called by" if self.query else "`name` is for a query only"
            raise ValueError(msg)
        if self.key and self.rows is not None and self.rows.id:
            msg = "`key` and `rows.id` both name rows; keep one of them"
            raise ValueError(msg)
        if self.notify and not self.url.get_secret_value().lower().startswith("postgres"):
            msg = "`notify` is for PostgreSQL only"
            raise ValueError(msg)
        return self
