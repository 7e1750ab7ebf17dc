"""What earlier runs have refused for good of images and videos, so that it is not fetched again to be refused again."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from relance.documents import Item
from relance.media.request import RefusedMediaError, Validators

__all__ = ["read_refusal", "refused_among", "write_refusal"]

_SCHEMA = pa.schema([("doc_id", pa.string()), ("memory", pa.string())])


def read_refusal(item: Item, mark: str, memory: str) -> RefusedMediaError | None:
    """Read a refusal of an item; None where the item, or what decides about it (`mark`), is another now."""
    made = json.loads(memory)
    if (made["version"], made["mark"]) != (item.version, mark):
        return None
    return RefusedMediaError(
        item.uri, made["reason"], {name: Validators(*values) for name, values in made["known"].items()}
    )


def write_refusal(item: Item, mark: str, error: RefusedMediaError) -> str:
    """Write down what was refused, for the failures table."""
    known = {name: each.values for name, each in error.known.items()}
    made = {"version": item.version, "mark": mark, "reason": error.reason, "known": known}
    return json.dumps(made, ensure_ascii=False)


def refused_among(items: pa.Table, refused: Mapping[str, str]) -> pa.Table:
    """Choose the refusals (by id) of some items: a table that goes with their batch."""
    found = [each for each in items["doc_id"].to_pylist() if each in refused] if refused else []
    return pa.table({"doc_id": found, "memory": [refused[each] for each in found]}, schema=_SCHEMA)
