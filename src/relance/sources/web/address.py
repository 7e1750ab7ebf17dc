"""The one form of an address, so that a page has one uri however it is linked to."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urljoin, urlsplit

__all__ = ["TRACKING", "alike", "host_of", "normal", "path_of"]

# They say where a reader came from, and nothing about the page.
TRACKING = frozenset({
    *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "yclid", "twclid", "ttclid", "igshid"),
    *("mc_cid", "mc_eid", "_ga", "_gl", "_hsenc", "_hsmi", "mkt_tok", "oly_enc_id", "vero_id", "spm", "phpsessid"),
})  # fmt: skip
_SESSION = re.compile(r";jsessionid=[^/?]*", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE = "!$%&'()*+,-./:;=@_~"
# Browsers drop these from an address in a page.
_DROPPED = re.compile(r"[\t\n\r]|^[\x00-\x20]+|[\x00-\x20]+$")
_LONGEST = 2048
# An address that has its one form already: a name as host, no port, no query, nothing escaped, no `.` before a name.
_PLAIN = re.compile(
    r"https?://(?=[^/]{1,253}/)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?=.{1,1500}\Z)/(?:(?!\.)[A-Za-z0-9_~!$&'()*+,:=@.-]*/)*"
    r"(?:(?!\.)[A-Za-z0-9_~!$&'()*+,:=@.-]+)?"
)


def normal(address: str, base: str = "") -> str:
    """Write an address in its one form; empty for what is no page: `mailto:`, a user name in it, nonsense.

    Host in lower case, no default port, no fragment, no `.` and `..`, escapes only where they are needed, no parameters
    that track readers. What the server alone knows (redirects, final slashes) stays.
    """
    return address if _PLAIN.fullmatch(address) else _normal(_DROPPED.sub("", address), base)


def _normal(address: str, base: str = "") -> str:
    if base:
        try:
            address = urljoin(base, address)
        except ValueError:
            return ""
    if len(address) > _LONGEST:
        return ""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or parts.username is not None or not host or port == 0:
        return ""
    host = _host(host)
    if not host:
        return ""
    place = host if port in {None, _PORTS[parts.scheme]} else f"{host}:{port}"
    path = _without_dots(_escaped(_SESSION.sub("", parts.path)))
    query = "&".join(each for each in parts.query.split("&") if each and not _tracks(each))
    query = f"?{_escaped(query, also='/?')}" if query else ""
    return f"{parts.scheme}://{place}{path}{query}"


def alike(address: str) -> str:
    """Return what two addresses share that most servers answer alike: without scheme, final slash and `index.html`."""
    rest, _, query = address.partition("://")[2].partition("?")
    rest = rest.removesuffix("/index.html").removesuffix("/")
    return f"{rest}?{query}" if query else rest


def host_of(address: str) -> str:
    """Return the host of an address in its one form, with its port where that is not the scheme's."""
    return address.partition("://")[2].partition("/")[0]


def path_of(address: str) -> str:
    """Return the path of an address in its one form as patterns see it, readable: of a folder its `index.html`."""
    path = address.partition("://")[2].partition("/")[2].partition("?")[0]
    path = unquote(path) if "%" in path else path
    return f"{path}index.html" if not path or path.endswith("/") else path


def _host(host: str) -> str:
    """Write a host in its one form; empty if it cannot be one."""
    host = host.rstrip(".").lower()
    if ":" in host:
        return "" if "%" in host else f"[{host}]"
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return host if re.fullmatch(r"[a-z0-9._-]{1,253}", host) else ""


def _tracks(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name.startswith("utm_") or name in TRACKING


def _escaped(text: str, also: str = "") -> str:
    """Escape what has to be, undo escapes that need not be, write the others in capitals."""
    text = _ESCAPE.sub(_escape, text)
    text = re.sub(r"%(?![0-9A-F]{2})", "%25", text)
    return quote(text, safe=_SAFE + also, errors="replace")


def _escape(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if letter in _UNRESERVED else f"%{found[1].upper()}"


def _without_dots(path: str) -> str:
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    *folders, last = path.split("/")[1:]
    for each in folders:
        if each == "..":
            del kept[-1:]
        elif each != ".":
            kept.append(each)
    if last in {".", ".."}:
        del kept[len(kept) - (last == "..") :]
        last = ""
    return "/" + "/".join([*kept, last])
