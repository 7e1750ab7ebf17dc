"""The section of a source for an address, after a look at what is there."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from relance.config.plugins import loaded_plugins
from relance.counted import counted
from relance.documents import Ignored
from relance.errors import DocumentError, InputError
from relance.parsers import installed_parsers
from relance.sources.source import Source, SourceContext
from relance.sources.tables import TableSource

__all__ = ["Suggestion", "suggest"]

# A look ends after so many items or seconds: it says what is there, not how much.
_ITEMS = 500
_SECONDS = 20.0
_KINDS = 5  # named in a line
_VARIABLE = "SOURCE_PASSWORD"
_GENERAL = ("files", "web")
_SQLITE = b"SQLite format 3\0"
_DUCKDB = b"DUCK"  # from the ninth byte on
_IN_FILES = {"sqlite": "SQLite", "duckdb": "DuckDB"}


@dataclass(slots=True)
class Suggestion:
    """What `relance init --from` writes about a source, and what it found there.

    Attributes:
        section: of the spec; a password of the address is not in it.
        variable: of the environment that has to hold the password; empty where there is none.
        kinds: items by media type.
        ignored: items by the reason why they are not read.
        more: whether there is more than was looked at.
        problems: items that could not be listed.
        tables: whether items are tables, whose rows are the documents.
    """

    section: dict[str, Any]
    variable: str = ""
    kinds: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    more: bool = False
    problems: list[str] = field(default_factory=list)
    tables: bool = False

    def sentences(self) -> list[str]:
        """Say for people what was found."""
        count = sum(self.kinds.values())
        thing = "table" if self.tables else "document"
        things = counted(count, thing)
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in self.kinds.most_common(_KINDS) if not self.tables)
        said = [f"found {'the first ' if self.more else ''}{things}{f' ({kinds})' if kinds else ''}"]
        said += [f"left out: {number:,} ({reason})" for reason, number in self.ignored.most_common(_KINDS)]
        said += self.problems[:_KINDS]
        return [*said, f"the password is not in the file; export {self.variable}=…"] if self.variable else said


def suggest(address: str, folder: Path) -> Suggestion:
    """Find the kind of source that an address is of, and list the first items.

    Raises InputError for an address of no kind, ConfigurationError or SourceError where nothing can be listed there.
    """
    address, written = _seen_from(address, folder.absolute())
    kinds = loaded_plugins("sources")
    found = {name: values for name, kind in kinds.items() if (values := kind.Spec.suggest(address)) is not None}
    if not found:
        schemes = (
            "s3://bucket/prefix, https://host/sitemap.xml, postgresql://host/database, git+https://host/repository"
        )
        raise InputError(f"{address!r} is the address of no source; examples are {schemes}, or a folder")
    # `https://host/repository.git` is a page, too; the kind that is less general is meant.
    name, section = min(found.items(), key=lambda each: each[0] in _GENERAL)
    kind = kinds[name]
    parsers = installed_parsers()
    context = SourceContext(folder.absolute(), media_type_of=parsers.media_type_of, wanted=parsers.knows)
    source: Source = kind(kind.Spec.model_validate(section), context)
    says = {address: written, address.partition("#")[0]: written.partition("#")[0]}
    shown = {key: says.get(value, value) if isinstance(value, str) else value for key, value in section.items()}
    suggestion = _without_password(shown, written)
    suggestion.tables = isinstance(source, TableSource)
    began = time.monotonic()
    for number, item in enumerate(islice(source.list(), _ITEMS + 1)):
        if number == _ITEMS or time.monotonic() - began > _SECONDS:
            suggestion.more = True
            break
        if isinstance(item, DocumentError):
            suggestion.problems.append(str(item))
        elif isinstance(item, Ignored):
            suggestion.ignored[item.reason] += 1
        else:
            suggestion.kinds[item.media_type] += 1
    return suggestion


def _seen_from(address: str, folder: Path) -> tuple[str, str]:
    """Return an address as it is found from here, and as a spec in a folder, which need not be there yet, says it."""
    scheme, found, rest = address.partition(":///")
    if found and scheme.lower() in _IN_FILES and not rest.startswith(("/", "~")):
        path, mark, table = rest.partition("#")
        path, asked, options = path.partition("?")
        place = Path(unquote(path)).absolute()
        ending = asked + options + mark + table
        here, there = quote(str(place)), quote(os.path.relpath(place, folder))
        return f"{scheme}:///{here}{ending}", f"{scheme}:///{there}{ending}"
    if "://" in address:
        return address, address
    place = Path(address).expanduser().absolute()
    if not place.exists():
        raise InputError(f"the folder {place} does not exist; other places begin with a scheme, such as https://")
    if place.is_file():
        kind = _database_in(place)
        if kind:
            raise InputError(f"{place} is a {_IN_FILES[kind]} database; name it as {kind}:///{place}")
        raise InputError(f"{place} is a file; name the folder it is in, {place.parent}")
    return str(place), os.path.relpath(place, folder)


def _database_in(file: Path) -> str:
    with file.open("rb") as stream:  # which may be large
        head = stream.read(len(_SQLITE))
    return "sqlite" if head == _SQLITE else "duckdb" if head[8:12] == _DUCKDB else ""


def _without_password(section: dict[str, Any], address: str) -> Suggestion:
    """Let the environment say the password that an address holds."""
    password = urlsplit(address).password if "://" in address else None
    if not password:
        return Suggestion(section)
    written = json.dumps(section).replace(json.dumps(password)[1:-1], f"${{{_VARIABLE}}}")
    return Suggestion(json.loads(written), _VARIABLE)
