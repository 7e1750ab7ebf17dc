"""The declaration of an index: what a user writes in `index.yaml`, and what the JSON Schema is made from.

Loading a file (line numbers, `${ENV}`, did-you-mean) is in `spec_file.py`.
"""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from relance.documents import digest

__all__ = [
    "ChunkingSpec",
    "EmbeddingSpec",
    "FetchSpec",
    "FilesSource",
    "IndexSpec",
    "LimitsSpec",
    "MediaEmbeddingSpec",
    "MediaSpec",
    "RowsSpec",
    "SourceSpec",
    "StoreSpec",
]

# Fields that may say ${NAME}: where a thing is and what is secret differ by machine, what an index means does not.
ENV: dict[str, JsonValue] = {"env": True}
MIB = 1 << 20


class Part(BaseModel):
    """A section of the spec: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


SIZE = r"^\s*\d*\.?\d+\s*[A-Za-z]*\s*$"


def _size(value: Any) -> Any:
    # Pydantic reads '1,000' as 1 and '20MB or so' as 20 MB: it looks at the beginning only.
    if isinstance(value, str) and not re.match(SIZE, value):
        raise PydanticCustomError("byte_size", "expected a size such as 20MB")
    return value


Size = Annotated[
    ByteSize,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SIZE}, {"type": "integer", "minimum": 0}]}),
]
Column = Annotated[str, Field(min_length=1)]


class RowsSpec(Part, title="Rows"):
    """How the rows of a table (JSONL, CSV, TSV, Parquet) become documents."""

    id: Column = Field(default="id", title="Id column", examples=["_id"])
    """Column whose value names a row; unique within the file."""
    text: list[Column] = Field(default=["text"], title="Text columns", min_length=1, examples=[["title", "text"]])
    """Columns that are joined by a blank line to the text that is indexed; empty ones are left out."""
    title: str = Field(default="", title="Title column")
    """Column shown as the title of a hit; without it a text column called `title`, if there is one."""
    metadata: list[Column] = Field(default=[], title="Metadata columns", examples=[["year"]])
    """Columns kept beside the text, to filter by."""
    url: str = Field(default="", title="Media column", examples=["image_url"])
    """Column with the address of an image or video, or its path from the table's folder (`/…`: from the spec's);
    several in one row, as a list or as a JSON list, are views of one thing. With it and without `text`, rows are media
    and nothing else."""
    caption: str = Field(default="", title="Caption column", examples=["caption"])
    """Column with the words that belong to the picture; searched by words, and fused with it if `media.fuse` is on."""

    @field_validator(
        "text", mode="before", json_schema_input_type=Column | Annotated[list[Column], Field(min_length=1)]
    )
    @classmethod
    def _one_column(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class FilesSource(Part, title="Files"):
    """Files below a folder."""

    type: Literal["files"] = Field(title="Type", examples=["files"])
    """What kind of source this is; `files` reads the files below a folder."""
    root: Path = Field(title="Folder", json_schema_extra=ENV, examples=["./docs"])
    """Folder to read; relative to the spec file."""
    include: list[str] = Field(default=["**/*"], title="Include", min_length=1, examples=[["**/*.md", "**/*.pdf"]])
    """Patterns a path must match one of; `**` crosses folders, a pattern without `/` matches in every folder."""
    exclude: list[str] = Field(default=[], title="Exclude", examples=[["drafts/**"]])
    """Patterns that take a path out again."""
    ignore_files: list[str] = Field(default=[".gitignore", ".relanceignore"], title="Ignore files")
    """Names of files with .gitignore rules for their folder and below; [] reads none."""
    hidden: bool = Field(default=False, title="Hidden files")
    """Whether names that begin with a dot are read."""
    follow_symlinks: bool = Field(default=False, title="Follow symbolic links")
    """Whether links are followed; a link that leads out of `root` never is."""
    max_size: Size = Field(default=ByteSize(64 * MIB), title="Size limit", examples=["20MB"])
    """A larger file becomes a failure instead of being read (files of rows are streamed and have no limit)."""
    encoding: str = Field(default="", title="Encoding", examples=["gb18030"])
    """Encoding of text files without a byte-order mark; empty means: detect."""
    rows: RowsSpec | None = Field(default=None, title="Rows")
    """Read each row of a table as a document. Without it, tables are read as one document each."""
    public_url: str = Field(
        default="", title="Public address", json_schema_extra=ENV, examples=["https://cdn.example.com/media/"]
    )
    """Where the services can fetch this folder's files; local videos need it, because they are sent by address only."""

    @field_validator("root", mode="before")
    @classmethod
    def _root_is_said(cls, value: Any) -> Any:
        # An empty variable in `root: ${DOCS}` must not index everything that lies beside the spec.
        if isinstance(value, str) and not value.strip():
            msg = "is empty; write . for the folder of the spec file"
            raise ValueError(msg)
        return value

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_can_match(cls, patterns: list[str], info: ValidationInfo) -> list[str]:
        for pattern in patterns:
            if not pattern.strip():
                msg = "holds an empty pattern"
            elif pattern.startswith("!"):
                other = "include" if info.field_name == "exclude" else "exclude"
                msg = f"{pattern!r} is a negation; put {pattern[1:]!r} under {other}"
            elif pattern.startswith("#"):
                msg = f"{pattern!r} is a comment to .gitignore rules and matches nothing; write {'[#]' + pattern[1:]!r}"
            elif pattern.startswith("./"):
                msg = f"{pattern!r} matches nothing: patterns are relative to root already; write {pattern[2:]!r}"
            elif ".." in pattern.split("/"):
                msg = f"{pattern!r} matches nothing: a pattern cannot leave root; add a source for the other folder"
            else:
                continue
            raise ValueError(msg)
        return patterns

    @field_validator("ignore_files")
    @classmethod
    def _ignore_files_are_names(cls, names: list[str]) -> list[str]:
        for name in names:
            if not name or "/" in name:
                msg = f"{name!r} is not the name of a file; ignore files are looked for in every folder"
                raise ValueError(msg)
        return names

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str) -> str:
        try:
            text = not name or codecs.lookup(name)._is_text_encoding  # noqa: SLF001  # the only place that tells
        except (LookupError, ValueError):
            text = False
        if not text:
            msg = f"{name!r} is no text encoding Python knows; examples are utf-8, gb18030, shift_jis, cp1252"
            raise ValueError(msg)
        return name


