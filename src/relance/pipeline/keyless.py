"""Planning without a key: no request is sent, so none is needed."""

from __future__ import annotations

from pydantic import SecretStr

from relance.config import IndexSpec
from relance.embedding.providers import open_provider
from relance.errors import MissingKeyError

__all__ = ["without_keys"]

_PLACEHOLDER = SecretStr("no-key-is-set")  # a plan sends nothing; were it sent, it would be refused


def without_keys(spec: IndexSpec) -> tuple[IndexSpec, list[str]]:
    """Fill in a placeholder where a model has no key; returns the spec, and what has to be set before an ingest."""
    missing = []
    try:
        open_provider(spec.embedding, spec.plugins)
    except MissingKeyError as error:
        missing.append(f"planned without a key; before an ingest: {error}")
        embedding = spec.embedding.model_copy(update={"api_key": _PLACEHOLDER})
        spec = spec.model_copy(update={"embedding": embedding})
    if spec.media is not None:
        try:
            open_provider(spec.media.embedding, spec.plugins)
        except MissingKeyError as error:
            missing.append(f"planned without a key; before an ingest: {error}")
            embedding = spec.media.embedding.model_copy(update={"api_key": _PLACEHOLDER})
            spec = spec.model_copy(update={"media": spec.media.model_copy(update={"embedding": embedding})})
    return spec, list(dict.fromkeys(missing))
