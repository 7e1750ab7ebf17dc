"""What git says when something went wrong, as errors that say what to do."""

from __future__ import annotations

import re

from relance.errors import ConfigurationError, RelanceError, SourceError
from relance.safe_text import redact, visible
from relance.sources.git.program import Failed

__all__ = ["is_passing", "problem", "said"]

_REFUSED = re.compile(
    r"authentication failed|could not read (?:username|password)|terminal prompts disabled|invalid credentials"
    r"|permission denied|returned error: 40[13]|access denied(?!.*not exported)|http basic: access denied",
    re.IGNORECASE,
)
_HOST_KEY = re.compile(r"host key verification failed", re.IGNORECASE)
_MISSING = re.compile(
    r"repository .*not found|returned error: 404|does not appear to be a git repository|not a git repository"
    r"|repository not exported|no such project|could not be found|project you were looking for",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"transport '[^']*' not allowed", re.IGNORECASE)
_AWAY = re.compile(
    r"could not resolve host|name or service not known|temporary failure in name|connection (?:refused|timed out|reset"
    r"|closed)|unable to connect|failed to connect|couldn't connect|network is unreachable|no route to host"
    r"|returned error: (?:429|5\d\d)|early eof|remote end hung up|unexpected disconnect|operation too slow"
    r"|rpc failed|timed out|ssl_error|gnutls_handshake|empty reply",
    re.IGNORECASE,
)
_KNOWN: tuple[tuple[re.Pattern[str], type[RelanceError], str], ...] = (
    (_FORBIDDEN, ConfigurationError, "leads git to a transport that is not allowed here"),
    (_HOST_KEY, SourceError, "has a key that ssh does not know; add it to known_hosts of this user with ssh-keyscan"),
    (_MISSING, ConfigurationError,
     "is no repository, or these credentials may not see it; check url, username and token"),
    (_REFUSED, SourceError, "refuses these credentials; check username and token, or the ssh key"),
    (_AWAY, SourceError, "cannot be reached now"),
)  # fmt: skip
_NOISE = re.compile(r"^(?:fatal|error|remote|warning): *", re.IGNORECASE)
_LONGEST = 240


def problem(failed: Failed, place: str) -> RelanceError:
    """Return the error for a command that failed, about the repository at a place (as uris begin)."""
    text, words = failed.text, said(failed)
    if failed.late:
        return SourceError(f"{place} could not be listed: {words}")
    for pattern, kind, message in _KNOWN:
        if pattern.search(text):
            return kind(f"{place} {message} ({words})")
    return SourceError(f"{place} could not be read: {words}")


def is_passing(failed: Failed) -> bool:
    """Whether trying again soon may help."""
    text = failed.text
    return not failed.late and bool(_AWAY.search(text)) and not (_REFUSED.search(text) or _MISSING.search(text))


def said(failed: Failed) -> str:
    """Return the telling line of what git said, safe to show."""
    lines = [line.strip() for line in failed.text.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("fatal:", "error:"))] or lines or ["git failed"]
    text = visible(redact(_NOISE.sub("", telling[0])), line=True)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
