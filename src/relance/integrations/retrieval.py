"""How a retriever searches: an index, and the arguments of `Index.search` that all its questions share."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from relance.config import IndexSpec
from relance.errors import InputError
from relance.index import Index
from relance.search import Hit, Hits, Mode
from relance.store.principals import Principals

__all__ = ["OPTIONS", "Retrieval"]


@dataclass(slots=True, frozen=True, kw_only=True)
class Retrieval:
    """An index and how it is searched; a question may change everything but the index. See `Index.search`."""

    index: Index
    k: int = 10
    mode: Mode = "hybrid"
    filter: str | None = None
    group: bool = False
    rerank: str | None = None
    instruct: str | None = None
    principals: Principals = None

    @classmethod
    def of(cls, index: Index | IndexSpec | str | Path, options: dict[str, Any]) -> Self:
        """Open an index, or take one that is open; InputError names an option that there is not."""
        _check(options)
        return cls(index=index if isinstance(index, Index) else Index(index), **options)

    def changed(self, options: dict[str, Any]) -> Self:
        """Take the options of one question in place of the usual ones; InputError names one that there is not."""
        _check(options)
        return replace(self, **options)

    def search(self, query: str, **options: Any) -> Hits[Hit]:
        """Find the best chunks; raises what `Index.search` raises."""
        return self.index.search(query, **self.changed(options).options())

    async def asearch(self, query: str, **options: Any) -> Hits[Hit]:
        """Do what `search` does, in a thread."""
        return await self.index.asearch(query, **self.changed(options).options())

    def options(self) -> dict[str, Any]:
        """Return the arguments of a search."""
        return {name: getattr(self, name) for name in OPTIONS}


OPTIONS = [each.name for each in fields(Retrieval) if each.name != "index"]


def _check(options: dict[str, Any]) -> None:
    for name in options:
        if name not in OPTIONS:
            near = difflib.get_close_matches(name, OPTIONS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the options are {', '.join(OPTIONS)}"
            msg = f"a search has no option {name}; {hint}"
            raise InputError(msg)
    condition = options.get("filter")
    if condition is not None and not isinstance(condition, str):
        msg = f"filter is a text such as 'year >= 2020 and lang = \"en\"' (docs/search.md#filters), got {condition!r}"
        raise InputError(msg)
