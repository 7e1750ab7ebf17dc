"""What MCP tools answer: passages with what a citation needs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from relance.search import Hit
from relance.search.hit import moment
from relance.search.media import MediaHit
from relance.serve.answers import DocumentAnswer, IndexAnswer, SearchAnswer

__all__ = ["FoundPassages", "Passage", "ReadDocument", "Sources"]


class Passage(BaseModel):
    """A passage that answers, or a picture, with what a citation of it needs."""

    number: int = Field(description="Number to cite it by, such as [1].")
    uri: str = Field(description="Uri of its document; `read_document` takes it.")
    chunk: str = Field(description="Its id; `read_document` reads around it.")
    title: str = Field(description="Title of the document.")
    heading_path: list[str] = Field(description="Headings above it, the highest first.")
    where: str = Field(description="Its lines or pages, such as `lines 12-20`; empty where it has none.")
    line: int | None = Field(description="Line of the file it begins on, from 1.")
    line_end: int | None = Field(description="Line it ends on.")
    link: str = Field(description="Address where people see it; empty where there is none.")
    score: float = Field(description="Higher is better; only comparable within one answer.")
    text: str = Field(description="The passage itself; for a picture, its caption.")
    metadata: dict[str, Any] = Field(description="Metadata of the document.")
    url: str = Field(default="", description="Address of an image or video; empty for texts.")


class FoundPassages(BaseModel):
    """What a search found, best first."""

    index: str
    passages: list[Passage] = Field(description="Empty where nothing fits.")
    more: bool = Field(description="Whether there are more: search again with a larger offset.")
    hints: list[str] = Field(default=[], description="Where nothing was found: what may be wrong with the filter.")

    @classmethod
    def of(cls, index: str, answer: SearchAnswer, offset: int) -> FoundPassages:
        """Number the hits of a search: first texts, then images and videos."""
        found = [_passage(hit) for hit in answer.hits] + [_picture(hit) for hit in answer.media]
        for number, passage in enumerate(found, start=offset + 1):
            passage.number = number
        return cls(index=index, passages=found, more=answer.more, hints=answer.hints)


class ReadDocument(DocumentAnswer):
    """A document, or the part of it around a passage, with where it stands."""

    index: str
    where: str = Field(description="Lines or pages of what was read.")

    @classmethod
    def of(cls, index: str, answer: DocumentAnswer) -> ReadDocument:
        """Say where the chunks stand."""
        first, last = (answer.chunks[0], answer.chunks[-1]) if answer.chunks else (None, None)
        place = "" if first is None or last is None else _where(
            first.line, last.line_end, first.page, last.page_end or last.page)  # fmt: skip
        return cls(index=index, where=place, **dict(answer))


class Sources(BaseModel):
    """The indexes there are, with their sources."""

    indexes: list[IndexAnswer]


def _passage(hit: Hit) -> Passage:
    return Passage(
        number=0, uri=hit.uri, chunk=hit.id, title=hit.title, heading_path=hit.heading_path,
        where=_where(hit.line, hit.line_end, hit.page, hit.page_end), line=hit.line, line_end=hit.line_end,
        link=hit.link, score=hit.score, text=f"{hit.lead}\n{hit.text}" if hit.lead else hit.text, metadata=hit.metadata,
    )  # fmt: skip


def _picture(hit: MediaHit) -> Passage:
    return Passage(
        number=0, uri=hit.uri, chunk=hit.id, title=hit.title, heading_path=hit.heading_path,
        where=moment(hit.moment_s, hit.moment_end_s), line=None, line_end=None, link="", score=hit.score,
        text=hit.caption, metadata=hit.metadata, url=hit.url,
    )  # fmt: skip


def _where(line: int | None, line_end: int | None, page: int | None, page_end: int | None) -> str:
    for name, first, last in (("line", line, line_end), ("page", page, page_end)):
        if first:
            return f"{name}s {first}-{last}" if last and last != first else f"{name} {first}"
    return ""
