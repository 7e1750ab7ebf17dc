"""What the manifest remembers of a picture beside the version of its row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relance.media.request import Remembered, Validators

__all__ = ["MediaMemory"]

_ROW = ""  # no identity of an address is empty


@dataclass(slots=True, frozen=True)
class MediaMemory:
    """A manifest's `version` of a picture, read: `ROW VERSION|JSON`.

    Attributes:
        version: of its row or file.
        known: what its addresses had, by identity, so that the next run can ask whether that has changed.
        row: what its row in the index is made of; None where an earlier version of relance wrote it.
    """

    version: str = ""
    known: dict[str, Validators] = field(default_factory=dict)
    row: Remembered | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> MediaMemory:
        """Read a row of the manifest."""
        if row is None:
            return cls()
        version, _, text = (row["version"] or "").partition("|")
        values = json.loads(text or "{}")
        made = values.pop(_ROW, None)
        known = {name: Validators(*each) for name, each in values.items()}
        return cls(version, known, Remembered(*made) if made else None)

    @property
    def text(self) -> str:
        """As JSON, for the next run."""
        values: dict[str, Any] = {name: each.values for name, each in self.known.items()}
        if self.row is not None:
            values[_ROW] = self.row.values
        return json.dumps(values, ensure_ascii=False)
