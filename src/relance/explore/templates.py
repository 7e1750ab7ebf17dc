"""From values to HTML: the templates, and the few words they have of their own."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from relance.explore.blocks import excerpt, whole
from relance.explore.pictures import shown_as
from relance.explore.reading import plain
from relance.explore.type_names import type_name
from relance.search.hit import moment, pages

__all__ = ["STATIC", "environment", "link", "url"]

STATIC = Path(__file__).parent / "static"


@cache
def environment() -> Environment:
    """Return the templates; everything that is put into them is escaped."""
    made = Environment(
        loader=PackageLoader("relance.explore"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        number=lambda value: f"{value:,}",
        size=size,
        when=when,
        ago=ago,
        dollars=dollars,
        link=link,
        plain=plain,
        type_name=type_name,
        tojson_plain=lambda value: json.dumps(value, ensure_ascii=False, default=str),
    )
    words: dict[str, Any] = {
        "url": _url_of_index,
        "excerpt": excerpt,
        "whole": whole,
        "shown_as": shown_as,
        "pages": pages,
        "moment": moment,
        "style": _style(),
    }
    made.globals.update(words)
    return made


def url(path: str, **parameters: Any) -> str:
    """Write an address of this page; parameters without a value are left out."""
    given = {name: value for name, value in parameters.items() if value not in (None, "", ())}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


@pass_context
def _url_of_index(context: Context, path: str, **parameters: Any) -> str:
    """Write an address of the index that the page is about."""
    return url(context["base"] + path, **parameters)


def link(value: Any) -> str:
    """Return an address of the web as it is, and nothing for whatever else a document calls a link."""
    if not isinstance(value, str) or any(ord(sign) <= 32 or sign in '"<>\\^`{|}' for sign in value):
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return value if parts.scheme in {"http", "https"} and parts.hostname and not parts.username else ""


def size(value: float | None) -> str:
    """Write a number of bytes."""
    if value is None:
        return "–"
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def dollars(value: float) -> str:
    """Write a cost: to the cent, and below a dollar to a hundredth of a cent; what costs less is not nothing."""
    if 0 < value < 0.0001:
        return "<$0.0001"
    return f"${value:,.4f}" if 0 < value < 1 else f"${value:,.2f}"


def when(value: datetime | str | None) -> str:
    """Write a time, to the minute, in UTC."""
    moment = _moment(value)
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "–"


def ago(value: datetime | str | None) -> str:
    """Write how long ago a time was."""
    moment = _moment(value)
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for length, name in ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3600, "hour"),
                         (60, "minute")):  # fmt: skip
        if (count := int(seconds // length)) >= 1:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def _moment(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if value else None
    return value.astimezone(UTC) if value is not None else None


def _style() -> str:
    """Name the style sheet by its content, so that browsers may keep it."""
    content = (STATIC / "explore.css").read_bytes()
    return f"/static/explore.css?v={hashlib.sha256(content).hexdigest()[:12]}"
