"""Notifications of Google Cloud Storage, as Pub/Sub pushes them."""

from __future__ import annotations

from typing import Any

from relance.errors import InputError
from relance.sources.notification import Notification, field, naming

__all__ = ["read"]

_THERE = ("OBJECT_FINALIZE",)
_GONE = ("OBJECT_DELETE", "OBJECT_ARCHIVE")


def read(data: Any) -> Notification:
    """Read a message; keys begin with the name of their bucket. InputError that names the field.

    Its attributes say it all, so that the Base64 beside them (the object's metadata) is not read.
    """
    try:
        attributes = field(field(data, "message", dict), "attributes", dict)
        event = field(attributes, "eventType", str)
        bucket, key = field(attributes, "bucketId", str), field(attributes, "objectId", str)
    except InputError as error:
        raise naming("message", error) from None
    if event not in _THERE + _GONE:
        return Notification(source=bucket, ignored="no object was written or removed")
    # An object that is replaced is deleted as well, in any order; and then says by what.
    is_there = event in _THERE or "overwrittenByGeneration" in attributes
    return Notification([(f"{bucket}/{key}", is_there)], bucket)
