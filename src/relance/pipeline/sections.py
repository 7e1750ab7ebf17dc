"""The section of a spec that names the model of one part of an index."""

from __future__ import annotations

import json

from relance.config import EmbeddingSpec, IndexSpec
from relance.store.index_tables import section_by

__all__ = ["made_with", "section"]


def section(spec: IndexSpec, *, media: bool) -> EmbeddingSpec:
    """Return the section of the texts, or of the media."""
    return spec.media.embedding if media and spec.media is not None else spec.embedding


def made_with(spec: IndexSpec, made: str, *, media: bool) -> IndexSpec:
    """Return the spec with the model that has made a table, as `made_by` says it in JSON; empty: as it is."""
    if not made:
        return spec
    other = section_by(section(spec, media=media), json.loads(made), spec.plugins)
    if not media or spec.media is None:
        return spec.model_copy(update={"embedding": other})
    return spec.model_copy(update={"media": spec.media.model_copy(update={"embedding": other})})
