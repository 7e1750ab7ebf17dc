"""What Slack calls mrkdwn as HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape
from typing import Any

from relance.sources.connector.times import utc

__all__ = ["message_html"]

_SPECIAL = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")


def message_html(message: Mapping[str, Any]) -> str:
    """Write one message: who, when, and what; its files and attachments by their titles."""
    who = message.get("username") or message.get("user") or message.get("bot_id") or ""
    when = utc(float(message["ts"]))[11:16]
    said = "<br>".join(_line(line) for line in str(message.get("text") or "").split("\n"))
    named = [*(message.get("files") or ()), *(message.get("attachments") or ())]
    titles = (each.get("name") or each.get("title") or each.get("fallback") for each in named)
    extra = "".join(f"<br>{escape(str(title))}" for title in titles if title)
    return f"<p><b>{escape(str(who))}</b> {when}: {said}{extra}</p>"


def _line(line: str) -> str:
    parts, end = [], 0
    for match in _SPECIAL.finditer(line):
        parts += [escape(unescape(line[end : match.start()])), _special(match[1], match[2] or "")]
        end = match.end()
    return "".join([*parts, escape(unescape(line[end:]))])


def _special(target: str, label: str) -> str:
    """Write a link, or the mention of a person, channel or group, as people see it."""
    target, label = unescape(target), unescape(label)
    if target[0] in "@#!":
        sign = "@" if target[0] == "!" else target[0]
        return escape(sign + (label.lstrip("@#") or target[1:].partition("^")[0]))
    return f'<a href="{escape(target)}">{escape(label or target)}</a>'
