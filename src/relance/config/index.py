"""The declaration of an index."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr, SerializeAsAny, ValidationInfo, field_validator

from relance.config.chunking import ChunkingSection, ChunkingSpec
from relance.config.embedding import EmbeddingSection, EmbeddingSpec
from relance.config.engine import EngineSpec
from relance.config.gate import GateSpec
from relance.config.limits import LimitsSpec
from relance.config.media import MediaSpec
from relance.config.plugin_section import PluginOptions
from relance.config.plugins import Plugins
from relance.config.quality import QualitySpec
from relance.config.schedule import ScheduleSpec
from relance.config.search import SearchSpec
from relance.config.sources import AnySource
from relance.config.spec_model import SpecModel
from relance.config.store import StoreSpec

__all__ = ["IndexSpec"]

SCHEMA_NAME = "index.schema.json"  # beside the spec, for editors


@dataclass(frozen=True, slots=True)
class _Written:
    """The text of a declaration; no part of what it declares, so two of them are equal."""

    text: str = field(default="", compare=False)


class IndexSpec(SpecModel, title="relance index"):
    """An index: its sources, how they are split and embedded, and where the result is stored."""

    name: str = Field(title="Name", pattern=r"^[a-z0-9]([_-]?[a-z0-9])*[_-]?$", max_length=63, examples=["handbook"])
    """Names the tables: lower-case letters and digits, with single `-` and `_` between them."""
    description: str = Field(default="", title="Description")
    """What the index is for, in a sentence; shown to people."""
    sources: list[AnySource] = Field(title="Sources", min_length=1)
    """Where documents come from."""
    parsers: Annotated[dict[str, SerializeAsAny[SpecModel]], PluginOptions("parsers")] = Field(
        default={}, title="Parsers"
    )
    """Options of parsers, by name."""
    chunking: ChunkingSection = Field(default=ChunkingSpec(), title="Chunking")
    """How documents are split into chunks."""
    embedding: EmbeddingSection = Field(default=EmbeddingSpec(), title="Embedding")
    """Which model turns text into vectors, and how hard its service may be pushed."""
    media: MediaSpec | None = Field(default=None, title="Media", validate_default=True)
    """Index images and videos too; without it they are passed over."""
    search: SearchSpec = Field(default=SearchSpec(), title="Search")
    """How the index is searched unless the question says otherwise."""
    store: StoreSpec = Field(default=StoreSpec(), title="Store")
    """Where the tables are."""
    limits: LimitsSpec = Field(default=LimitsSpec(), title="Limits")
    """What a run may do before it has to stop."""
    engine: EngineSpec = Field(default=EngineSpec(), title="Engine")
    """What reads, splits and embeds the documents."""
    quality: QualitySpec = Field(default=QualitySpec(), title="Quality")
    """What incoming documents have to be like."""
    gate: GateSpec | None = Field(default=None, title="Gate")
    """What another model or another way to split has to prove before readers get it; off: nothing, as without it."""
    schedule: ScheduleSpec | None = Field(default=None, title="Schedule")
    """When the deployed index is brought in sync by itself (`relance deploy`)."""
    on_change: bool = Field(default=True, title="On change")
    """Whether the deployed index is brought in sync when a source says that it changed."""
    folder: Annotated[Path, Field(exclude=True, title="Folder of the spec")] = Path()
    """Set by the loader: what relative paths are relative to."""
    _plugins: Plugins = PrivateAttr(default_factory=Plugins)
    _written: _Written = PrivateAttr(default_factory=_Written)
    _file: Path | None = PrivateAttr(default=None)

    @field_validator("sources")
    @classmethod
    def _sources_differ(cls, sources: list[AnySource]) -> list[AnySource]:
        for position, source in enumerate(sources):
            first = sources.index(source)
            if first != position:
                msg = f"sources[{first}] and sources[{position}] are the same; remove one"
                raise ValueError(msg)
        return sources

    @field_validator("gate", mode="before")
    @classmethod
    def _off_is_none(cls, gate: Any) -> Any:
        return None if gate is False or gate == "off" else gate  # YAML reads a bare `off` as false

    @field_validator("media")
    @classmethod
    def _media_are_wanted(cls, media: MediaSpec | None, info: ValidationInfo) -> MediaSpec | None:
        for position, source in enumerate(info.data.get("sources", [])):
            if media is None and source.rows is not None and source.rows.url:
                msg = f"is missing, but sources[{position}].rows.url names media; add a section `media: {{}}`"
                raise ValueError(msg)
        return media

    def model_post_init(self, context: Any, /) -> None:
        """Keep the plug-ins that the sections were read with, which is the validation context."""
        if isinstance(context, Plugins):
            self._plugins = context

    @property
    def plugins(self) -> Plugins:
        """What the names of sources, parsers, chunkers, providers and rerankers mean."""
        return self._plugins

    @property
    def written(self) -> str:
        """The text of the file it was read from, before variables were filled in; empty if it was made in Python."""
        return self._written.text

    def as_written(self, text: str, file: Path | None = None) -> Self:
        """Remember the text that the declaration was read from, and the file it stands in."""
        self._written = _Written(text)
        self._file = file
        return self

    @property
    def own(self) -> tuple[Path, ...]:
        """Files and folders of the index itself, absolute: its spec with the schema, and its store if that is local."""
        files = [self.folder / SCHEMA_NAME, *([self._file] if self._file is not None else [])]
        uri = self.store.uri.removeprefix("file://")
        return tuple(self.path(each) for each in (*files, *([] if "://" in uri else [uri])))

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """Its store, if that is in an object store."""
        uri = self.store.uri
        return (uri,) if "://" in uri and not uri.startswith(("file://", "db://")) else ()

    def with_plugins(self, plugins: Plugins) -> Self:
        """Return the same declaration with other plug-ins behind its names."""
        copy = self.model_copy()
        copy._plugins = plugins  # noqa: SLF001  # of the same class
        return copy

    def path(self, value: Path | str) -> Path:
        """Resolve a path of the spec against the spec's folder."""
        return (self.folder / Path(value).expanduser()).absolute()
