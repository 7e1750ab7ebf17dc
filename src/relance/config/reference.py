"""A spec on its way to another process: as it was written, with secrets as references."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance.config import IndexSpec
from relance.errors import ConfigurationError

__all__ = ["SpecReference"]


@dataclass(slots=True, frozen=True)
class SpecReference:
    """Opens the same spec in any process; pickled, it holds no secret.

    Attributes:
        name: of the index.
        text: the file as it was written: `${NAME}` and names of blocks are looked up where it is opened.
        folder: what relative paths are relative to.
    """

    name: str
    text: str
    folder: Path
    _spec: IndexSpec | None = None

    @classmethod
    def of(cls, spec: IndexSpec) -> SpecReference:
        """Refer to a spec; in this process it is opened without being read again."""
        return cls(spec.name, spec.written, spec.folder, spec)

    def open(self) -> IndexSpec:
        """Return the spec; ConfigurationError where a secret of it is not on this machine."""
        if self._spec is not None:
            return self._spec
        from relance.config.blocks import with_blocks
        from relance.config.load import parse_spec

        return with_blocks(parse_spec(self.text, f"the spec of {self.name}", self.folder))

    def __reduce__(self) -> tuple[Any, ...]:
        text = self.text
        if self._spec is not None:
            if self._spec.plugins.given:
                names = ", ".join(name for group in self._spec.plugins.given.values() for name in group)
                msg = f"the plug-ins {names} were given to this Index and are not in other processes; install them"
                raise ConfigurationError(msg)
            text = text or _written(self._spec)
        return SpecReference, (self.name, text, self.folder)


def _written(spec: IndexSpec) -> str:
    """Write a spec that was made in Python; ConfigurationError where it holds a secret."""
    values = spec.model_dump(mode="json", exclude_defaults=True)
    if found := _secret(values, ""):
        msg = f"{found} is given as a value, which cannot go to other processes; use an environment variable or a block"
        raise ConfigurationError(msg)
    return json.dumps(values)


def _secret(value: Any, place: str) -> str:
    """Name the first secret: pydantic dumps those as stars."""
    if isinstance(value, dict):
        return next((found for key, each in value.items() if (found := _secret(each, f"{place}.{key}"))), "")
    if isinstance(value, list):
        return next((found for at, each in enumerate(value) if (found := _secret(each, f"{place}[{at}]"))), "")
    return place.lstrip(".") if isinstance(value, str) and value and set(value) == {"*"} else ""
