"""Whether the first bytes of a large file say already that no model takes it, so that the rest need not be fetched."""

from __future__ import annotations

from relance.errors import InputError, MissingExtraError
from relance.media import Facts
from relance.media.inspect import MAX_PIXELS, open_image
from relance.media.rules import MediaRules, check
from relance.media.sniff import sniff

__all__ = ["check_head"]


def check_head(head: bytes, rules: MediaRules, *, scale: bool, films: bool = False) -> None:
    """Refuse a file by how it begins; what cannot be told from that is left to those who see all of it.

    Args:
        head: the first 64 KiB.
        rules: what the model takes.
        scale: whether pictures over the limits are made smaller.
        films: whether films are taken whatever the model takes, since pictures of them are sent.

    Raises:
        InputError: a page or another file that is neither image nor film, a film where the model takes none, or more
            pixels than are taken.
    """
    media_type = sniff(head)
    kind = media_type.partition("/")[0]
    if kind not in {"image", "video"} and media_type:
        raise InputError(f"its content is {media_type}, no image or video")
    if kind == "video" and not (rules.video_formats or films):
        raise InputError(f"{media_type}: the model takes no videos; choose one that does")
    if kind != "image":
        return
    try:
        with open_image(head, media_type) as image:
            width, height = image.size
    except MissingExtraError:
        raise
    except Exception:  # more of it is needed, or it is damaged, which is said better where all of it is there
        return
    if width * height > MAX_PIXELS:
        reason = f"it claims {width:,} × {height:,} pixels, more than {MAX_PIXELS:,} are not decoded; scale it down"
        raise InputError(reason)
    if not scale and media_type in rules.image_formats:
        check(Facts("image", media_type, width, height, 0.0, 1, 0), rules)  # a copy may have fewer bytes
