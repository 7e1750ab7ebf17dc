"""Which documents may be named where everybody can read it: the Prefect UI shows runs to whoever may open it."""

from __future__ import annotations

from relance.sources import Source

__all__ = ["is_for_everybody"]


def is_for_everybody(uri: str, sources: list[Source]) -> bool:
    """Whether a document is certainly of a source without `access`."""
    if all(source.spec.access is None for source in sources):
        return True
    own = [source for source in sources if source.location(uri) is not None]
    return bool(own) and all(source.spec.access is None for source in own)
