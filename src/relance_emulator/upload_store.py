"""Policies given out, and the files that were uploaded with them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Policy", "UploadStore"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A permission to upload below a folder."""

    signature: str
    folder: str
    model: str
    expires: float


class UploadStore:
    """Policies given out, and what has been uploaded with them."""

    def __init__(self) -> None:
        self.policies: dict[str, Policy] = {}
        self.objects: dict[str, tuple[str, bytes]] = {}

    def find(self, address: str, model: str) -> bytes | None:
        """Return what was uploaded as `oss://…` for that model."""
        stored = self.objects.get(address.removeprefix("oss://"))
        return stored[1] if stored and stored[0] == model else None

    def clear(self) -> None:
        """Forget everything."""
        self.policies.clear()
        self.objects.clear()
