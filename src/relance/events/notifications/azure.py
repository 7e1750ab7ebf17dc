"""Notifications of Azure Blob Storage, as Event Grid posts them, in its own schema or as CloudEvents."""

from __future__ import annotations

import re
from typing import Any

from relance.errors import InputError
from relance.sources.notification import Notification, field, items, naming

__all__ = ["read"]

_THERE = ("Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobRenamed")
_GONE = ("Microsoft.Storage.BlobDeleted",)
_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_SUBJECT = re.compile(r"/blobServices/[^/]+/containers/(?P<container>[^/]+)/blobs/(?P<key>.+)", re.DOTALL)


def read(data: Any) -> Notification:
    """Read a list of events, or one; keys begin with the name of their container. InputError that names the field.

    What Event Grid asks when it is set up is answered by `reply`.
    """
    objects: list[tuple[str, bool]] = []
    source = ""
    for where, event in items({"events": data if isinstance(data, list) else [data]}, "events"):
        try:
            name = field(event, "type" if isinstance(event, dict) and "specversion" in event else "eventType", str)
            if name == _VALIDATION:
                code = field(event, "data.validationCode", str)
                return Notification(reply={"validationResponse": code[:200]})
            if name not in _THERE + _GONE:
                continue
            subject = _SUBJECT.fullmatch(field(event, "subject", str))
        except InputError as error:
            raise naming(where, error) from None
        if subject is None:
            raise InputError(f"{where}.subject: expected /blobServices/…/containers/NAME/blobs/KEY")
        source = subject["container"]
        objects.append((f"{source}/{subject['key']}", name in _THERE))
    return Notification(objects, source, ignored="" if objects else "no object was written or removed")
