"""The table of deliveries: a restart or a second receiver knows from it what was taken already."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa

from relance.events.delivery import State
from relance.store.conflicts import written
from relance.store.connection import Store
from relance.store.faults import store_errors
from relance.store.mending import mend
from relance.store.schemas import in_lists, key

__all__ = ["NAME", "DeliveryTable"]

log = logging.getLogger(__name__)

NAME = "relance__deliveries"
_SCHEMA = pa.schema(
    [key("delivery"), pa.field("holder", pa.string()), pa.field("expires", pa.int64()), pa.field("taken", pa.bool_())]
)
# Each commit is a version; see `store/catalog.py`.
_TIDY_EVERY, _TIDY_KEEPS = 100, timedelta(minutes=10)
# A receiver that was killed between claim and answer holds a delivery for so long; then its sender may try again.
_LAPSE_S = 60


class DeliveryTable:
    """The table of a store; `clock` gives the time in seconds since 1970.

    Of several receivers that claim a delivery at the same moment one gets it: the key is the table's primary key, and
    racing commits conflict. Every call raises RelanceError where the store fails.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock

    def prepare(self) -> None:
        """Open the table, or make it: the first delivery should not wait for LanceDB to be loaded.

        A table that is torn goes back to what can be read, or is begun anew; the signed time of a delivery protects
        from old ones all the same.
        """
        with store_errors(f"opening the deliveries in {NAME}"):
            if (mended := mend(self._store, NAME)) is not None:
                log.warning("%s", mended.sentence)
            self._table.count_rows()

    def claim(self, deliveries: Iterable[str]) -> dict[str, State]:
        """Claim deliveries for a minute, each that is not taken or claimed already."""
        names, holder, now = list(dict.fromkeys(deliveries)), uuid4().hex, int(self._clock())
        rows = pa.table({"delivery": names, "holder": [holder] * len(names), "expires": [now + _LAPSE_S] * len(names),
                         "taken": [False] * len(names)}, schema=_SCHEMA)  # fmt: skip
        self._merge(rows, f"target.expires <= {now}")
        found = {row["delivery"]: row for row in self._rows(names)}
        states = {}
        for name in names:
            row = found.get(name) or {"holder": "", "taken": False}
            states[name] = State.CLAIMED if row["holder"] == holder else State.UNDER_WAY
            states[name] = State.TAKEN if row["taken"] else states[name]
        return states

    def confirm(self, deliveries: Mapping[str, float]) -> None:
        """Remember deliveries as taken, each until a moment (seconds since 1970)."""
        self._merge(pa.table({"delivery": list(deliveries), "holder": [""] * len(deliveries),
                              "expires": [int(until) + 1 for until in deliveries.values()],
                              "taken": [True] * len(deliveries)}, schema=_SCHEMA), None)  # fmt: skip

    def release(self, deliveries: Iterable[str]) -> None:
        """Forget deliveries: their senders may try again."""
        for condition in in_lists("delivery", list(deliveries)):
            with store_errors(f"forgetting deliveries in {NAME}"):
                self._table.delete(condition)

    @property
    def _table(self) -> Any:
        return self._store.create(NAME, _SCHEMA)

    def _rows(self, names: list[str]) -> list[dict[str, Any]]:
        with store_errors(f"reading the deliveries in {NAME}"):
            table = self._table
            return [row for condition in in_lists("delivery", names)
                    for row in table.search().where(condition).limit(None).to_list()]  # fmt: skip

    def _write(self, rows: pa.Table, where: str | None) -> Any:
        with store_errors(f"remembering deliveries in {NAME}"):
            table = self._table
            merge = table.merge_insert("delivery").when_matched_update_all(where=where)
            merge.when_not_matched_insert_all().execute(rows)
        return table

    def _merge(self, rows: pa.Table, where: str | None) -> None:
        table = written(lambda: self._write(rows, where))
        if table.version % _TIDY_EVERY == 0:
            with contextlib.suppress(Exception):  # somebody else's commit got in between; the next hundred will do
                table.delete(f"expires <= {int(self._clock())}")
                table.optimize(cleanup_older_than=_TIDY_KEEPS)
