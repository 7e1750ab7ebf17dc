"""Which addresses are of a source: by host and by path."""

from __future__ import annotations

from relance.sources.ignore import Rules
from relance.sources.web.address import host_of, normal, path_of
from relance.sources.web.spec import WebSource

__all__ = ["Scope"]

_EVERYTHING = ["**/*"]
_PORTS = {"http": "80", "https": "443"}


class Scope:
    """The hosts and patterns of a section; asks nobody.

    Attributes:
        ports: what hosts and ports credentials may be sent to, as patterns of the guarded client.
    """

    def __init__(self, spec: WebSource) -> None:
        """Read the section; ConfigurationError for a bad pattern."""
        starts = [normal(start) for start in spec.start]
        self._hosts = frozenset(map(_lower, spec.hosts)) if spec.hosts else frozenset(map(host_of, starts))
        self._below = tuple(host[1:] for host in self._hosts if host.startswith("*."))
        self._include = None if spec.include == _EVERYTHING else Rules(spec.include, strict=True)
        self._exclude = Rules(spec.exclude, strict=True)
        # What is secret for https is not sent without encryption because a page links to http.
        ports = {_PORTS[start.partition(":")[0]] for start in starts}
        self.ports = tuple(
            sorted({host if _has_port(host) else f"{host}:{port}" for host in self._hosts for port in ports})
        )

    def has_host(self, address: str) -> bool:
        """Tell whether an address in its one form is at a host of this source."""
        host = host_of(address)
        return host in self._hosts or (bool(self._below) and host.endswith(self._below))

    def refusal(self, address: str) -> str:
        """Say why patterns leave out an address in its one form; empty if they do not."""
        path = path_of(address)
        if self._exclude and self._exclude.verdict(path):
            return "in exclude"
        return "" if self._include is None or self._include.verdict(path) else "not in include"

    def __contains__(self, address: str) -> bool:
        """Tell whether an address may be the uri of a page of this source."""
        return normal(address) == address and self.has_host(address) and not self.refusal(address)


def _lower(host: str) -> str:
    return host.lower()


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]
