"""What every answer tells the browser not to do."""

from __future__ import annotations

__all__ = ["FILE_POLICY", "HEADERS", "PAGE_POLICY"]

# No script at all, not even our own: then none of a document's can run, whatever slips through.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
# A file is somebody else's: alone in its own sandbox, should a browser show it after all.
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'"

HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",  # another port of this machine is another origin, but the same site
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "private, no-store",
}
