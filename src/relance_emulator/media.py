"""Getting at the pictures and videos a call names, and refusing the wrong ones."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from ssl import SSLContext, create_default_context

from relance_emulator.models import MultimodalModel
from relance_emulator.problems import invalid, named
from relance_emulator.upload_store import UploadStore
from relance_emulator.wire import Call

__all__ = ["check_shape", "download", "load"]

DATA_URI = re.compile(r"data:(?:image|video)/[\w.+-]+;base64,", re.IGNORECASE)
LARGEST_DATA_URI = 10_485_760
SMALLEST_SIDE = 10
WIDEST = 200
TOO_LARGE = "Multimodal file size is too large"
NO_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."


async def load(uploads: UploadStore, call: Call, model: MultimodalModel, address: object, *, video: bool) -> bytes:
    """Return the bytes behind an address: http(s), `oss://`, or for an image a data URI."""
    limit = model.video_bytes if video else model.image_bytes
    if not isinstance(address, str):
        raise invalid(NO_URL, algorithm=False)
    if address.startswith(("http://", "https://")):
        return await download(address, limit)
    if address.startswith("oss://"):
        resolve = call.headers.get("x-dashscope-ossresourceresolve", "").lower() == "enable"
        content = uploads.find(address, model.name) if resolve else None
        if content is None:
            raise invalid(NO_URL, algorithm=False) if not resolve else named("MediaDownload")
    elif (prefix := DATA_URI.match(address)) and not video:
        if len(address) > LARGEST_DATA_URI * 4 // 3 + 64:
            raise invalid(f"Exceeded limit on max bytes per data-uri item : {LARGEST_DATA_URI}", algorithm=False)
        try:
            content = base64.b64decode(address[prefix.end() :], validate=True)
        except binascii.Error:
            raise named("InvalidParameter", "Failed to decode the image during the data inspection.") from None
    else:
        raise invalid(NO_URL, algorithm=False)
    if len(content) > limit:
        raise invalid(TOO_LARGE, algorithm=False)
    return content


async def download(url: str, limit: int) -> bytes:
    """Fetch a file of at most `limit` bytes from anywhere: a tool for one machine guards nothing."""
    import httpx

    content = bytearray()
    try:
        async with (
            httpx.AsyncClient(timeout=5.0, follow_redirects=True, trust_env=False, verify=_certificates()) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != 200:
                raise named("MediaDownload")
            if response.headers.get("content-type", "").startswith(("text/html", "application/json")):
                raise invalid("Wrong Content-Type of multimodal url", algorithm=False)
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > limit:
                    raise invalid(TOO_LARGE, algorithm=False)
    except httpx.InvalidURL:
        raise invalid(NO_URL, algorithm=False) from None
    except httpx.TimeoutException:
        raise named("MediaTimeout") from None
    except httpx.HTTPError:
        raise named("MediaDownload") from None
    return bytes(content)


@lru_cache(maxsize=1)
def _certificates() -> SSLContext:
    """Read the certificates once: it takes longer than fetching a picture from this machine."""
    return create_default_context()


def check_shape(width: int, height: int) -> None:
    """Refuse a picture that is too small or too long."""
    restriction = ""
    if min(width, height) < SMALLEST_SIDE:
        restriction = f"height:{height} or width:{width} must be larger than {SMALLEST_SIDE}"
    elif max(width, height) > WIDEST * min(width, height):
        ratio = max(width, height) / min(width, height)
        restriction = f"absolute aspect ratio must be smaller than {WIDEST}, got {ratio:g} / 1"
    if restriction:
        raise invalid(f"The image length and width do not meet the model restrictions. [{restriction}]")
