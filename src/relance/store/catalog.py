"""The catalog: a few small facts about the store, changed by compare-and-set."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import timedelta
from typing import Any

from relance.errors import RelanceError, RetryableError
from relance.store import schemas
from relance.store.connection import Store, store_error

__all__ = ["Catalog"]

NAME = "relance__catalog"
_TRIES = 5
_TIDY_EVERY = 100  # a run makes four versions or more, and a look-up takes 5 ms after one and 22 ms after 1,500
_TIDY_KEEPS = timedelta(minutes=10)


class Catalog:
    """Keys and JSON values.

    index/<name>   {"table": physical table that serves the index, "previous": the one before}
    table/<name>   {"writer": run that is writing it}; absent or null when no run was cut short
    lock/<name>    {"holder", "expires"}: only where the store has no file locks

    Every `tidy_every` versions the table is compacted, and versions older than `tidy_keeps` are dropped.
    """

    def __init__(self, store: Store, *, tidy_every: int = _TIDY_EVERY, tidy_keeps: timedelta = _TIDY_KEEPS) -> None:
        self._store = store
        self._tidy_every = tidy_every
        self._tidy_keeps = tidy_keeps

    @property
    def table(self) -> Any | None:
        """The LanceDB table, or None before the first write."""
        return self._store.open(NAME)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the value of a key, or None."""
        raw = self._raw(key)
        return None if raw is None else json.loads(raw)

    def put(self, key: str, value: dict[str, Any], *, expected: dict[str, Any] | None) -> None:
        """Replace `expected` (None: no such key) by `value`; RetryableError if it has become something else."""
        for attempt in range(_TRIES):
            try:
                written = self._put(key, value, expected)
                break
            except Exception as error:
                failure = error if isinstance(error, RelanceError) else store_error(error, f"writing {key}")
                # Every index of the store writes here, and a commit that conflicts has changed nothing.
                if attempt + 1 == _TRIES or not isinstance(failure, RetryableError):
                    raise failure from error
                time.sleep(0.1 * 2**attempt)
        # A commit whose answer was lost is tried again and finds its own work.
        if written != 1 and self.get(key) != value:
            msg = f"{key} was changed by another process at the same moment"
            raise RetryableError(msg)

    def _put(self, key: str, value: dict[str, Any], expected: dict[str, Any] | None) -> int:
        import pyarrow as pa

        table = self._store.create(NAME, schemas.CATALOG)
        row = pa.table({"key": [key], "value": [_dump(value)]}, schema=schemas.CATALOG)
        merge = table.merge_insert("key")
        if expected is None:
            merge = merge.when_not_matched_insert_all()
        else:
            quoted = _dump(expected).replace("'", "''")
            merge = merge.when_matched_update_all(where=f"target.value = '{quoted}'")
        result = merge.execute(row)
        if table.version % self._tidy_every == 0:
            with contextlib.suppress(Exception):  # somebody else's commit got in between; the next hundred will do
                table.optimize(cleanup_older_than=self._tidy_keeps)
        return result.num_inserted_rows + result.num_updated_rows

    def _raw(self, key: str) -> str | None:
        from lancedb.expr import col

        table = self.table
        if table is None:
            return None
        rows = table.search().where(col("key") == key).limit(1).to_list()
        return rows[0]["value"] if rows else None


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
