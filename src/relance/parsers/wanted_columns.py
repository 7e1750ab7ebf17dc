"""Which columns of a table a spec wants, and for what."""

from __future__ import annotations

from relance.config.row_template import row_template
from relance.config.sources import RowsSpec
from relance.parsers.parser import Collection
from relance.parsers.records import Table

__all__ = ["Wanted", "columns_of"]


class Wanted:
    """What a spec wants of a row: where its name, texts, title and metadata come from."""

    def __init__(self, spec: RowsSpec, *, media: bool) -> None:
        self.spec, self.media = spec, media
        self.own_id = spec.id or ""
        self.default_id = "id" if spec.id == "" else ""
        self.title = spec.title or ("title" if media or "title" in spec.text else "")

    def table(self, collection: Collection) -> Table:
        """Say which columns are needed of a table."""
        spec = self.spec
        texts = [spec.url, *spec.caption] if self.media else spec.text
        named = [self.own_id, *texts, spec.title]
        needed = tuple(dict.fromkeys(column for each in named for column in columns_of(each)))
        welcome = tuple(each for each in (self.default_id, self.title if not spec.title else "") if each)
        return Table(
            collection.stream,
            collection.uri,
            spec,
            needed,
            tuple(dict.fromkeys(spec.metadata)),
            welcome,
            collection.encoding,
            collection.max_row,
        )


def columns_of(text: str) -> list[str]:
    """Name the columns of a template, or of what is one."""
    parts = row_template(text)
    return [column for _, column in parts if column] if parts else [text] if text else []
