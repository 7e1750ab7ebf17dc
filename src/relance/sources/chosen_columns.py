"""Which columns of a table are what, where nobody has said it yet: what `relance init --from` writes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from relance.errors import InputError

__all__ = ["chosen_columns"]

_TITLE = re.compile(r"title|name|subject|headline", re.IGNORECASE)
_ADDRESS = re.compile(r"ur[il]$|link$|address$|_at$|hash$|slug$|email$", re.IGNORECASE)


def chosen_columns(kinds: Mapping[str, str], keys: Collection[str], table: str) -> dict[str, Any]:
    """Write the section `rows`: words are the text, a short name is the title, everything else can be filtered by.

    Args:
        kinds: `text`, `bytes` or anything else, by column, in the table's order.
        keys: columns that name a row.
        table: what the message calls it.

    Raises InputError where no column has words.
    """
    texts = [name for name, kind in kinds.items() if kind == "text" and name not in keys and not _ADDRESS.search(name)]
    if not texts:
        raise InputError(f"table {table} has no column with words; its columns are {', '.join(kinds)}")
    rows: dict[str, Any] = {"text": texts}
    if title := next((name for name in texts if _TITLE.search(name)), ""):
        rows["title"] = title
    others = [name for name, kind in kinds.items() if name not in {*keys, *texts} and kind != "bytes"]
    return rows | ({"metadata": others} if others else {})