# One kind of source so far; the next one makes this `Annotated[FilesSource | …, Field(discriminator="type")]`.
SourceSpec = FilesSource


class ChunkingSpec(Part, title="Chunking"):
    """How documents are cut."""

    strategy: Literal["auto", "markdown", "text", "code", "whole"] = Field(default="auto", title="Strategy")
    """`markdown` and `text` cut at the best boundary under the limit, `code` by syntax, `whole` not at all;
    `auto` takes the one that fits each document."""
    max_tokens: int = Field(default=256, title="Tokens per chunk", ge=16, le=100_000)
    """No chunk has more, counted by the embedding model's own tokenizer."""
    overlap_tokens: int = Field(default=0, title="Overlap", ge=0)
    """At most this many tokens of a chunk are repeated at the start of the next."""
    context: list[Literal["title", "headings"]] = Field(default=[], title="Context")
    """What is put before a chunk's text when it is embedded; the stored text stays the exact span."""

    @field_validator("overlap_tokens")
    @classmethod
    def _overlap_is_smaller(cls, overlap: int, info: ValidationInfo) -> int:
        longest = info.data.get("max_tokens")
        if longest is not None and overlap > longest // 2:
            msg = f"must be at most half of max_tokens ({longest}), got {overlap}"
            raise ValueError(msg)
        return overlap


