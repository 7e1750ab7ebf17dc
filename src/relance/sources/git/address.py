"""Addresses of repositories: what git is given, and what uris begin with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Address"]

_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_SCHEME = re.compile(r"(?:git\+)?([a-z][a-z0-9.-]*)://", re.IGNORECASE)
# `git@host:org/repo.git`: as git has it, the colon comes before the first slash.
_SCP = re.compile(r"(?:([\w.+-]+)@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][\w.-]+):(?!//)([^:].*)")
_UNWANTED = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is.

    Attributes:
        uri: what uris of its files begin with, such as `git+https://host/org/repo`; the same for `…/repo.git`.
        url: what git is given; holds no password. Empty for a repository on this machine.
        path: of a repository on this machine.
        host: of a remote one, in lower case, with its port if that is an unusual one.
        name: its path on the host, such as `org/repo`.
        username: what the address says before `@`.
    """

    uri: str
    url: str = ""
    path: Path | None = None
    host: str = ""
    name: str = ""
    username: str = ""

    @classmethod
    def of(cls, text: str, folder: Path) -> Address:
        """Read an address; a path is relative to the folder. ValueError in plain words for what is none."""
        text = text.strip()
        if not text:
            msg = "is empty; it is the address or the path of a repository"
            raise ValueError(msg)
        if scheme := _SCHEME.match(text):
            return _of_url(scheme[1].lower(), text[scheme.end() :])
        if "::" in text.split("/")[0]:
            msg = f"{text[:80]!r} names a helper program of git, which is never run; use https, ssh, git:// or a path"
            raise ValueError(msg)
        scp = _SCP.fullmatch(text)
        if scp is not None and not re.match(r"[A-Za-z]:[\\/]", text):
            user, host, path = scp.groups()
            home = "" if path.startswith("/") else "~/" if path.startswith("~") else ""
            return _remote("ssh", host, None, f"{home}{path}".removeprefix("~/~"), user or "", written=text)
        return _local(text, folder)

    def is_same(self, other: str) -> bool:
        """Tell whether another address means this repository, whatever the protocol and the user."""
        try:
            there = Address.of(other, Path())
        except ValueError:
            return False
        return bool(self.host) and (_plain(there.host), there.name.lower()) == (_plain(self.host), self.name.lower())


def _of_url(scheme: str, rest: str) -> Address:
    if scheme == "file":
        path = unquote(rest.removeprefix("localhost"))
        if not path.startswith("/"):
            msg = f"'file://{rest[:80]}' has no absolute path; write the path alone"
            raise ValueError(msg)
        return _local(path, Path("/"))
    if scheme not in _PORTS:
        msg = f"{scheme}:// is no way to a repository here; use https, ssh, git:// or a path"
        raise ValueError(msg)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        msg = "is no valid address; an example is https://github.com/org/repo"
        raise ValueError(msg) from None
    if parts.password is not None:
        msg = "holds a password; put it under token, as ${NAME}, and the user under username"
        raise ValueError(msg)
    if parts.query or parts.fragment:
        msg = "holds `?` or `#`; it is the address that `git clone` takes, branch and folder are fields of their own"
        raise ValueError(msg)
    return _remote(scheme, f"[{host}]" if ":" in host else host, port, parts.path, unquote(parts.username or ""))


def _remote(scheme: str, host: str, port: int | None, path: str, user: str, written: str = "") -> Address:
    host, name = host.lower(), path.strip("/").removesuffix(".git")
    if not host or not name:
        msg = "has no host or no path; an example is https://github.com/org/repo"
        raise ValueError(msg)
    if host.startswith("-") or user.startswith("-") or path.lstrip("/").startswith("-"):
        msg = "begins with '-' where a host, user or path is expected"
        raise ValueError(msg)
    if _UNWANTED.search(host + path + user):
        msg = "holds a blank or a control character"
        raise ValueError(msg)
    if any(part in {"", ".", ".."} for part in name.split("/")):
        msg = "has an empty part, `.` or `..` in its path"
        raise ValueError(msg)
    place = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    before = f"{user}@" if user and scheme == "ssh" else ""
    url = written or f"{scheme}://{before}{place}/{path.lstrip('/')}"
    return Address(f"git+{scheme}://{place}/{name}", url, None, place, name, user)


def _local(text: str, folder: Path) -> Address:
    if "\0" in text:
        msg = "holds a control character"
        raise ValueError(msg)
    path = Path(os.path.normpath(folder / Path(text).expanduser()))
    if Path(text).expanduser().is_absolute():
        shown = path.as_posix()
    else:  # the same on every machine, as uris of files are
        shown = Path(os.path.relpath(path, folder)).as_posix()
        shown = shown if shown.startswith("../") or shown == ".." else f"./{shown}".removesuffix("/.")
    return Address(f"git+file://{shown.rstrip('/').removesuffix('.git').rstrip('/')}", path=path, name=path.name)


def _plain(host: str) -> str:
    """Return a host without its port: that of ssh is another one than that of https."""
    return re.sub(r":\d+$", "", host).lower()
