"""Images and videos, and how they are fetched."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import ByteSize, Field, SecretStr, field_validator, model_validator

from relance.config.embedding import MediaEmbeddingSection, MediaEmbeddingSpec
from relance.config.headers import checked_headers
from relance.config.spec_model import ENV, MIB, Column, Size, SpecModel

__all__ = ["AddressRule", "FetchSpec", "FilmsSpec", "HostSpec", "MediaSpec", "MissingSpec"]

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


class HostSpec(SpecModel, title="Host"):
    """How one host is asked."""

    headers: dict[str, SecretStr] = Field(
        default={}, title="Headers", json_schema_extra=ENV, examples=[{"Referer": "https://shop.example/"}]
    )
    """Sent to this host only, not on after a redirect; values may be `${NAME}`."""
    per_second: float = Field(default=0.0, title="Requests per second", ge=0)
    """At most so many requests are begun in a second; 0 finds out what the host allows."""
    connections: int = Field(default=0, title="Connections", ge=0, le=256)
    """Requests in flight at this host; 0 finds out, up to `fetch.connections`."""

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return checked_headers(headers)


class AddressRule(SpecModel, title="Address rule"):
    """What of the addresses of a host is no part of which picture they lead to."""

    host: str = Field(default="*", title="Host", min_length=1, examples=["*.images.example"])
    """Whose addresses the rule is about; `*` stands for any letters."""
    ignore: list[Column] = Field(default=[], title="Parameters", examples=[["token", "exp", "x-sig-*"]])
    """Parameters of the query that only sign an address or let it expire; `*` stands for any letters."""
    path: str = Field(default="", title="Part of the path", examples=["/token-[^/]+"])
    """A regular expression: what it matches in the path is left out as well."""

    @field_validator("path")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            msg = f"{value!r} is no regular expression: {error}"
            raise ValueError(msg) from None
        return value


class MissingSpec(SpecModel, title="Missing pictures"):
    """What becomes of pictures that are gone: their address is answered with 404 or 410."""

    rule: Literal["keep", "hide", "remove"] = Field(default="keep", title="Rule")
    """`keep`: hits show them, and since when they are gone. `hide`: no search finds them until they are there again.
    `remove`: their rows are removed from the index."""
    after: int = Field(default=3, title="After", ge=1)
    """Runs that have to find nothing at the address, one after the other, before a picture is hidden or removed."""


class FilmsSpec(SpecModel, title="Films"):
    """What is embedded of a film."""

    embed: Literal["whole", "key-frames"] = Field(default="whole", title="Embedded")
    """`whole`: the film itself has one vector. `key-frames`: each of some key frames has a vector of its own, so that
    any model that takes pictures finds the film, and the moment in it."""
    frames: int = Field(default=8, title="Key frames", ge=1, le=64)
    """Most key frames of a film that are embedded, evenly spread over it."""

    @property
    def key_frames(self) -> int:
        """Most key frames of a film that have a vector of their own; 0 where films are embedded whole."""
        return self.frames if self.embed == "key-frames" else 0


class FetchSpec(SpecModel, title="Fetching"):
    """How files behind addresses are fetched."""

    allow: list[str] = Field(default=[], title="Allowed hosts", examples=[["media.intranet.example", "*.corp.example"]])
    """Hosts that may be fetched from although their addresses are private; `*.` stands for any subdomain."""
    max_size: Size = Field(default=ByteSize(64 * MIB), title="Size limit", examples=["20MB"])
    """A larger file becomes a failure instead of being fetched."""
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one file may take; waiting for its host does not count."""
    connections: int = Field(default=16, title="Connections", ge=1, le=256)
    """Files fetched at once. One host gets two requests, and more as long as it answers well."""
    patience_s: float = Field(default=120.0, title="Patience", ge=0, le=86400)
    """Seconds a run waits for a host that asks for fewer requests (429, 503), without one good answer in between."""
    recheck: str = Field(default="auto", title="Recheck", pattern=r"^(auto|always|[1-9][0-9]{0,4}[mhd])$",
                         examples=["auto", "always", "7d", "12h"])  # fmt: skip
    """How long after an answer an address is not asked again: `auto` as its server says, at most 7 days."""
    proxy: SecretStr = Field(
        default=SecretStr(""), title="Proxy", json_schema_extra=ENV,
        examples=["http://proxy.corp.example:3128", "${PICTURE_PROXY}", "direct"],
    )  # fmt: skip
    """By which hosts are asked, but for those that NO_PROXY names: `http://`, `https://` or `socks5://`, with user and
    password where it wants them; `direct` for none. Empty: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY of the environment."""
    proxy_dns: bool = Field(default=False, title="Names by proxy")
    """Whether the proxy looks names up. Its rules then decide what a name leads to: relance checks only the names it
    can look up itself."""
    hosts: dict[str, HostSpec] = Field(
        default={}, title="Hosts", examples=[{"img.example": {"per_second": 5}, "*.cdn.example": {"connections": 4}}]
    )
    """How some hosts are asked, by name, `name:port` or `*.name`; the first that fits holds."""

    @property
    def recheck_s(self) -> float | None:
        """Seconds until an address is asked again, None where its server decides."""
        if self.recheck == "auto":
            return None
        return 0.0 if self.recheck == "always" else int(self.recheck[:-1]) * _UNITS[self.recheck[-1]]


