"""Text that is shown: no password of an address, and no character that would do something to a terminal."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

__all__ = ["protect_logs", "redact", "visible"]

# user:password@ of an address, also where the password was not encoded and holds ?, # or @.
# `reader:${NAME}@` names a variable and holds no password.
_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?!(?:[A-Za-z0-9_.-]*:)?\$\{\w+\}@[^\s@]*(?:\s|$))(?:[^\s/@:]*:[^\s/]*|[^\s/?#@]+)@"
)
# What Azure, S3, GitHub and others put into the query of an address to let somebody in.
_PARAMETER = re.compile(
    r"(?P<name>[?&;][\w.%-]*(?:token|key|sig|signature|passw(?:or)?d|secret|credential|auth)[\w.%-]*=)[^&;\s\"'<>]+",
    re.IGNORECASE,
)

# C0 and C1 controls but tab and newline, DEL; marks that turn the direction of writing or have no width; separators
# that terminals and editors take for the end of a line; halves of surrogate pairs.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
_UNSEEN = re.compile(f"[{_CONTROLS}]")
_UNSEEN_IN_LINE = re.compile(f"[{_CONTROLS}\t\n]")
# A joiner between two letters belongs to how Persian and Hindi are written, and to emoji.
_JOINERS = "\u200c\u200d"


def redact(text: str) -> str:
    """Take passwords and tokens out of the addresses in a text: `s3://***@host/x?sig=***`."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(r"\g<name>***", _USERINFO.sub(r"\g<scheme>***@", text))


def visible(text: str, *, line: bool = False) -> str:
    r"""Write characters that cannot be seen, or would steer a terminal, as `\x1b` or `\u202e`.

    Args:
        text: what is shown.
        line: whether it has to stay on one line, as a file's name; then tab and newline are written out, too.
    """
    return (_UNSEEN_IN_LINE if line else _UNSEEN).sub(_written, text)


def protect_logs() -> None:
    """Make log lines of this process safe to show, once: whoever logs them, and whatever names and addresses they hold.

    Arguments of a message are redacted and made visible, since that is where names come from; the message is as well.
    """
    before = logging.getLogRecordFactory()
    if not isinstance(before, _SafeRecords):
        logging.setLogRecordFactory(_SafeRecords(before))


_OURS = frozenset({"relance", "relance_flows", "relance_tasks", "relance_operate", "prefect", "httpx", "uvicorn"})


class _SafeRecords:
    """Makes log records, those of ours safe to show."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **options: Any) -> logging.LogRecord:
        record = self._make(*args, **options)
        if record.name.split(".")[0] in _OURS:
            message = record.getMessage()
            shown = redact(visible(message, line=not record.name.startswith("prefect")))
            if shown != message:
                record.msg, record.args = shown, None
        return record


def _written(found: re.Match[str]) -> str:
    character, at, text = found[0], found.start(), found.string
    if character in _JOINERS and 0 < at < len(text) - 1 and text[at - 1].isprintable() and text[at + 1].isprintable():
        return character
    return character.encode("unicode_escape").decode()
