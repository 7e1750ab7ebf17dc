"""What a source of SQL reads: tables and one query, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["Relation", "parts_of"]

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


@dataclass(slots=True, frozen=True)
class Relation:
    """A table or a query.

    Attributes:
        uri: what its rows' addresses begin with.
        name: what people call it.
        table: empty for a query.
        schema: of a table; empty where the connection's own is meant.
    """

    uri: str
    name: str
    table: str = ""
    schema: str = ""
    query: str = ""

    @classmethod
    def of_table(cls, database: str, text: str) -> Relation:
        """Name a table of a database as the spec does: `schema.table`."""
        schema, table = parts_of(text)
        parts = [quote(each, safe="").replace(".", "%2E") for each in (schema, table) if each]
        return cls(f"{database}/{'.'.join(parts)}", text, table, schema)

    @classmethod
    def of_query(cls, database: str, name: str, query: str) -> Relation:
        """Name a query; no table has a colon in its uri."""
        return cls(f"{database}/query:{quote(name, safe='')}", name, query=query.strip().rstrip(";"))


def parts_of(text: str) -> tuple[str, str]:
    """Split `schema.table`; ValueError with a reason."""
    found: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        found.append(match[1].replace('""', '"') if match[1] else match[2])
        at = match.end()
        if text[at : at + 1] != "." or at + 1 == len(text):
            break
        at += 1
    if at != len(text) or not 1 <= len(found) <= 2 or "\0" in text:
        msg = f'{text!r} is no name of a table; write TABLE or SCHEMA.TABLE, or "SCHEMA"."TABLE" for names with dots'
        raise ValueError(msg)
    return (found[0], found[1]) if len(found) > 1 else ("", found[0])
