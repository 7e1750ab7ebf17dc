"""Notifications of S3 buckets: AWS (also through EventBridge), MinIO and what else speaks S3."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from relance.errors import InputError
from relance.sources.notification import Notification, field, items, naming

__all__ = ["read"]

_THERE = ("ObjectCreated:", "ObjectRestore:Completed")
_GONE = ("ObjectRemoved:", "LifecycleExpiration:", "ReducedRedundancyLostObject")
_DETAILS = {"Object Created": True, "Object Restore Completed": True, "Object Deleted": False}


def read(data: Any) -> Notification:
    """Read a notification; keys begin with the name of their bucket. InputError that names the field."""
    if isinstance(data, dict) and data.get("Event") == "s3:TestEvent":
        return Notification(ignored="it is a test")
    if isinstance(data, dict) and "detail-type" in data:
        return _event_bridge(data)
    objects: list[tuple[str, bool]] = []
    source = ""
    for where, record in items(data, "Records"):
        try:
            name = field(record, "eventName", str).removeprefix("s3:")
            if not name.startswith(_THERE + _GONE):
                continue  # read, tagged, replicated: its content is the same
            source = field(record, "s3.bucket.name", str)
            key = unquote_plus(field(record, "s3.object.key", str))
        except InputError as error:
            raise naming(where, error) from None
        objects.append((f"{source}/{key}", name.startswith(_THERE)))
    return Notification(objects, source, ignored="" if objects else "no object was written or removed")


def _event_bridge(data: Any) -> Notification:
    is_there = _DETAILS.get(field(data, "detail-type", str))
    if is_there is None:
        return Notification(ignored="no object was written or removed")
    bucket = field(data, "detail.bucket.name", str)
    return Notification([(f"{bucket}/{field(data, 'detail.object.key', str)}", is_there)], bucket)