class EmbeddingSpec(Part, title="Embedding"):
    """Which model turns text into vectors, and how hard its service may be pushed."""

    model: str = Field(
        default="local/wordllama",
        title="Model",
        pattern=r"^[a-z0-9_-]+/.+$",
        examples=["local/wordllama", "dashscope/text-embedding-v4", "openai/text-embedding-3-small"],
    )
    """`provider/model`. `local/…` runs in this process without key or network."""
    region: Literal["singapore", "beijing", "hongkong", "us"] = Field(default="singapore", title="Region")
    """Where DashScope is called; a key works in its own region only, and prices and limits differ."""
    workspace: str = Field(default="", title="Workspace", json_schema_extra=ENV, examples=["ws-1a2b3c"])
    """DashScope workspace that is billed; empty is the key's own (or DASHSCOPE_WORKSPACE_ID)."""
    output_type: Literal["dense", "sparse", "dense&sparse"] = Field(default="dense", title="Vectors")
    """Which vectors are stored: `dense` by meaning, `sparse` by weighted terms, or both (DashScope v3, v4, qwen3.7)."""
    instruct: str = Field(
        default="", title="Instruction", examples=["Given a question, retrieve passages that answer it"]
    )
    """What queries are for, in English, for models that take an instruction; documents are embedded without."""
    mode: Literal["online", "batch"] = Field(default="online", title="Mode")
    """`batch` sends what has to be embedded as files that are worked off within a day, at half the price."""
    free_tokens: int = Field(default=0, title="Free tokens", ge=0, examples=[1_000_000])
    """Tokens the account has left for nothing; what this store has used since counts against them."""
    dimension: int = Field(default=0, title="Dimension", ge=0, le=8192)
    """Length of the vectors; 0 is the model's default."""
    base_url: str = Field(
        default="", title="Service address", json_schema_extra=ENV, examples=["http://127.0.0.1:11434/v1"]
    )
    """Where the service listens, up to and including `/v1`; empty is the provider's own (of `region`)."""
    api_key: SecretStr = Field(default=SecretStr(""), title="Key", json_schema_extra=ENV, examples=["${MY_KEY}"])
    """Better not here but in the environment (OPENAI_API_KEY, DASHSCOPE_API_KEY), or as `${NAME}`."""
    tokenizer: str = Field(default="", title="Tokenizer", examples=["qwen"])
    """Which tokenizer counts for a model relance does not know; empty is the model's own."""
    max_input_tokens: int = Field(default=0, title="Longest text", ge=0)
    """Tokens a single text may have; 0 is the model's limit."""
    batch_texts: int = Field(default=0, title="Texts per request", ge=0, le=10_000)
    """At most so many texts in one request; 0 is the model's limit."""
    batch_tokens: int = Field(default=0, title="Tokens per request", ge=0)
    """At most so many tokens in one request; 0 is the model's limit."""
    max_concurrency: int = Field(default=8, title="Requests in flight", ge=1, le=512)
    """At most so many at once; fewer while the service refuses some."""
    requests_per_minute: int = Field(default=0, title="Requests per minute", ge=0)
    """At most so many requests are begun in a minute; 0 is the model's published limit, or none."""
    tokens_per_minute: int = Field(default=0, title="Tokens per minute", ge=0)
    """At most so many tokens are sent in a minute; 0 is the model's published limit, or none."""
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one request may take."""
    max_attempts: int = Field(default=6, title="Attempts", ge=1, le=50)
    """How often one request is tried before its texts are left for the next run."""
    price_per_million_tokens: float | None = Field(default=None, title="Price", ge=0)
    """US dollars per million input tokens; without it the built-in price table."""

    @field_validator("base_url")
    @classmethod
    def _base_url_is_web(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = "must begin with http:// or https://"
            raise ValueError(msg)
        return value

    @property
    def provider(self) -> str:
        """The part of `model` before the slash."""
        return self.model.partition("/")[0]


class MediaEmbeddingSpec(EmbeddingSpec, title="Media embedding"):
    """Which model turns images and videos, and the questions about them, into vectors."""

    model: str = Field(
        default="dashscope/tongyi-embedding-vision-plus",
        title="Model",
        pattern=r"^[a-z0-9_-]+/.+$",
        examples=["dashscope/tongyi-embedding-vision-plus", "dashscope/multimodal-embedding-v1"],
    )
    """`provider/model` of a multimodal model."""
    fuse: bool = Field(default=False, title="Fuse")
    """Embed picture and caption into one vector, with models that can."""
    fps: float = Field(default=0.0, title="Frames", ge=0, le=1)
    """Share of a video's frames that is looked at; 0 is the model's default."""
    upload: bool = Field(default=False, title="Upload")
    """Lend local videos to the service for 48 hours; Beijing only, and not meant for production, says the vendor."""


class FetchSpec(Part, title="Fetching"):
    """How files behind addresses are fetched."""

    allow: list[str] = Field(default=[], title="Allowed hosts", examples=[["media.intranet.example", "*.corp.example"]])
    """Hosts that may be fetched from although their addresses are private; `*.` stands for any subdomain."""
    max_size: Size = Field(default=ByteSize(64 * MIB), title="Size limit", examples=["20MB"])
    """A larger file becomes a failure instead of being fetched."""
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one file may take."""
    connections: int = Field(default=16, title="Connections", ge=1, le=256)
    """Files fetched at once."""


