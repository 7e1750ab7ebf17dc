"""Which addresses are one picture: what only signs an address, or lets it expire, is no part of its identity."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from relance.config.media import AddressRule

__all__ = ["Identity", "Signature", "expiry"]


@dataclass(slots=True, frozen=True)
class Signature:
    """How one service signs addresses; names of parameters are in lower case and may hold `*`.

    Attributes:
        needs: an address that lacks one of them is not signed in this way.
        drops: what is no part of the identity, beside `needs`.
        hosts: whose addresses it is about; all by default.
    """

    needs: tuple[str, ...]
    drops: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("*",)


# The vendors' pages on signed addresses (2025, 2026). What chooses another picture stays: `x-oss-process`, `versionId`,
# `generation`, `snapshot`, `response-…`, sizes. A bare `token` or `expires` may mean anything, so each needs company.
SIGNATURES = (
    Signature(("x-amz-signature",), (
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
        "x-amz-security-token", "x-amz-content-sha256", "x-amz-checksum-mode", "x-id")),  # S3 and what speaks it
    Signature(("awsaccesskeyid", "signature"), ("expires", "x-amz-security-token")),  # S3 as it was until 2018
    Signature(("x-oss-signature",), (
        "x-oss-signature-version", "x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-additional-headers",
        "x-oss-security-token")),  # Alibaba OSS
    Signature(("ossaccesskeyid", "signature"), ("expires", "security-token")),
    Signature(("x-goog-signature",), (
        "x-goog-algorithm", "x-goog-credential", "x-goog-date", "x-goog-expires", "x-goog-signedheaders")),
    Signature(("googleaccessid", "signature"), ("expires",)),
    Signature(("sig", "sv"), (  # Azure: a shared access signature
        "se", "st", "sp", "sr", "ss", "srt", "spr", "sip", "si", "skoid", "sktid", "skt", "ske", "sks", "skv",
        "saoid", "suoid", "scid", "sdd", "ses")),
    Signature(("key-pair-id", "signature"), ("expires", "policy", "hash-algorithm")),  # CloudFront
    Signature(("q-signature",), (
        "q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list",
        "x-cos-security-token")),  # Tencent COS
    Signature(("accesskeyid", "signature"), ("expires", "x-obs-security-token")),  # Huawei OBS
    Signature(("x-bce-signature",), ("authorization",)),  # Baidu BOS
    Signature(("__token__",)),  # Akamai, as the five that follow
    Signature(("hdnts",)),
    Signature(("hdnea",)),
    Signature(("hdntl",)),
    Signature(("__gda__",)),
    Signature(("__cld_token__",)),  # Cloudinary
    Signature(("token", "expires"), ("token_path", "token_countries"), ("*.b-cdn.net",)),
    Signature(("e", "token"), (), ("*.qiniucdn.com", "*.clouddn.com", "*.qnssl.com", "*.qbox.me")),
    Signature(("s", "expires"), (), ("*.imgix.net",)),
    Signature(("oh", "oe"), ("_nc_ohc", "_nc_oc", "_nc_gid", "_nc_zt", "ccb", "_nc_ht", "_nc_cat"),
              ("*.fbcdn.net", "*.cdninstagram.com")),
    Signature(("ex", "is", "hm"), (), ("*.discordapp.com", "*.discordapp.net")),
    Signature(("jwt",), (), ("*.githubusercontent.com",)),
    Signature(("token",), (), ("*.githubusercontent.com",)),
    Signature(("expirationtimestamp", "signature"), (), ("*.notion.so", "*.notion.com")),
    Signature(("ssig", "expires"), ("kid",), ("*.sinaimg.cn", "*.sinaimg.com")),
)  # fmt: skip

# Tokens in the path: Cloudinary's signed transformation, and Akamai's tokens of streams.
_IN_PATH = (re.compile(r"/s--[\w-]{8,32}--(?=/)"), re.compile(r"/hdnts=[^/]*(?=/)"))
_TOKEN = re.compile(r"(?:^|[~&])(?:exp|st|data)=.*hmac=[0-9a-f]{16,}", re.IGNORECASE)


class Identity:
    """Names pictures by their addresses: without what signs them, so that a new signature is no new picture.

    An address that is not signed in a known way is its own identity, letter for letter. Values can be pickled.
    """

    def __init__(self, rules: Iterable[AddressRule] = ()) -> None:
        """Take up the rules of a spec, which hold beside those that are built in."""
        rules = tuple(rules)
        self._signatures = (
            *(Signature((), tuple(name.lower() for name in rule.ignore), (rule.host.lower(),)) for rule in rules),
            *SIGNATURES,
        )
        self._paths = tuple((rule.host.lower(), re.compile(rule.path)) for rule in rules if rule.path)

    def __call__(self, address: str) -> str:
        """Return the identity of an address; anything else comes back as it is."""
        if not address[:8].lower().startswith(("http://", "https://")):
            return address
        try:
            host = (urlsplit(address).hostname or "").lower()
        except ValueError:  # an unfinished IPv6 address
            return address
        head, mark, fragment = address.partition("#")
        path, question, query = head.partition("?")
        path = self._bare_path(path, host)
        kept = self._kept(query.split("&"), host) if question else []
        return path + ("?" + "&".join(kept) if kept or (question and not query) else "") + mark + fragment

    def is_signed(self, address: str) -> bool:
        """Whether an address says more than what it is the address of."""
        return self(address) != address

    def _bare_path(self, path: str, host: str) -> str:
        at = path.find("/", path.find("://") + 3)
        if at < 0:
            return path
        place, path = path[:at], path[at:]
        for token in _IN_PATH:
            path = token.sub("", path)
        for pattern, token in self._paths:
            if fnmatchcase(host, pattern):
                path = token.sub("", path)
        return place + path

    def _kept(self, parameters: list[str], host: str) -> list[str]:
        names = [unquote(each.partition("=")[0]).lower() for each in parameters]
        dropped: set[str] = set()
        for signature in self._signatures:
            if not set(signature.needs) <= set(names) or not any(_is_of(host, each) for each in signature.hosts):
                continue
            for pattern in (*signature.needs, *signature.drops):
                dropped.update(name for name in names if name == pattern or fnmatchcase(name, pattern))
        return [
            each for each, name in zip(parameters, names, strict=True)
            if name not in dropped and not _TOKEN.search(unquote(each.partition("=")[2]))
        ]  # fmt: skip


def _is_of(host: str, pattern: str) -> bool:
    return pattern == "*" or fnmatchcase(host, pattern)


def expiry(address: str) -> datetime | None:
    """Read off a signed address until when it can be fetched; None where it does not say."""
    query = urlsplit(address).query if "?" in address else ""
    given = {unquote(name).lower(): unquote(value) for name, _, value in (p.partition("=") for p in query.split("&"))}
    for begins, lasts in (("x-amz-date", "x-amz-expires"), ("x-goog-date", "x-goog-expires"),
                          ("x-oss-date", "x-oss-expires")):  # fmt: skip
        if begins in given and lasts in given:
            return _read(lambda a=begins, b=lasts: _basic(given[a]).timestamp() + float(given[b]))
    if "sig" in given and "se" in given:
        return _read(lambda: datetime.fromisoformat(given["se"]).timestamp())
    if "expires" in given and ({"signature", "token", "ssig"} & given.keys()):
        return _read(lambda: float(given["expires"]))
    for value in given.values():
        if _TOKEN.search(value) and (ends := re.search(r"exp=(\d{9,11})", value)):
            return _read(lambda at=ends[1]: float(at))
    return None


def _basic(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _read(seconds: Callable[[], float]) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds(), UTC)
    except (ValueError, OverflowError, OSError):
        return None
