"""What may be fetched, how much of it and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from relance.errors import ConfigurationError
from relance.fetch.addresses import literal
from relance.fetch.host import HostRules
from relance.fetch.syntax import UnsafeURLError, canonical_host, split
from relance.http.proxies import Proxy, proxy_for, read_proxy

__all__ = ["FetchPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """Limits of one `Fetcher`.

    Attributes:
        allow: hosts that may be at inward addresses: `intranet.example`, `127.0.0.1:8123` (that port only),
            `[fd00::1]`, `*.corp.example` (all names below, not `corp.example` itself).
        max_bytes: size of a body, both as sent and after decompression.
        timeout_s: seconds a fetch may spend in requests in all, with redirects and attempts.
        idle_s: seconds without a byte after which an attempt has failed; connecting gets at most ten of them.
        max_redirects: redirects followed in one fetch.
        attempts: tries of what may succeed later, including the first.
        connections: requests under way at once, at all hosts; the others wait, and that does not count for `timeout_s`.
        patience_s: seconds a run waits for a host that asks for fewer requests, without one good answer in between.
        recheck_s: seconds after an answer in which an address is not asked again; None is as its server says, up to
            seven days.
        proxy: that is used instead of the environment's: its address, which may hold a password, or `direct`.
        proxy_dns: whether the proxy is given names and looks them up, so that what they lead to is its to judge.
        hosts: pattern, as in `allow`, and what holds for such hosts; the first that fits.
        section: where in the spec these limits stand, for messages that say what to change.
    """

    allow: tuple[str, ...] = ()
    max_bytes: int
    timeout_s: float = 60.0
    idle_s: float = 15.0
    max_redirects: int = 5
    attempts: int = 3
    connections: int = 16
    patience_s: float = 120.0
    recheck_s: float | None = None
    proxy: str = field(default="", repr=False)
    proxy_dns: bool = False
    hosts: tuple[tuple[str, HostRules], ...] = ()
    section: str = "media.fetch"

    def __post_init__(self) -> None:
        for entry in self.allow:
            _pattern(entry, f"{self.section}.allow")
        for entry, _ in self.hosts:
            _pattern(entry, f"{self.section}.hosts")
        self.proxy_for("")

    def proxy_for(self, url: str) -> Proxy | None:
        """Find the proxy by which a URL is fetched; ConfigurationError for one nobody can use."""
        if self.proxy == "direct":
            return None
        return proxy_for(url, read_proxy(self.proxy, f"{self.section}.proxy") if self.proxy else None)

    def allows(self, host: str, port: int) -> bool:
        """Tell whether a host, in its canonical form (see `syntax.canonical_host`), is allowed by name."""
        return any(_fits(_pattern(entry), host, port) for entry in self.allow)

    def allows_url(self, url: str) -> bool:
        """Tell whether the host of a URL is allowed by name: one that only we can reach."""
        parts = split(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return self.allows(canonical_host(parts.raw_host.decode("ascii")), port)

    def fresh_until(self, now: float, promised_s: float) -> int:
        """Say until when an answer of this moment holds, by what its server promised; seconds since 1970, or 0."""
        seconds = min(promised_s, _LONGEST_PROMISE_S) if self.recheck_s is None else self.recheck_s
        return int(now + seconds) if seconds >= 1 else 0

    def is_fresh(self, now: float, until: int) -> bool:
        """Tell whether an address need not be asked; a promise longer than the spec now wants does not count."""
        longest = _LONGEST_PROMISE_S if self.recheck_s is None else self.recheck_s
        return now < until <= now + longest

    def rules(self, host: str, port: int) -> HostRules:
        """Return what holds for a host, in its canonical form."""
        return next((rules for entry, rules in self.hosts if _fits(_pattern(entry), host, port)), _PLAIN)


_PLAIN = HostRules()
# Many servers promise a year for what they change next week.
_LONGEST_PROMISE_S = 7 * 86400.0


def _fits(pattern: tuple[str, int | None], host: str, port: int) -> bool:
    name, wanted = pattern
    return wanted in {None, port} and (host == name or (name.startswith(".") and host.endswith(name)))


@lru_cache(maxsize=1024)
def _pattern(entry: str, field: str = "") -> tuple[str, int | None]:
    """Read an entry of `allow` or `hosts`: host, or the end of a name with its dot, and port."""
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
        msg = f"{field}: {entry!r} is no host; write it like {like}."
        raise ConfigurationError(msg)
    return (f".{host}" if entry.startswith("*.") else host), url.port
