"""What pages show that is no picture of anything: placeholders, spacers, tracking pixels."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import unquote

from relance.parsers.references.candidates import pixels

__all__ = ["DRAWING", "PLACEHOLDER", "TRACKER", "ignored_because"]

# Why a picture of a page is ignored, as the counts of a run say it.
PLACEHOLDER = "placeholder in a page until its picture is loaded"
TRACKER = "spacer or tracking pixel of a page"
DRAWING = "drawing without pixels (SVG)"

_SMALLEST = 2  # pixels a side; models want 10
# Names that are never a picture's, whatever the file is; those that are not where it is a GIF; and those that are not
# where nobody says what is to be seen.
_NEVER = re.compile(r"(?:spacer|blank|transparent|placeholder|lazy-?load(?:er|ing)?|1x1|1px)(?:[-_.]\w{1,12})?")
_GIFS = re.compile(r"(?:pixel|clear|empty|trans|dot|shim|s|p|x|b|load(?:ing|er)|ajax-loader|spinner|gr[ae]y|lazy)")
_MUTE = re.compile(r"(?:pixel|beacon|track(?:ing|er)?|counter|hit|piwik|matomo|collect|open|empty|loading)")
_TRACKERS = re.compile(
    r"(?:https?:)?//(?:[\w-]+\.)*(?:facebook\.com/tr\b|google-analytics\.com/|googletagmanager\.com/|doubleclick\.net/"
    r"|scorecardresearch\.com/|bat\.bing\.com/|quantserve\.com/|px\.ads\.linkedin\.com/|hm\.baidu\.com/hm\.gif)",
    re.IGNORECASE,
)
_SIZE_IN_STYLE = re.compile(r"(?:^|;)\s*(?:width|height)\s*:\s*([0-9.]{1,6})px", re.IGNORECASE)
_HEAD = 48  # bytes of an inline picture that hold its size


def ignored_because(url: str, attributes: Mapping[str, str]) -> str:
    """Say why the picture of an element is ignored; empty for one that is indexed.

    Args:
        url: where it is.
        attributes: of the element that shows it; empty in Markdown, whose authors write no spacers.
    """
    if url[:5].lower() == "data:":
        return _inline(url)
    path = unquote(re.split("[?#]", url, maxsplit=1)[0]).lower()
    if path.endswith((".svg", ".svgz")):
        return DRAWING
    if not attributes:
        return ""
    sides = [pixels(attributes.get(name)) for name in ("width", "height")]
    sides += [int(float(size)) for size in _SIZE_IN_STYLE.findall(attributes.get("style", "")) if size.count(".") < 2]
    if any(side is not None and side <= _SMALLEST for side in sides) or _TRACKERS.match(url):
        return TRACKER
    stem, _, suffix = path.rpartition("/")[2].rpartition(".")
    stem = stem or suffix
    if _NEVER.fullmatch(stem) or (suffix == "gif" and _GIFS.fullmatch(stem)):
        return PLACEHOLDER
    return TRACKER if _MUTE.fullmatch(stem) and not attributes.get("alt", "").strip() else ""


def _inline(url: str) -> str:
    """Look at a `data:` URI: SVG, or a GIF or PNG of a pixel."""
    head, _, payload = url.partition(",")
    if head[5:18].lower() == "image/svg+xml":
        return DRAWING
    if not head.lower().rstrip().endswith(";base64"):
        return ""
    try:
        data = base64.b64decode(re.sub(r"\s", "", unquote(payload[: _HEAD * 3]))[: _HEAD // 3 * 4])
    except (binascii.Error, ValueError):
        return ""  # reading it says what is wrong
    if data.startswith(b"GIF8"):
        size = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    elif data.startswith(b"\x89PNG"):
        size = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    else:
        return ""
    return PLACEHOLDER if min(size) <= _SMALLEST else ""