class MediaSpec(SpecModel, title="Media"):
    """Images and videos: files, addresses in tables, and what Markdown and HTML documents show."""

    embedding: MediaEmbeddingSection = Field(
        default=MediaEmbeddingSpec(),
        title="Embedding",
        validate_default=True,  # its provider's own fields
    )
    """Which model turns images and videos, and the questions about them, into vectors."""
    references: bool = Field(default=True, title="References")
    """Whether the pictures that Markdown and HTML documents show are indexed, with alt text and heading."""
    oversize: Literal["refuse", "scale"] = Field(default="refuse", title="Oversize")
    """What becomes of media over the model's limits: a failure that says so, a smaller copy, key frames of a film."""
    buffer: Size = Field(default=ByteSize(64 * MIB), title="Buffer", ge=MIB)
    """Bytes that were fetched and wait to be looked at, scaled and sent; more are not fetched until some are done."""
    thumbnails: Size = Field(default=ByteSize(0), title="Thumbnails", examples=["256MB"])
    """Bytes of thumbnails that are drawn of what is behind addresses while it is indexed, so that `relance explore`
    need not fetch it; the oldest go first. 0 draws none."""
    animated: Literal["first", "frames"] = Field(default="first", title="Animated")
    """What is embedded of a picture that moves: its first frame, or up to eight where the model takes several."""
    films: FilmsSpec = Field(default=FilmsSpec(), title="Films")
    """What is embedded of films; one word is what: `films: key-frames`."""
    send: Literal["auto", "url", "data"] = Field(default="auto", title="Send")
    """Whether the service gets an image's address or the image itself; `auto` sends public addresses as they are."""
    identity: list[AddressRule] = Field(default=[], title="Identity")
    """Parts of addresses that do not say which picture it is, such as signatures; those of S3, OSS, GCS, Azure,
    CloudFront, Akamai, Cloudinary and others are known."""
    missing: MissingSpec = Field(default=MissingSpec(), title="Missing pictures")
    """What becomes of pictures that are gone; one word is the rule: `missing: hide`."""
    fetch: FetchSpec = Field(default=FetchSpec(), title="Fetching")
    """How files behind addresses are fetched."""

    @field_validator("missing", mode="before", json_schema_input_type=MissingSpec | Literal["keep", "hide", "remove"])
    @classmethod
    def _one_word(cls, value: Any) -> Any:
        return {"rule": value} if isinstance(value, str) else value

    @field_validator("films", mode="before", json_schema_input_type=FilmsSpec | Literal["whole", "key-frames"])
    @classmethod
    def _one_word_of_films(cls, value: Any) -> Any:
        return {"embed": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _key_frames_can_be_sent(self) -> Self:
        if self.films.key_frames and self.send == "url":
            msg = "key frames of films have no address, and `send: url` sends nothing else; take `send: auto`"
            raise ValueError(msg)
        return self
