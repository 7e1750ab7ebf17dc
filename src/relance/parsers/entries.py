"""Files of text that hold many short documents: a calendar, a bibliography."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from relance.config.sources import RowsSpec
from relance.errors import DocumentError
from relance.parsers.decoding import decode
from relance.parsers.parser import Collection, Parsed, Parser, Raw
from relance.parsers.rows import Row

__all__ = ["Entries"]


class Entries(Parser):
    """A parser of such files; a subclass says how to find the entries of a text.

    Attributes:
        nothing: what is said of a file in which none can be read.
    """

    decodes = True
    nothing: ClassVar[str]

    @abstractmethod
    def entries(self, text: str, uri: str, media_type: str) -> Iterator[Row | DocumentError]:
        """Stream the entries of a text; one that cannot be read is an error."""

    def parse(self, raw: Raw) -> Parsed:
        """Write all of it as one text."""
        rows = list(self.entries(decode(raw.data, raw.uri, encoding=raw.encoding), raw.uri, raw.media_type))
        texts = [row.text for row in rows if isinstance(row, Row)]
        if not texts:
            raise DocumentError(raw.uri, self.nothing)
        return Parsed("\n\n".join(texts), warnings=tuple(row.reason for row in rows if isinstance(row, DocumentError)))

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:  # noqa: ARG002  # all of them are
        """Each of them holds many."""
        return True

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the entries."""
        if collection.media:
            return
        data = collection.read()
        text = decode(data, collection.uri, encoding=collection.encoding)
        yield from self.entries(text, collection.uri, collection.media_type)
