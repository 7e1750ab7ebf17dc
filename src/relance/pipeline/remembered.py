"""What a source remembers of its documents from one run to the next: it stands in the manifest, beside the version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relance.sources.abilities import Remembered

if TYPE_CHECKING:
    from relance.store.manifest import Manifest

__all__ = ["recalled", "version_of"]

# A memory of a source is a JSON object, and no version of a source has these two letters in it.
_BEFORE = "|{"


def version_of(text: str | None) -> str:
    """Return the version in a manifest's `version`, without what is remembered beside it."""
    return (text or "").partition(_BEFORE)[0]


def recalled(manifest: Manifest) -> Iterator[Remembered]:
    """Stream what sources remember of the documents and collections of a manifest."""
    for row in manifest.all(["uri", "version"]):
        version, there, memory = (row["version"] or "").partition(_BEFORE)
        if there:
            yield Remembered(row["uri"], version, "{" + memory)
