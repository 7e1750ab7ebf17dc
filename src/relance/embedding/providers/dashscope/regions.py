"""Where DashScope is: regions, the hosts that serve them, and the address a spec means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from relance.embedding.providers.service import check_address
from relance.errors import ConfigurationError

__all__ = ["REGIONS", "Region", "address_of", "is_dashscope", "is_loopback", "place_of", "region_of", "workspace_url"]

NATIVE = "/api/v1"
COMPATIBLE = "/compatible-mode/v1"


@dataclass(slots=True, frozen=True)
class Region:
    """A place with its own service, keys, prices and limits.

    Attributes:
        name: as in the spec, where the spec has it.
        title: as people call it.
        host: the public host; empty where there is only a workspace's own.
        code: Alibaba Cloud's name, part of the host of a workspace's own address.
    """

    name: str
    title: str
    host: str
    code: str


# Hosts: documentation page "base URL" of October 2026. Embedding in the last three is not documented.
REGIONS = {
    region.name: region
    for region in (
        Region("singapore", "Singapore", "dashscope-intl.aliyuncs.com", "ap-southeast-1"),
        Region("beijing", "Beijing", "dashscope.aliyuncs.com", "cn-beijing"),
        Region("hongkong", "Hong Kong", "cn-hongkong.dashscope.aliyuncs.com", "cn-hongkong"),
        Region("us", "US (Virginia)", "dashscope-us.aliyuncs.com", "us-east-1"),
        Region("frankfurt", "Frankfurt", "", "eu-central-1"),
        Region("tokyo", "Tokyo", "", "ap-northeast-1"),
    )
}
GATEWAY = re.compile(r"[\w-]+\.([a-z0-9-]+)\.maas\.aliyuncs\.com")


def is_dashscope(host: str) -> bool:
    """Tell whether a host is DashScope's."""
    return host.endswith(".aliyuncs.com") and ("dashscope" in host or GATEWAY.fullmatch(host) is not None)


def region_of(host: str) -> str:
    """Name the region a host belongs to; empty for a host that does not tell, such as a proxy or an emulator."""
    gateway = GATEWAY.fullmatch(host)
    for region in REGIONS.values():
        if host == region.host or (gateway and gateway[1] == region.code):
            return region.name
    return ""


def place_of(url: str) -> str:
    """Write an address's host for people: `dashscope-intl.aliyuncs.com (Singapore)`."""
    parts = urlsplit(url)
    region = REGIONS.get(region_of(parts.hostname or ""))
    return f"{parts.netloc} ({region.title})" if region else parts.netloc


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, where the emulator may listen."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def workspace_url(workspace: str, region: str) -> str:
    """Return the address of a workspace's own host."""
    return f"https://{workspace}.{REGIONS[region].code}.maas.aliyuncs.com{NATIVE}"


def address_of(base_url: str, region: str, *, field: str) -> str:
    """Return the address of the native API, without a slash at the end.

    Args:
        base_url: as the spec or the environment says it, empty for the region's own. The OpenAI-compatible address, a
            bare host and the address of one endpoint are understood, too: all belong to the same service.
        region: as in the spec.
        field: of the spec, for messages.
    """
    if not base_url:
        return f"https://{REGIONS[region].host}{NATIVE}"
    example = f"https://{REGIONS['singapore'].host}{NATIVE}"
    url = base_url.strip().rstrip("/").removesuffix("/embeddings")
    if f"{NATIVE}/services/" in url:
        url = url.partition("/services/")[0]
    check_address(url, field=field, example=example)
    if url.endswith(NATIVE):
        return url
    if url.endswith(COMPATIBLE) or not urlsplit(url).path:
        return url.removesuffix(COMPATIBLE) + NATIVE
    raise ConfigurationError(f"{field}: {base_url!r} does not end in {NATIVE}; write it like {example}")
