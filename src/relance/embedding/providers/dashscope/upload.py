"""Lending the service a local file: it gives an address that only it can read, for 48 hours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from relance.embedding.providers import BadReplyError
from relance.embedding.providers.service import Service
from relance.errors import InputError

if TYPE_CHECKING:
    from relance.embedding.providers.dashscope.connection import Connection

__all__ = ["upload"]

MIB = 1 << 20


async def upload(connection: Connection, data: bytes, name: str, media_type: str) -> str:
    """Upload a file and return its `oss://` address, good for 48 hours, for the same account and model.

    Beijing only, and not meant for production, says the vendor.

    Args:
        connection: to the model that is to see the file.
        data: the file.
        name: what it is called; all but the last part of a path is dropped.
        media_type: what it is.

    Raises InputError where the service does not take the file, else what any other request may raise.
    """
    if connection.region != "beijing":
        raise InputError("Files can be lent to the service in Beijing only; elsewhere it needs a public address.")
    service = connection.service
    response = await service.get("/uploads", {"action": "getPolicy", "model": connection.model.name})
    answer = connection.read(response)
    try:
        policy: dict[str, Any] = answer["data"]
        host = str(policy["upload_host"])
        key = f"{policy['upload_dir']}/{_file_name(name)}"
        form = {
            "OSSAccessKeyId": str(policy["oss_access_key_id"]),
            "Signature": str(policy["signature"]),
            "policy": str(policy["policy"]),
            "key": key,
            "x-oss-object-acl": str(policy["x_oss_object_acl"]),
            "x-oss-forbid-overwrite": str(policy["x_oss_forbid_overwrite"]),
            "success_action_status": "200",
            "x-oss-content-type": media_type,
        }
        limit = float(policy.get("max_file_size_mb") or 0)  # a number, or one in quotes
    except (KeyError, TypeError, ValueError) as error:
        raise BadReplyError(f"{service.name} answered with something that is no policy for an upload.") from error
    if limit and len(data) > limit * MIB:
        raise InputError(f"The file has {len(data) / MIB:.1f} MiB; the service can be lent {limit:g}.")
    _check_host(host, service)
    # Another service, which must not be given the key.
    store = service.beside(f"the file store of {service.name}", host)
    try:
        stored = await store.request("POST", host, data=form, files={"file": (_file_name(name), data, media_type)})
    finally:
        await store.aclose()
    if not stored.is_success:
        connection.refuse(stored, None)
    return f"oss://{key}"


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", re.split(r"[\\/]", name)[-1]) or "file"


def _check_host(url: str, service: Service) -> None:
    """A reply must not send the file just anywhere."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    alibaba = parts.scheme == "https" and host.endswith(".aliyuncs.com")
    if not alibaba and host != urlsplit(service.url).hostname:
        raise BadReplyError(f"{service.name} wants files to be sent to {host or url!r}, which is not Alibaba Cloud.")
