"""From a question, in words or as a picture, to the vector it is searched by."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from relance.config import EmbeddingSpec, FilmsSpec, IndexSpec
from relance.documents import Media, digest
from relance.errors import ConfigurationError, DocumentError, InputError, RelanceError
from relance.store.index_tables import section_of, space_of

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector
    from relance.embedding.providers import ModelInfo, Provider
    from relance.embedding.runtime import EmbeddingLoop
    from relance.store import Store
    from relance.store.embeddings import EmbeddingStore

__all__ = ["Asked", "QueryEncoder", "embed_question", "open_model", "read_picture"]

log = logging.getLogger(__name__)

_REMEMBERED = 512  # questions of one index; 2 MB at 1,024 dimensions


@dataclass(slots=True, frozen=True)
class Asked:
    """A question's vector, and where it comes from.

    Attributes:
        source: `embedded`; `cached`, in this process; or `stored`: it was paid for by another one.
        model: that made it.
        instruct: that was sent with it.
    """

    vector: Vector
    source: str
    model: str
    instruct: str = ""


class QueryEncoder:
    """Embeds questions with the models that made an index's tables; the same question is embedded once.

    What has a price is kept in the embedding cache, too. As a context manager it keeps connections and the
    event loop open between questions. Safe to use from several threads.
    """

    def __init__(self, spec: IndexSpec, store: Store) -> None:
        self._spec = spec
        self._store = store
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._infos: dict[tuple[str, str], tuple[ModelInfo, str]] = {}
        self._loops: dict[tuple[str, str], EmbeddingLoop] = {}
        self._exits: contextlib.ExitStack | None = None

    def __enter__(self) -> Self:
        self._exits = contextlib.ExitStack()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            exits, self._exits = self._exits, None
            self._loops.clear()
        if exits is not None:
            exits.close()

    def embed(self, table: Any, question: str | Media, *, instruct: str = "") -> Asked:
        """Embed a question with the model the table was made by.

        Args:
            table: that will be searched.
            question: words or a picture.
            instruct: what the question is for; empty is what the spec says.
        """
        from relance.embedding.embedder import vector_key

        info, told = self._info(table, instruct)
        key = digest("question", told, vector_key(info.space, "query", question))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return Asked(self._known[key], "cached", info.name, told)
        with self._kept(table, info) as kept:
            vector, source = _stored(kept, key), "stored"
            if vector is None:
                with self._loop(table, instruct) as loop:
                    vector, source = _embed(loop, question), "embedded"
                if kept is not None:
                    dense, sparse = vector
                    kept.put([key], dense[None], None if sparse is None else [sparse])
        with self._lock:
            self._known[key] = vector
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return Asked(vector, source, info.name, told)

    def _info(self, table: Any, instruct: str) -> tuple[ModelInfo, str]:
        """Return what is known of a table's model, and the instruction it will be sent."""
        key = (table.name, instruct)
        if key not in self._infos:
            provider, section = open_model(self._spec, table, instruct=instruct)
            self._infos[key] = provider.info, getattr(section, "instruct", "")
        return self._infos[key]

    @contextlib.contextmanager
    def _loop(self, table: Any, instruct: str) -> Generator[EmbeddingLoop]:
        """Open a table's model for one question, or for as long as this is open."""
        from relance.embedding.runtime import EmbeddingLoop

        key = (table.name, instruct)
        with self._lock:
            loop = self._loops.get(key)
            if loop is None:
                loop = EmbeddingLoop(*open_model(self._spec, table, instruct=instruct), None)
                if self._exits is not None:
                    self._loops[key] = self._exits.enter_context(loop)
            ours = self._exits is None
        with loop if ours else contextlib.nullcontext():
            yield loop

    @contextlib.contextmanager
    def _kept(self, table: Any, info: ModelInfo) -> Generator[EmbeddingStore | None]:
        """Open the questions that were paid for in a space; None where nothing is paid."""
        if info.price_per_million_tokens == 0:
            yield None
            return
        from relance.store.embeddings import EmbeddingStore

        # A table of their own: a commit for each question would leave the documents' in thousands of pieces.
        name = f"{table.name.rpartition('__')[2]}__questions"
        kept = EmbeddingStore(self._store, name, info.dimension, sparse=info.sparse)
        yield kept
        try:
            kept.close()
        except Exception as error:  # who searches may not be allowed to write
            log.debug("the vector of a question cannot be stored: %s", error)


def embed_question(spec: IndexSpec, table: Any, question: str | Media, *, instruct: str = "") -> Vector:
    """Embed a question with the model the table was made by."""
    from relance.embedding.runtime import EmbeddingLoop

    with EmbeddingLoop(*open_model(spec, table, instruct=instruct), None) as loop:
        return _embed(loop, question)


def _embed(loop: EmbeddingLoop, question: str | Media) -> Vector:
    result = loop.call([question], input_type="query")
    if result.failures:
        raise InputError(result.failures[0])
    return result.vectors[0], result.sparse[0] if result.sparse else None


def _stored(kept: EmbeddingStore | None, key: str) -> Vector | None:
    try:
        return None if kept is None else kept.get([key]).get(key)
    except Exception as error:
        log.debug("questions that were paid for cannot be read: %s", error)
        return None


def open_model(spec: IndexSpec, table: Any, *, instruct: str = "") -> tuple[Provider, EmbeddingSpec]:
    """Open the model a table was made by, which is the spec's unless another one is being built beside.

    `instruct` replaces the spec's; ConfigurationError where the model takes none.
    """
    from relance.embedding.providers import open_provider

    media = "url" in table.schema.names
    section = spec.media.embedding if media and spec.media else spec.embedding
    if space_of(open_provider(section, spec.plugins).info) != table.name.rpartition("__")[2]:
        # Another model is being built beside: questions go to the one that serves.
        section = section_of(section, table, spec.plugins)
    if instruct:
        if "instruct" not in type(section).model_fields:
            msg = f"{section.model} takes no instruction; leave `instruct` out, or use a model that does, such as "
            raise ConfigurationError(msg + "dashscope/text-embedding-v4")
        section = section.model_copy(update={"instruct": instruct})
    return open_provider(section, spec.plugins), section


def read_picture(spec: IndexSpec, image: str) -> Media:
    """Read or fetch an image to ask with; one that is too large is scaled down."""
    from relance.embedding.providers import open_provider
    from relance.media.loader import open_media_loader
    from relance.media.request import MediaInfo, MediaRequest

    assert spec.media is not None  # noqa: S101  # there is a table of media, so they were declared
    info = open_provider(spec.media.embedding, spec.plugins).info
    request = MediaRequest(image, (image,), _read, lambda _: "", {})
    section = spec.media.model_copy(update={"films": FilmsSpec()})  # a question is one whole
    with open_media_loader(section, info.media_rules, scale=True) as loader:
        found = loader.load([request])[0]
    if not isinstance(found, MediaInfo):
        raise found if isinstance(found, RelanceError) else InputError(f"{image}: it cannot be read")
    tokens = info.media_tokens.get(found.kind, 0)
    return Media(found.kind, found.urls, found.data, found.media_types, found.content_hash, tokens=tokens)


def _read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise DocumentError(path, (error.strerror or str(error)).lower()) from None
