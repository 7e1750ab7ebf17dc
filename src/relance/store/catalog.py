"""The catalog: a few small facts about the store, changed by compare-and-set."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from relance.errors import RetryableError
from relance.store import schemas
from relance.store.conflicts import written
from relance.store.connection import Store
from relance.store.faults import store_errors

__all__ = ["Catalog"]

NAME = "relance__catalog"
_TIDY_EVERY = 100  # a run makes four versions or more, and a look-up takes 5 ms after one and 22 ms after 1,500
_TIDY_KEEPS = timedelta(minutes=10)


class Catalog:
    """Keys and JSON values.

    index/<name>   {"table": physical table that serves the index, "previous": the one before}
    table/<name>   {"writer": run that is writing, or null, "found": the versions of chunks, documents and failures it
                   found, "seal": how whole tables look from outside (`relance.store.seal`)};
                   absent before the first run
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
        count = written(lambda: self._put(key, value, expected))
        # A commit whose answer was lost is tried again and finds its own work.
        if count != 1 and self.get(key) != value:
            msg = f"{key} was changed by another process at the same moment"
            raise RetryableError(msg)

    def replace(self, values: dict[str, dict[str, Any]]) -> None:
        """Write the values of keys that nobody else writes, in one commit."""
        written(lambda: self._merge(values, _upsert))

    def _put(self, key: str, value: dict[str, Any], expected: dict[str, Any] | None) -> int:
        if expected is None:
            return self._merge({key: value}, lambda merge: merge.when_not_matched_insert_all())
        same = "target.value = '{}'".format(_dump(expected).replace("'", "''"))
        return self._merge({key: value}, lambda merge: merge.when_matched_update_all(where=same))

    def _merge(self, values: dict[str, dict[str, Any]], how: Callable[[Any], Any]) -> int:
        import pyarrow as pa

        table = self._store.create(NAME, schemas.CATALOG)
        columns = {"key": list(values), "value": [_dump(each) for each in values.values()]}
        with store_errors(f"writing {' and '.join(values)} to {NAME}"):
            result = how(table.merge_insert("key")).execute(pa.table(columns, schema=schemas.CATALOG))
        if table.version % self._tidy_every == 0:
            with contextlib.suppress(Exception):  # somebody else's commit got in between; the next hundred will do
                table.optimize(cleanup_older_than=self._tidy_keeps)
        return result.num_inserted_rows + result.num_updated_rows

    def _raw(self, key: str) -> str | None:
        from lancedb.expr import col

        table = self.table
        if table is None:
            return None
        with store_errors(f"reading {NAME}"):
            rows = table.search().where(col("key") == key).limit(1).to_list()
        return rows[0]["value"] if rows else None


def _upsert(merge: Any) -> Any:
    return merge.when_matched_update_all().when_not_matched_insert_all()


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
