"""A spec on its way to another process: as it was written, with secrets as references."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from relance.config import IndexSpec
from relance.errors import ConfigurationError

__all__ = ["SpecReference"]

# Of `storage_options`, which may hold keys and are hidden as a whole, a region or an address is none; that of a proxy
# is a secret if it holds a user.
_SECRET = re.compile(r"key|secret|token|password|credential|authorization|cookie")


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

    def check(self) -> None:
        """Raise ConfigurationError where it cannot go to another process: for a secret, or a plug-in, of this one."""
        if self._spec is None:
            return
        if self._spec.plugins.given:
            names = ", ".join(name for group in self._spec.plugins.given.values() for name in group)
            msg = f"the plug-ins {names} were given to this Index and are not in other processes; install them"
            raise ConfigurationError(msg)
        _check_secrets(self._spec, self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        self.check()
        text = self.text
        if self._spec is not None:
            text = text or json.dumps(self._spec.model_dump(mode="json", exclude_defaults=True))
        return SpecReference, (self.name, text, self.folder)


def _check_secrets(spec: IndexSpec, text: str) -> None:
    """Raise ConfigurationError for a secret that stands in the text, or was given in Python, where there is none."""
    for place, secret in _secrets(spec.model_dump(exclude_defaults=True), ""):
        if not text or secret in text:
            how = "is written in the spec" if text else "is given as a value"
            msg = f"{place} {how}, and would go to other processes; use an environment variable or a block"
            raise ConfigurationError(msg)


def _secrets(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Stream the secrets of a spec with their places."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _secrets(each, f"{place}.{key}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _secrets(each, f"{place}[{at}]")
    elif isinstance(value, SecretStr) and value.get_secret_value() and _is_secret(place.lower(), value):
        yield place.lstrip("."), value.get_secret_value()


def _is_secret(place: str, value: SecretStr) -> bool:
    return bool(_SECRET.search(place)) or (place.endswith(".proxy") and "@" in value.get_secret_value())
