"""What is answered over HTTP and MCP: the attributes of hits, under the same names."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from relance.analysis.recommend import Recommendations
from relance.search import Hit
from relance.search.hit import Explanation
from relance.search.media import MediaHit

__all__ = ["ChunkAnswer", "DocumentAnswer", "DocumentPage", "DocumentRow", "Health", "IndexAnswer", "IndexList",
           "Recommendations", "SearchAnswer", "SourceAnswer"]  # fmt: skip


class SearchAnswer(BaseModel):
    """A page of hits, best first."""

    hits: list[Hit] = Field(description="Chunks.")
    media: list[MediaHit] = Field(description="Images and videos.")
    more: bool = Field(description="Whether there are more hits: search again with a larger `offset`.")
    together: bool = Field(description="Whether the scores of `hits` and `media` can be compared.")
    hints: list[str] = Field(default=[], description="Where nothing was found: what may be wrong with the filter.")
    explanations: list[Explanation] = Field(default=[], description="What was done; with `explain`.")


class DocumentRow(BaseModel):
    """A document in a list."""

    uri: str = Field(description="Its name in the index.")
    title: str = Field(description="Its title; may be empty.")
    chunks: int = Field(description="Chunks of its text; moments of a film.")
    tokens: int | None = Field(description="Tokens of these chunks.")
    updated_at: str | None = Field(description="When it was last indexed, in ISO 8601.")


class DocumentPage(BaseModel):
    """Some of the documents, by uri."""

    documents: list[DocumentRow]
    total: int = Field(description="Documents on all pages, as far as this caller may see them.")
    offset: int
    more: bool = Field(description="Whether there are more documents.")


class ChunkAnswer(BaseModel):
    """A chunk of a document."""

    id: str
    seq: int = Field(description="Its place in the document, from 0.")
    heading_path: list[str]
    lead: str = Field(description="What belongs before the text when it is read alone, such as the header of a table.")
    text: str
    start: int = Field(description="Character offset in the document's text.")
    end: int
    line: int | None = Field(description="Line of the file it begins on, from 1.")
    line_end: int | None
    page: int | None
    page_end: int | None


class DocumentAnswer(BaseModel):
    """A document, or the part of it around a hit."""

    uri: str
    title: str
    media_type: str
    metadata: dict[str, Any]
    link: str = Field(description="Page where people see it; empty where there is none.")
    chunks: list[ChunkAnswer] = Field(description="Those that were requested, in order.")
    text: str = Field(description="Their text in one piece, without overlaps.")
    first: int = Field(description="`seq` of the first of them.")
    total: int = Field(description="Chunks of the whole document.")
    more: bool = Field(description="Whether there are more chunks after these.")


class SourceAnswer(BaseModel):
    """A source of an index."""

    type: str = Field(description="Its kind, such as `files` or `git`.")
    documents: int = Field(description="Documents of it that this caller may see.")
    below: str = Field(description="What their uris begin with; empty where they have nothing in common.")


class IndexAnswer(BaseModel):
    """An index."""

    name: str
    description: str
    model: str = Field(description="Model that embeds it.")
    media: bool = Field(description="Whether it has images and videos.")
    documents: int = Field(description="Documents that this caller may see.")
    chunks: int = Field(description="Chunks of these documents.")
    pictures: int = Field(description="Images and videos (of films: moments) that this caller may see.")
    table: str | None = Field(description="Table that serves it; null before its first run.")
    version: int | None = Field(description="Its version.")
    sources: list[SourceAnswer] = Field(description="Sources that this caller sees documents of.")


class IndexList(BaseModel):
    """The indexes that a caller may use."""

    indexes: list[IndexAnswer]


class Health(BaseModel):
    """Whether the server works."""

    status: str = Field(description="`ok`, or `not ready`.")
    indexes: dict[str, str] = Field(
        default={}, description="For each index `ok`, or why it cannot be searched; only on a server without tokens."
    )
