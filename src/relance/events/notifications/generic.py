"""Our own form: `{"changed": [uris], "removed": [uris]}`, or `{"everything": true}`."""

from __future__ import annotations

from typing import Any

from relance.errors import InputError
from relance.sources.notification import Notification, field

__all__ = ["read"]

_KEYS = ("changed", "removed", "everything", "source")


def read(data: Any) -> Notification:
    """Read a notification; InputError that names the field."""
    if not isinstance(data, dict):
        msg = 'the body: expected an object such as {"changed": ["docs/a.md"]}'
        raise InputError(msg)
    unknown = sorted(set(data) - set(_KEYS))
    if unknown:
        msg = f"{unknown[0][:50]}: unknown; the fields are {', '.join(_KEYS)}"
        raise InputError(msg)
    if not set(data) & set(_KEYS[:3]):
        msg = "changed: missing; name documents under changed or removed, or say everything: true"
        raise InputError(msg)
    removed, changed = _uris(data, "removed"), _uris(data, "changed")
    objects = [(uri, False) for uri in removed] + [(uri, True) for uri in changed]
    everything = "everything" in data and field(data, "everything", bool)
    source = field(data, "source", str) if "source" in data else ""
    ignored = "" if objects or everything else "it names no documents"
    return Notification(objects, source, everything=everything, ignored=ignored)


def _uris(data: dict[str, Any], name: str) -> list[str]:
    values = field(data, name, list) if name in data else []
    for number, value in enumerate(values):
        if not isinstance(value, str) or not value:
            msg = f"{name}[{number}]: expected the uri of a document, such as docs/a.md"
            raise InputError(msg)
    return values
