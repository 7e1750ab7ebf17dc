"""The section of a spec that names pages."""

from __future__ import annotations

import contextlib
import re
from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from relance.config.headers import checked_headers
from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV
from relance.sources.web.address import normal

__all__ = ["WebSource"]

_HOST = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class WebSource(SourceSpec, title="Web"):
    """Pages: those of a sitemap or a feed, those that links lead to, or single ones."""

    type: Literal["web"] = Field(title="Type", examples=["web"])
    """What kind of source this is; `web` reads pages and files behind http addresses."""
    start: list[str] = Field(
        title="Start", min_length=1, json_schema_extra=ENV,
        examples=["https://docs.example.com/sitemap.xml", ["https://example.com/feed.xml"]],
    )  # fmt: skip
    """Address, or several, where pages are found: a sitemap or an index of sitemaps, a feed, a page with links."""
    find: Literal["auto", "sitemap", "feed", "crawl", "pages"] = Field(default="auto", title="Find pages by")
    """How: by the `sitemap` at `start` (of a bare host: those that robots.txt names), by a `feed` (RSS, Atom, JSON
    Feed), by links from `start` on (`crawl`); or `start` has the `pages` themselves. `auto` recognises a sitemap or
    feed by its address and crawls from everything else."""
    include: list[str] = Field(default=["**/*"], title="Include", min_length=1, examples=[["docs/**"]])
    """Patterns that the path of an address must match one of; as of files, a folder stands for its `index.html`."""
    exclude: list[str] = Field(default=[], title="Exclude", examples=[["tags/**", "*.zip"]])
    """Patterns that take an address out again."""
    hosts: list[str] = Field(default=[], title="Hosts", examples=[["docs.example.com", "*.example.org"]])
    """Hosts whose pages are read; empty: those of `start`. `*.` stands for any subdomain."""
    depth: int = Field(default=3, title="Depth", ge=0, le=100)
    """Links from `start` to the last page that a crawl reads."""
    max_pages: int = Field(default=100_000, title="Most pages", ge=1)
    """More addresses end the listing with an error: what is indexed stays, nothing is removed."""
    delay_s: float = Field(default=0.1, title="Delay", ge=0, le=3600)
    """Seconds from the beginning of a request to that of the next one, of one host; what robots.txt asks for counts if
    it is more."""
    at_once: int = Field(default=4, title="At once", ge=1, le=64)
    """Requests in flight at one host, at most."""
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one address may take; waiting for its host does not count."""
    patience_s: float = Field(default=120.0, title="Patience", ge=0, le=86400)
    """Seconds a run waits for a host that asks for fewer requests (429, 503), without one good answer in between."""
    trust_lastmod: bool = Field(default=True, title="Trust lastmod")
    """Whether a page is taken for unchanged without asking while a sitemap or feed says the same date of it. Turn it
    off for sites whose dates stay when pages change: then each page is asked whether it has changed."""
    obey_robots: bool = Field(default=True, title="Obey robots.txt")
    """Whether robots.txt, its Crawl-delay, `noindex` and `nofollow` hold. Turn it off for sites of your own only:
    others have said what they do not want to be read by programs."""
    user_agent: str = Field(default="", title="User agent", examples=["example-search/1.0 (+https://example.com/bot)"])
    """What the source calls itself; what stands before the slash is looked for in robots.txt. Empty: `relance`."""
    headers: dict[str, SecretStr] = Field(
        default={}, title="Headers", json_schema_extra=ENV, examples=[{"Cookie": "${WIKI_COOKIE}"}]
    )
    """Sent to the hosts of this source only, not on after a redirect to another host; values may be `${NAME}`."""
    user: str = Field(default="", title="User", json_schema_extra=ENV)
    """Name for sites that ask for user and password (basic authentication)."""
    password: SecretStr = Field(default=SecretStr(""), title="Password", json_schema_extra=ENV, examples=["${WIKI_PW}"])
    """Its password."""
    allow: list[str] = Field(default=[], title="Allowed hosts", examples=[["wiki.intranet.example", "127.0.0.1:8123"]])
    """Hosts that may be asked although their addresses are private; `*.` stands for any subdomain."""
    proxy: SecretStr = Field(
        default=SecretStr(""),
        title="Proxy",
        json_schema_extra=ENV,
        examples=["http://proxy.corp.example:3128", "direct"],
    )
    """By which hosts are asked; `direct` for none. Empty: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY of the environment."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Take addresses of pages, sitemaps and feeds; who names an address that is private means it."""
        if not address.lower().startswith(("http://", "https://")):
            return None
        section: dict[str, Any] = {"type": "web", "start": [address]}
        with contextlib.suppress(ValueError):  # a name, whose address is not known here
            parts = urlsplit(address)
            if parts.hostname == "localhost" or not ip_address(parts.hostname or "").is_global:
                section["allow"] = [parts.netloc.rpartition("@")[2]]
        return section

    @field_validator("start", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one_start(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("start")
    @classmethod
    def _starts_are_addresses(cls, starts: list[str]) -> list[str]:
        for start in starts:
            if normal(start):
                continue
            try:
                named = urlsplit(start).username is not None
            except ValueError:
                named = False
            if named:
                msg = "holds an address with a user or password; put them under `user` and `password`"
            elif not start.strip():
                msg = "is empty; write the address of a page, a sitemap or a feed"
            else:
                msg = f"{start[:100]!r} is no address of a page; it begins with http:// or https://"
            raise ValueError(msg)
        return starts

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_can_match(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if not pattern.strip():
                msg = "holds an empty pattern"
            elif pattern.startswith("!"):
                msg = f"{pattern!r} is a negation; use include and exclude instead"
            elif "://" in pattern:
                msg = f"{pattern!r} is an address; write its path alone, such as docs/**, and its host under hosts"
            else:
                continue
            raise ValueError(msg)
        return patterns

    @field_validator("hosts")
    @classmethod
    def _hosts_are_names(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                msg = (
                    f"{host[:100]!r} is no host; write it like docs.example.com, docs.example.com:8080 or *.example.com"
                )
                raise ValueError(msg)
        return hosts

    @field_validator("user_agent")
    @classmethod
    def _agent_can_be_sent(cls, agent: str) -> str:
        if not re.fullmatch(r"[ -~]{0,500}", agent):
            msg = "has letters that no header can hold; use letters of ASCII"
            raise ValueError(msg)
        return agent

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return checked_headers(headers, also_ours=("user-agent",))

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
        if self.password.get_secret_value() and not self.user:
            msg = "there is a password without a user; name the user, or remove it"
            raise ValueError(msg)
        return self
