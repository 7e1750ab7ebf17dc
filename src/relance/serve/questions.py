"""What can be asked over HTTP: the options of `Index.search` and `recommend`, under the same names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from relance.analysis.history import Liked
from relance.search.mode import Mode
from relance.search.table import MAX_HITS
from relance.serve.documents import MOST_CHUNKS

__all__ = ["LikeQuestion", "LikedEntry", "ListQuestion", "ReadQuestion", "RecommendQuestion", "SearchQuestion"]

_LONGEST = 20_000  # characters of a question: more than any model reads
_URI = 4_000
_ADDRESS = r"^(https?://[^/\s].*)?$"
_MOST = 1_000  # hits on a page; `Index.search` has more for who runs the index


class Asked(BaseModel):
    """What all questions have in common."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    k: int = Field(10, ge=1, le=_MOST, description="Hits on a page.")
    offset: int = Field(0, ge=0, le=MAX_HITS, description="Hits to skip: those of the pages before.")
    filter: str | None = Field(
        None,
        max_length=_LONGEST,
        description='Condition on columns and metadata, such as `year >= 2020 and uri ~ "docs/*"`.',
        examples=["year >= 2020"],
    )
    group: bool = Field(False, description="One hit for each document: its best chunk, and others in `chunks`.")
    explain: bool = Field(False, description="Say what was done, in `explanations` and in `explained` of each hit.")


class SearchQuestion(Asked):
    """A question to an index: in words, by a picture, or by a document that the hits should be like."""

    query: str = Field("", max_length=_LONGEST, description="In words.", examples=["How many days of leave?"])
    image: str = Field(
        "",
        max_length=_URI,
        description="Address (http or https) of a picture to ask with; for media.",
        json_schema_extra={"pattern": _ADDRESS},
    )
    like: str = Field("", max_length=_URI, description="Uri of a document of the index: others like it.")
    what: Literal["auto", "texts", "media", "both"] = Field(
        "auto", description="What to look for; `auto`: both where the index has media, else texts."
    )
    mode: Mode = Field("hybrid", description="By vectors, by words, by weighted terms, or by all of these merged.")
    where: str | None = Field(None, max_length=_LONGEST, description="SQL condition; for tokens of the owner.")
    rerank: str | None = Field(
        None,
        max_length=200,
        description="`none`: the hits are not sorted once more by the reranker that the index declares. Another "
        "reranker may be named with a token of the owner.",
        examples=["none"],
    )
    instruct: str | None = Field(
        None, max_length=2_000, description="What the question is for: a sentence, or a preset, such as `retrieval`."
    )
    floor: float | None = Field(
        None,
        ge=0,
        le=10,
        description="Standard deviations by which a picture has to stand out from its list; 0: all are hits.",
    )

    @field_validator("image")
    @classmethod
    def _is_an_address(cls, image: str) -> str:
        # A path would read files of the server.
        if not re.search(_ADDRESS, image):
            msg = "must be an address that begins with http:// or https://"
            raise ValueError(msg)
        return image


class LikeQuestion(Asked):
    """A document that the hits should be like."""

    uri: str = Field(min_length=1, max_length=_URI, description="Uri of a document of the index.")

    def as_search(self) -> SearchQuestion:
        """Return the search that it is."""
        return SearchQuestion(like=self.uri, what="auto", **self.model_dump(exclude={"uri"}))


class LikedEntry(BaseModel):
    """What somebody liked (weight above 0) or disliked (below 0): a document, or an interest in words."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    uri: str = Field("", max_length=_URI, description="Uri of a document; either this or `text`.")
    text: str = Field("", max_length=_LONGEST, description="An interest in words; either this or `uri`.")
    weight: float = Field(1.0, ge=-1000, le=1000, description="How much it was liked; below 0: disliked.")
    when: datetime | None = Field(None, description="When; by default now. Older entries count less.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.uri.strip()) == bool(self.text.strip()):
            msg = "needs one of uri and text" + ("" if not self.uri.strip() else ", not both")
            raise ValueError(msg)
        return self

    def as_liked(self) -> Liked:
        """Return the entry of a history that it is; a time without a zone is UTC."""
        when = self.when.replace(tzinfo=UTC) if self.when is not None and self.when.tzinfo is None else self.when
        return Liked(uri=self.uri, text=self.text, weight=self.weight, when=when)


class RecommendQuestion(BaseModel):
    """A history, and what may be recommended."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    history: list[LikedEntry] = Field(min_length=1, max_length=500, description="What was liked and disliked.")
    k: int = Field(10, ge=1, le=_MOST, description="How many to recommend.")
    level: Literal["documents", "media"] = Field("documents", description="Documents, or images and videos.")
    filter: str | None = Field(None, max_length=_LONGEST, description="Condition, as in search.")
    diversity: float = Field(0.3, ge=0, le=1, description="0 takes the best, 1 what differs most.")
    half_life_days: float | None = Field(
        90.0, ge=0, le=1e6, description="Days after which an entry counts half; 0: age does not matter."
    )


class ListQuestion(BaseModel):
    """Which page of the documents."""

    model_config = ConfigDict(extra="forbid")

    offset: int = Field(0, ge=0, le=100_000_000, description="Documents to skip: those of the pages before.")
    limit: int = Field(100, ge=1, le=1_000, description="Documents on a page.")
    words: str = Field("", max_length=500, description="Words that the uri or the title must contain.")
    media: bool = Field(False, description="List images and videos instead.")


class ReadQuestion(BaseModel):
    """Which part of which document."""

    model_config = ConfigDict(extra="forbid")

    uri: str = Field(min_length=1, max_length=_URI, description="Uri of the document.")
    around: str = Field("", max_length=200, description="Id of a chunk: read around it.")
    line: int | None = Field(None, ge=1, le=2**31 - 1, description="A line of the file: read around it.")
    before: int = Field(1, ge=0, le=MOST_CHUNKS // 2 - 1, description="Chunks before that place.")
    after: int = Field(1, ge=0, le=MOST_CHUNKS // 2 - 1, description="Chunks after that place.")
    first: int = Field(0, ge=0, le=2**31 - 1, description="Without `around` and `line`: the first chunk to read.")
    count: int = Field(
        MOST_CHUNKS, ge=1, le=MOST_CHUNKS, description="Without `around` and `line`: how many chunks to read."
    )
