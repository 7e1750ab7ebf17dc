"""Notifications of Alibaba Cloud OSS: its own list of events, in the wrappings of MNS, or as EventBridge sends them."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote

from relance.errors import InputError
from relance.sources.notification import Notification, field, items, naming, read_json

__all__ = ["read"]

_THERE = ("ObjectCreated:", "ObjectReplication:ObjectCreated", "ObjectReplication:ObjectModified")
_GONE = ("ObjectRemoved:Delete", "ObjectReplication:ObjectRemoved")
_UNFINISHED = ("ObjectCreated:InitiateMultipartUpload", "ObjectCreated:UploadPart")


def read(body: bytes) -> Notification:
    """Read a notification; keys begin with the name of their bucket. InputError that names the field."""
    data = read_json(_plain(body))
    if isinstance(data, dict) and isinstance(data.get("Message"), str):  # MNS, format JSON
        data = read_json(_plain(data["Message"].encode()))
    if isinstance(data, dict) and "specversion" in data:  # EventBridge
        data = {"events": [field(data, "data", dict)]}
    objects: list[tuple[str, bool]] = []
    source = ""
    for where, event in items(data, "events"):
        try:
            name = field(event, "eventName", str).removeprefix("oss:")
            if not name.startswith(_THERE + _GONE) or name.startswith(_UNFINISHED):
                continue
            source = field(event, "oss.bucket.name", str)
            key = field(event, "oss.object.key", str)
        except InputError as error:
            raise naming(where, error) from None
        # Nothing says whether keys are quoted; a name that does not exist costs nothing.
        objects += [(f"{source}/{each}", name.startswith(_THERE)) for each in dict.fromkeys((key, unquote(key)))]
    return Notification(objects, source, ignored="" if objects else "no object was written or removed")


def _plain(body: bytes) -> bytes:
    """Take off Base64, in which MNS may send what it was given."""
    body = body.strip()
    if body[:1] in {b"{", b"["}:
        return body
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        msg = "the body is neither JSON nor Base64"
        raise InputError(msg) from None
