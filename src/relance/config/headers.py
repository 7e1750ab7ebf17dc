"""Headers in a spec: what cannot be sent is refused while the spec is read."""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import SecretStr

__all__ = ["checked_headers"]

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[ -~\x80-\xff]{0,8192}")
# These say how a request is made, and are ours.
_OURS = frozenset({
    *("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "range", "te", "upgrade"),
    *("if-none-match", "if-modified-since", "proxy-authorization"),
})  # fmt: skip


def checked_headers(headers: dict[str, SecretStr], *, also_ours: Collection[str] = ()) -> dict[str, SecretStr]:
    """Return the headers; ValueError for one that cannot be sent, without its value.

    `also_ours`: names, in lower case, that have a field of their own in the section.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS or name.lower() in also_ours:
            msg = f"{name[:40]!r} is no header that can be set; remove it"
            raise ValueError(msg)
        if not _VALUE.fullmatch(value.get_secret_value()):
            msg = f"the value of {name} has a line break or a letter no header can hold; correct it"
            raise ValueError(msg)
    return headers
