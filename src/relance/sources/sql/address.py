"""Addresses of databases: which server they mean, and what of them may be shown."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

__all__ = ["Address", "check_address", "is_of_database", "read_address"]

_KINDS = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mariadb",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}


class Address(NamedTuple):
    """A database.

    Attributes:
        kind: `postgresql`, `mysql`, `mariadb`, `sqlite` or `duckdb`.
        shown: the address without user, password and options, which uris begin with.
        path: of the file of SQLite and DuckDB.
    """

    kind: str
    shown: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    database: str = ""
    options: tuple[tuple[str, str], ...] = ()
    path: Path = Path()


def is_of_database(url: str) -> bool:
    """Whether an address begins as one of a database does."""
    return url.partition("://")[0].lower().partition("+")[0] in _KINDS


def check_address(url: str) -> None:
    """Raise ValueError, without the address, for one that means no database."""
    scheme, found, rest = url.partition("://")
    kind = scheme.lower().partition("+")[0]
    if not found or kind not in _KINDS:
        close = get_close_matches(kind, _KINDS, 1)
        hint = f"did you mean {close[0]}://?" if found and close else f"it begins with {', '.join(_KINDS)}, and ://"
        msg = f"is no address of a database; {hint}"
        raise ValueError(msg)
    if _KINDS[kind] in {"sqlite", "duckdb"}:
        if not rest.startswith("/") or not rest.partition("?")[0].strip("/"):
            msg = f"names no file; write {kind}:///shop.db, or {kind}:////srv/shop.db for an absolute path"
            raise ValueError(msg)
        return
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None or "#" in url or "@" in parts.path:
        msg = "cannot be read; percent-encode what its password has of / ? # @ :"
        raise ValueError(msg)
    if not parts.path.strip("/") or "/" in parts.path.strip("/"):
        msg = f"names no database; it ends with one, as in {kind}://HOST/DATABASE"
        raise ValueError(msg)


def read_address(url: str, folder: Path) -> Address:
    """Read an address that `check_address` takes; files are relative to a folder."""
    kind = _KINDS[url.partition("://")[0].lower().partition("+")[0]]
    if kind in {"sqlite", "duckdb"}:
        named = unquote(url.partition("://")[2].partition("?")[0][1:])
        path = Path(os.path.normpath(folder / Path(named).expanduser()))
        known = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
        return Address(kind, f"{kind}:///{quote(known)}", path=path)
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or _PORTS[kind]
    place = f"[{host}]" if ":" in host else host
    if port != _PORTS[kind]:
        place += f":{port}"
    database = unquote(parts.path.strip("/"))
    shown = f"{kind}://{place}/{quote(database, safe='')}"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(kind, shown, host, port, user, password, database, tuple(parse_qsl(parts.query)))
