"""Temporary storage: a policy from the service, a form to the object store, and `oss://` addresses afterwards."""

from __future__ import annotations

import base64
import hashlib
import time
from uuid import uuid4

from relance_emulator.problems import named
from relance_emulator.service import Service
from relance_emulator.upload_store import Policy
from relance_emulator.validation import missing
from relance_emulator.wire import Call, Reply, Upload, as_json

__all__ = ["policy", "store"]


async def policy(service: Service, call: Call) -> Reply:
    """Give out a policy."""
    for name in ("action", "model"):
        if not call.query.get(name):
            raise missing(name)
    if call.query["action"] != "getPolicy":
        raise named("InvalidParameter")
    account = hashlib.md5(call.headers.get("authorization", "").encode(), usedforsecurity=False).hexdigest()
    folder = f"dashscope-instant/{account}/{time.strftime('%Y-%m-%d')}/{uuid4()}"
    expires = time.time() + service.config.policy_s
    conditions = [["content-length-range", 0, 1 << 30], ["starts-with", "$key", folder]]
    text = base64.b64encode(as_json({"expiration": expires, "conditions": conditions})).decode()
    signature = base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()
    service.uploads.policies[text] = Policy(signature, folder, call.query["model"], expires)
    data = {
        "policy": text,
        "signature": signature,
        "upload_dir": folder,
        "upload_host": f"{call.origin}/oss",
        "expire_in_seconds": round(service.config.policy_s),
        "max_file_size_mb": 1024,
        "capacity_limit_mb": 999999999,
        "oss_access_key_id": "LTAemulator",
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
    return Reply(as_json({"data": data, "request_id": call.request_id}))


async def store(service: Service, call: Call) -> Reply:
    """Take an uploaded file, as the object store does: an empty 200, or an XML refusal."""
    fields, file = call.form, call.form.get("file")
    permit = service.uploads.policies.get(str(fields.get("policy", "")))
    key = str(fields.get("key", ""))
    if permit is None or fields.get("Signature") != permit.signature:
        return _refused(
            403, "SignatureDoesNotMatch", "The signature we calculated does not match the one you provided."
        )
    if permit.expires < time.time():
        return _refused(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    if not key.startswith(f"{permit.folder}/"):
        return _refused(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed.")
    if not isinstance(file, Upload):
        return _refused(400, "InvalidArgument", "POST requires exactly one file upload per request.")
    if key in service.uploads.objects:
        return _refused(409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")
    service.uploads.objects[key] = (permit.model, file.content)
    return Reply(b"")


def _refused(status: int, code: str, message: str) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>\n'
    return Reply(body.encode(), status, media_type="application/xml")
