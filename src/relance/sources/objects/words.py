"""What a service answered, in plain words: libraries quote whole answers, with addresses and request ids in them."""

from __future__ import annotations

import re

from relance.sources.objects.bucket import ABSENT, BucketError, NoBucketError

__all__ = ["error_of"]

_CODE = re.compile(r"<Code>\s*([A-Za-z]{3,60})\s*</Code>|\bcode: \"([A-Za-z]{3,60})\"")
_STATUS = re.compile(r"status code:? (\d{3})\b|\bstatus: (\d{3})\b")
_ADDRESS = re.compile(r"[a-z]+://\S+")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "FilesystemNotFound")
_ARCHIVED = ("InvalidObjectState", "BlobArchived")
_REFUSED = (
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "AuthorizationFailure",
    "ExpiredToken", "InvalidToken", "AuthorizationPermissionMismatch",
)  # fmt: skip
# Where instances of clouds are asked for credentials: nobody else had any.
_INSTANCE = ("169.254.169.254", "metadata.google.internal", "no valid credential", "CredentialInvalid")


def error_of(error: BaseException, *, listing: bool = False) -> BucketError:
    """Make an error of what a library raised; `listing`: what is missing then is the bucket."""
    text, name = str(error), type(error).__name__
    code = next((one or other for one, other in _CODE.findall(text)), "")
    status = next((one or other for one, other in _STATUS.findall(text)), "")
    missing = status == "404" or isinstance(error, FileNotFoundError) or name == "NotFound"
    if code in _NO_BUCKET or (listing and missing):
        return NoBucketError("there is no such bucket or folder")
    return BucketError(_reason(text, name, code, status, missing=missing))


def _reason(text: str, name: str, code: str, status: str, *, missing: bool) -> str:
    if code in _ARCHIVED:
        reason = "it is archived; restore it, or exclude it"
    elif missing:
        reason = ABSENT
    elif "Precondition" in name or name == "ConditionNotMatch":
        reason = "it changed while being read; the next run reads it"
    elif any(mark in text for mark in _INSTANCE):
        reason = "there are no credentials: set key_id and secret, or anonymous: true for a public bucket"
    elif code in _REFUSED or status in {"401", "403"} or name in {"PermissionDenied", "PermissionDeniedError"}:
        reason = f"access is refused ({code or status or 'no reason is given'}); check key_id and secret"
    elif code or status:
        reason = f"the service answers {' '.join(filter(None, [status, code]))}"
    elif "error sending request" in text or "timeout" in text.lower() or "client error" in text:
        reason = "the server does not answer; is `endpoint` right, is it up?"
    else:
        reason = _ADDRESS.sub("…", text.partition("\n")[0]).strip()[:200] or name
    return reason
