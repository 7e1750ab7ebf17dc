"""What may be fetched, how much of it and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from relance.errors import ConfigurationError
from relance.media.fetch.addresses import literal
from relance.media.fetch.syntax import UnsafeURLError, canonical_host, split

__all__ = ["FetchPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """Limits of one `Fetcher`.

    Attributes:
        allow: hosts that may be at inward addresses: `intranet.example`, `127.0.0.1:8123` (that port only),
            `[fd00::1]`, `*.corp.example` (all names below, not `corp.example` itself).
        max_bytes: size of a body, both as sent and after decompression.
        timeout_s: seconds a fetch may take in all, with redirects, attempts and the pauses between them.
        idle_s: seconds without a byte after which an attempt has failed; connecting gets at most ten of them.
        max_redirects: redirects followed in one fetch.
        attempts: tries of what may succeed later, including the first.
        connections: fetches under way at once; the others wait, and that does not count for `timeout_s`.
    """

    allow: tuple[str, ...] = ()
    max_bytes: int
    timeout_s: float = 60.0
    idle_s: float = 15.0
    max_redirects: int = 5
    attempts: int = 3
    connections: int = 16

    def __post_init__(self) -> None:
        for entry in self.allow:
            _rule(entry)

    def allows(self, host: str, port: int) -> bool:
        """Tell whether a host, in its canonical form (see `syntax.canonical_host`), is allowed by name."""
        for entry in self.allow:
            name, wanted_port = _rule(entry)
            if wanted_port in {None, port} and (host == name or (name.startswith(".") and host.endswith(name))):
                return True
        return False


@lru_cache(maxsize=1024)
def _rule(entry: str) -> tuple[str, int | None]:
    """Read an entry of `allow`: host, or the end of a name with its dot, and port."""
    rest = entry.removeprefix("*.")
    rest = f"[{rest}]" if rest.count(":") > 1 and "[" not in rest else rest  # an IPv6 address as people write it
    try:
        url = split(f"host://{rest}")  # a scheme without a port of its own, so that :80 is not dropped
        host = canonical_host(url.raw_host.decode("ascii"))
    except UnsafeURLError:
        host = ""
    else:
        more = url.raw_path != b"/" or url.userinfo or "#" in rest
        if more or (url.port is not None and not 0 < url.port < 2**16):
            host = ""
    if not host or (entry.startswith("*.") and literal(host)):
        like = "media.example, media.example:8080 or *.media.example"
        msg = f"media.fetch.allow: {entry!r} is no host; write it like {like}."
        raise ConfigurationError(msg)
    return (f".{host}" if entry.startswith("*.") else host), url.port
