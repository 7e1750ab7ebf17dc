"""The vectors of an index as points, limited by the conditions people write, and what each point is."""

from __future__ import annotations

import difflib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from relance.errors import ConfigurationError, InputError
from relance.search import condition as conditions
from relance.search.filters import FilterError
from relance.search.filters.literals import quoted
from relance.store import points
from relance.store.points import ID, Level, Points, read_batches, unit
from relance.store.visible_table import Checked, refuse_sql

__all__ = ["Described", "Level", "Points", "count_points", "describe_points", "read_points", "selection",
           "stream_points", "unit"]  # fmt: skip

_TEXT = 400  # characters of a document that are shown
_NAMED = 5  # unknown uris that are told, each with what it may have meant


class Tables(Protocol):
    """What has the tables of an index: an `Index`, or anything else that opens them."""

    def visible(self, *, media: bool = False) -> Any:
        """Open the table of the texts, or of the media, as searches see it, with what the reader may see."""
        ...


@dataclass(slots=True, frozen=True)
class Described:
    """What a person wants to know of a point.

    Attributes:
        text: of a chunk, of the beginning of a document, or the caption of a medium; at most 400 characters.
        url: of a medium; empty for texts.
    """

    id: str
    uri: str
    title: str
    text: str
    heading_path: list[str]
    media_type: str
    metadata: dict[str, Any]
    url: str = ""


def selection(index: Tables, level: Level, *, filter: str | None = None, where: str | None = None) -> str | None:  # noqa: A002  # its name everywhere
    """Put a filter (docs/search.md) and an SQL condition together to the `where` of an analysis; None of neither."""
    asked = filter if filter and filter.strip() else None
    if not asked and not where:
        return None
    table = index.visible(media=level == "media")
    refuse_sql(table, where)
    return Checked(conditions.condition(table.schema, filter=asked, where=where) if asked else where)


def read_points(index: Tables, *, level: Level = "documents", sample: int | None = None, where: str | None = None,
                uris: Sequence[str] | None = None, seed: int = 0) -> Points:  # fmt: skip
    """Read points into memory, as `relance.store.points` does.

    `uris`: only these documents; InputError names those that the index does not have. Raises FilterError for a wrong
    condition, as the others here do.
    """
    with _dense_table(index, level, where) as table:
        if uris is not None:
            named = _uris(table, uris)
            where = f"({where}) AND {named}" if where else named
        return points.read_points(table, level, sample=sample, where=where, seed=seed)


def stream_points(index: Tables, *, level: Level = "documents", where: str | None = None,
                  batch: int = 8192) -> Iterator[Points]:  # fmt: skip
    """Yield every point of one version of the table once, some `batch` at a time, in bounded memory."""
    with _dense_table(index, level, where) as table:
        yield from points.stream_points(table, level, where=where, batch=batch)


def count_points(index: Tables, *, level: Level = "documents", where: str | None = None) -> int:
    """Count points; for documents this reads the column of their ids."""
    with _dense_table(index, level, where) as table:
        return points.count_points(table, level, where=where)


def describe_points(index: Tables, level: Level, ids: Sequence[str]) -> dict[str, Described]:
    """Fetch title, text and metadata of points, by id; of a document its first chunk's."""
    from relance.store.schemas import in_lists

    table = index.visible(media=level == "media")
    columns = ["uri", "title", "text", "heading_path", "media_type", "metadata", "seq", "active"]
    columns += [ID[level]] + (["url"] if level == "media" else [])
    found: dict[str, tuple[int, Described]] = {}
    for condition in in_lists(ID[level], list(ids)):
        for row in table.search().where(condition).select(columns).limit(None).to_list():
            name, seq = row[ID[level]], row["seq"] or 0
            if row["active"] and (name not in found or seq < found[name][0]):
                found[name] = (seq, _described(name, row))
    return {name: described for name, (_, described) in found.items()}


@contextmanager
def _dense_table(index: Tables, level: Level, where: str | None) -> Generator[Any]:
    """Open a table that has dense vectors; an error of the block is the condition's, if there is one."""
    table = index.visible(media=level == "media")
    refuse_sql(table, where)
    if "vector" not in table.schema.names:
        name = table.name.partition("__")[0]
        msg = f"index {name!r} has sparse vectors only; set embedding.output_type to dense or dense&sparse"
        raise ConfigurationError(msg)
    try:
        yield table
    except (ValueError, RuntimeError) as error:
        if where is None:
            raise
        raise FilterError.of_lancedb(f"the condition {where!r}", error, table.schema.names) from error


def _uris(table: Any, uris: Sequence[str]) -> str:
    """Write the condition for some documents, all of which the table has."""
    wanted, condition = list(dict.fromkeys(uris)), _in("uri", uris)
    there = {uri for batch in read_batches(table, ["uri"], condition) for uri in batch["uri"].to_pylist()}
    if unknown := [uri for uri in wanted if uri not in there]:
        known = {uri for batch in read_batches(table, ["uri"], None) for uri in batch["uri"].to_pylist()}
        told = "; ".join(_nearest(uri, known) for uri in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        msg = f"the index has no document {told}{more}; `relance search` and `relance explore` show the uris it has"
        raise InputError(msg)
    return condition


def _nearest(uri: str, known: set[str]) -> str:
    close = difflib.get_close_matches(uri, known, n=1)
    return f"{uri!r} (did you mean {close[0]!r}?)" if close else repr(uri)


def _in(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(map(quoted, values))})" if values else "false"


def _described(name: str, row: dict[str, Any]) -> Described:
    return Described(
        id=name,
        uri=row["uri"],
        title=row["title"] or "",
        text=(row["text"] or "")[:_TEXT],
        heading_path=list(row["heading_path"] or []),
        media_type=row["media_type"] or "",
        metadata=json.loads(row["metadata"] or "{}"),
        url=row.get("url") or "",
    )
