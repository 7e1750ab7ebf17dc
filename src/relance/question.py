"""From a question, in words or as a picture, to the vector it is searched by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from relance.documents import Media
from relance.errors import DocumentError, InputError, RelanceError
from relance.spec import IndexSpec
from relance.tables import space_of

if TYPE_CHECKING:
    from relance.embedder import Vector

__all__ = ["embed_question", "read_picture"]


def embed_question(spec: IndexSpec, table: Any, question: str | Media) -> Vector:
    """Embed a question with the model the table was made by."""
    from relance.embedding_loop import EmbeddingLoop
    from relance.providers import open_provider

    media = "url" in table.schema.names
    section = spec.media.embedding if media and spec.media else spec.embedding
    provider = open_provider(section)
    if space_of(provider.info) != table.name.rpartition("__")[2]:
        # Another model is being built beside: questions go to the one that serves, and no key to a strange address.
        made_by = json.loads((table.schema.metadata or {}).get(b"relance.embedding", b"{}"))
        if made_by.get("base_url") != section.base_url:
            made_by["api_key"] = SecretStr("")
        section = type(section).model_validate(section.model_dump() | made_by)
        provider = open_provider(section)
    with EmbeddingLoop(provider, section, None) as embedder:
        result = embedder.call([question], input_type="query")
    if result.failures:
        raise InputError(result.failures[0])
    return result.vectors[0], result.sparse[0] if result.sparse else None


def read_picture(spec: IndexSpec, image: str) -> Media:
    """Read or fetch an image to ask with; one that is too large is scaled down."""
    from relance.media.look import Look
    from relance.media.lookup import open_lookup
    from relance.providers import open_provider

    assert spec.media is not None  # noqa: S101  # there is a table of media, so they were declared
    info = open_provider(spec.media.embedding).info
    look = Look(image, (image,), _read, lambda _: "", {})
    with open_lookup(spec.media, info, scale=True) as lookup:
        found = lookup.see([look])[0]
    if found is None or isinstance(found, RelanceError):
        raise found or InputError(f"{image}: it cannot be read")
    tokens = info.media_tokens.get(found.kind, 0)
    return Media(found.kind, found.urls, found.data, found.media_types, found.content_hash, tokens=tokens)


def _read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise DocumentError(path, (error.strerror or str(error)).lower()) from None