class MediaSpec(Part, title="Media"):
    """Images and videos: files, addresses in tables, and what Markdown and HTML documents show."""

    embedding: MediaEmbeddingSpec = Field(default=MediaEmbeddingSpec(), title="Embedding")
    """Which model turns images and videos, and the questions about them, into vectors."""
    references: bool = Field(default=True, title="References")
    """Whether the pictures that Markdown and HTML documents show are indexed, with alt text and heading."""
    oversize: Literal["refuse", "scale"] = Field(default="refuse", title="Oversize")
    """What becomes of images over the model's limits: a failure that says so, or a smaller copy that is sent."""
    send: Literal["auto", "url", "data"] = Field(default="auto", title="Send")
    """Whether the service gets an image's address or the image itself; `auto` sends public addresses as they are."""
    fetch: FetchSpec = Field(default=FetchSpec(), title="Fetching")
    """How files behind addresses are fetched."""


class StoreSpec(Part, title="Store"):
    """Where the tables are."""

    uri: str = Field(
        default="./lancedb",
        title="Address",
        min_length=1,
        json_schema_extra=ENV,
        examples=["./lancedb", "s3://bucket/path"],
    )
    """A folder (relative to the spec file), `s3://bucket/path` or another object store, or `db://database`."""
    storage_options: dict[str, SecretStr] = Field(
        default={}, title="Storage options", json_schema_extra=ENV, examples=[{"region": "eu-west-3"}]
    )
    """Passed to the object store: endpoint, region, keys."""
    api_key: SecretStr = Field(default=SecretStr(""), title="LanceDB Cloud key", json_schema_extra=ENV)
    """For `db://`; better in the environment as LANCEDB_API_KEY."""
    retention_days: float = Field(default=7.0, title="Retention", gt=0)
    """How long old versions are kept: as far back as `relance rollback` can go."""
    cache_max_bytes: Size = Field(default=ByteSize(4096 * MIB), title="Vector cache", examples=["10GB"])
    """Size the store of paid-for vectors is pruned to, oldest first, at the end of a run."""


class LimitsSpec(Part, title="Limits"):
    """What a run may do before it has to stop."""

    max_cost_usd: float | None = Field(default=None, title="Budget", ge=0)
    """US dollars a single run may spend; it stops before the first request that would exceed it."""
    batches_in_flight: int = Field(default=4, title="Batches in flight", ge=1, le=64)
    """Batches of documents between loading and writing at once; bounds memory."""


class IndexSpec(Part, title="relance index"):
    """An index: its sources, how they are cut and embedded, and where the result is kept."""

    name: str = Field(title="Name", pattern=r"^[a-z0-9]([_-]?[a-z0-9])*[_-]?$", max_length=63, examples=["handbook"])
    """Names the tables: lower-case letters and digits, with single `-` and `_` between them."""
    description: str = Field(default="", title="Description")
    """What the index is for, in a sentence; shown to people."""
    sources: list[SourceSpec] = Field(title="Sources", min_length=1)
    """Where documents come from."""
    chunking: ChunkingSpec = Field(default=ChunkingSpec(), title="Chunking")
    """How documents are cut."""
    embedding: EmbeddingSpec = Field(default=EmbeddingSpec(), title="Embedding")
    """Which model turns text into vectors, and how hard its service may be pushed."""
    media: MediaSpec | None = Field(default=None, title="Media", validate_default=True)
    """Index images and videos too; without it they are passed over."""
    store: StoreSpec = Field(default=StoreSpec(), title="Store")
    """Where the tables are."""
    limits: LimitsSpec = Field(default=LimitsSpec(), title="Limits")
    """What a run may do before it has to stop."""
    folder: Annotated[Path, Field(exclude=True, title="Folder of the spec")] = Path()
    """Set by the loader: what relative paths are relative to."""

    @field_validator("sources")
    @classmethod
    def _sources_differ(cls, sources: list[SourceSpec]) -> list[SourceSpec]:
        for position, source in enumerate(sources):
            first = sources.index(source)
            if first != position:
                msg = f"sources[{first}] and sources[{position}] are the same; remove one"
                raise ValueError(msg)
        return sources

    @field_validator("media")
    @classmethod
    def _media_are_wanted(cls, media: MediaSpec | None, info: ValidationInfo) -> MediaSpec | None:
        for position, source in enumerate(info.data.get("sources", [])):
            if media is None and source.rows is not None and source.rows.url:
                msg = f"is missing, but sources[{position}].rows.url names media; add a section `media: {{}}`"
                raise ValueError(msg)
        return media

    def path(self, value: Path | str) -> Path:
        """Resolve a path of the spec against the spec's folder."""
        return (self.folder / Path(value).expanduser()).absolute()


def fingerprint(*parts: Any) -> str:
    """Hash settings that decide a result to 16 hex digits; parts are models or JSON values."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return digest("fingerprint", json.dumps(plain, sort_keys=True, ensure_ascii=False), size=8)
