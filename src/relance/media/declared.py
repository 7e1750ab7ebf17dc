"""What a spec says of hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.fetch.host import HostRules

if TYPE_CHECKING:
    from relance.config.media import FetchSpec

__all__ = ["host_rules"]


def host_rules(spec: FetchSpec) -> tuple[tuple[str, HostRules], ...]:
    """Return patterns of hosts and what holds for them, as `FetchPolicy` has them."""
    return tuple(
        (
            pattern,
            HostRules(
                headers=tuple((name, value.get_secret_value()) for name, value in host.headers.items()),
                per_second=host.per_second,
                connections=host.connections,
            ),
        )
        for pattern, host in spec.hosts.items()
    )
