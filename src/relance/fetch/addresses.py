"""Which IP addresses are out in the public, and what the others are."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

__all__ = ["IPAddress", "literal", "why_inward"]

IPAddress = IPv4Address | IPv6Address

# The first that fits is the reason given. IANA's special-purpose registries, which Python's `is_global` knows only in
# part and not the same in every version; and where clouds hand secrets to whoever asks, two of them at addresses that
# look public (Azure's, and Oracle's within 192.0.0.0/24).
_INWARD = tuple(
    (ip_network(network), what)
    for network, what in (
        ("169.254.169.254/32", "a cloud's metadata address"),
        ("100.100.100.200/32", "a cloud's metadata address"),
        ("168.63.129.16/32", "a cloud's metadata address"),
        ("192.0.0.192/32", "a cloud's metadata address"),
        ("fd00:ec2::254/128", "a cloud's metadata address"),
        ("0.0.0.0/8", "an unspecified address"),
        ("127.0.0.0/8", "a loopback address"),
        ("10.0.0.0/8", "a private address"),
        ("172.16.0.0/12", "a private address"),
        ("192.168.0.0/16", "a private address"),
        ("169.254.0.0/16", "a link-local address"),
        ("100.64.0.0/10", "a carrier's private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        # Tunnels: the packet ends at an IPv4 address hidden inside. Both are long gone from the public Internet.
        ("2002::/16", "a 6to4 tunnel"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "an address for documentation"),
        ("3fff::/20", "an address for documentation"),
    )
)
_PUBLIC_IPV6 = ip_network("2000::/3")  # all that has ever been given out
# On networks with IPv6 alone every IPv4 host is reached by an address of this kind, so what it wraps decides.
_NAT64 = ip_network("64:ff9b::/96")


def literal(host: str) -> IPAddress | None:
    """Read a host that is an address, without brackets; None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def why_inward(address: IPAddress) -> str:
    """Say what an address is that may lead inward, e.g. `a private address`; nothing if it is public."""
    if isinstance(address, IPv6Address):
        wrapped = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None)
        if wrapped is not None:
            return why_inward(wrapped)
    for network, what in _INWARD:
        if address.version == network.version and address in network:
            return what
    # `is_global` last: it may know of a network that was set apart after this table was written.
    outside = address.version == 6 and address not in _PUBLIC_IPV6
    return "a reserved address" if outside or not address.is_global else ""
