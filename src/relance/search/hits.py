"""A page of hits, and its forms for other libraries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from relance.errors import ConfigurationError
from relance.search.hit import Explanation

if TYPE_CHECKING:
    from dataclasses import Field

    import pandas as pd
    import pyarrow as pa

__all__ = ["Hits"]


class _Hit(Protocol):
    """A dataclass of plain values: `Hit` or `MediaHit`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def as_dict(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=_Hit)


class Hits(list[T]):
    """The hits of one page, best first.

    Attributes:
        kind: class of the hits, which also an empty page has.
        more: whether there are others after them.
        explanation: only where asked for.
        together: whether a reranker sorted them together with the hits of the other kind: the scores can be compared.
        cut: of media: how many did not stand out of any list, and are no hits (`search.media_floor`).
        hints: where nothing was found, what may be wrong with the filter: a key that no document has.
    """

    def __init__(self, kind: type[T], hits: Iterable[T] = (), *, more: bool = False,
                 explanation: Explanation | None = None, cut: int = 0) -> None:  # fmt: skip
        super().__init__(hits)
        self.kind = kind
        self.more = more
        self.explanation = explanation
        self.cut = cut
        self.together = False
        self.hints: list[str] = []

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain dictionaries, ready for JSON."""
        return [hit.as_dict() for hit in self]

    def to_arrow(self) -> pa.Table:
        """Return a table with a row for each hit and a column for each attribute; an empty page has the same schema.

        Metadata, and everything else whose keys differ from hit to hit, is JSON text; docs/search.md lists all types.
        """
        import pyarrow as pa

        schema = _schema(self.kind)
        texts = {name for name in schema.names if schema.field(name).metadata}
        rows = [{name: json.dumps(value, ensure_ascii=False) if name in texts and value is not None else value
                 for name, value in hit.as_dict().items()} for hit in self]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=schema)

    def _repr_html_(self) -> str:
        """Show the page in a notebook."""
        from relance.search.hit import Hit
        from relance.search.hits_card import hits_card

        return hits_card(self, media=self.kind is not Hit, more=self.more)

    def to_pandas(self) -> pd.DataFrame:
        """Return the table of `to_arrow` as a data frame; ConfigurationError where pandas is not installed."""
        try:
            import pandas  # noqa: F401, ICN001
        except ImportError as error:
            raise ConfigurationError("to_pandas() needs pandas: pip install pandas") from error
        return self.to_arrow().to_pandas()


def _schema(kind: type[_Hit]) -> pa.Schema:
    """Make the schema of a class of hits from the types of its attributes; what is JSON text says so."""
    import pyarrow as pa

    span = pa.list_(pa.int64(), 2)
    types = {"str": pa.string(), "int": pa.int64(), "int | None": pa.int64(), "float": pa.float64(),
             "float | None": pa.float64(), "list[str]": pa.list_(pa.string()), "Span": span,
             "list[Span]": pa.list_(span)}  # fmt: skip
    return pa.schema(
        [pa.field(field.name, types[str(field.type)]) if field.type in types
         else pa.field(field.name, pa.string(), metadata={"relance": "json"}) for field in fields(kind)]
    )  # fmt: skip
