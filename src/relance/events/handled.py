"""Which change events an index has taken in; kept in the store, beside what they changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from relance.store import Store
from relance.store.catalog import Catalog
from relance.store.runs import Runs

__all__ = ["Handled"]

# Clocks of producers and server differ, and events arrive out of order: so far back events are told apart by their ids.
OVERLAP = timedelta(minutes=2)
# Before the first event there is nothing to remember; a server keeps events for seven days.
HORIZON = timedelta(days=7)


class Handled:
    """Remembers the events of one index, for as long as they could be asked for again.

    A run over all documents takes in every change before its start, so what is older than the last one is handled.
    """

    def __init__(self, store: Store, index: str) -> None:
        self._catalog = Catalog(store)
        self._key = f"changes/{index}"
        self._runs = Runs(store, index)

    def since(self) -> datetime:
        """Return the moment (UTC) from which events have to be looked at."""
        known = self._catalog.get(self._key) or {}
        moments = [datetime.fromisoformat(known["until"])] if known else []
        moments += [run["started_at"].astimezone(UTC) for run in self._runs.latest(20) if _took_in_all(run)][:1]
        latest = max(moments, default=datetime.now(UTC) - HORIZON)
        return latest - OVERLAP

    def new(self, events: Mapping[str, datetime]) -> set[str]:
        """Return which of these events (id and moment) have not been taken in."""
        known = (self._catalog.get(self._key) or {}).get("events", {})
        return set(events) - set(known)

    def add(self, events: Mapping[str, datetime]) -> None:
        """Remember that these events have been taken in. RetryableError if another run does so at the same moment."""
        if not events:
            return
        before = self._catalog.get(self._key)
        known = {key: datetime.fromisoformat(at) for key, at in (before or {}).get("events", {}).items()} | dict(events)
        until = max(known.values())
        kept = {key: at.isoformat() for key, at in known.items() if at >= until - 2 * OVERLAP}
        self._catalog.put(self._key, {"until": until.isoformat(), "events": kept}, expected=before)


def _took_in_all(run: Mapping[str, object]) -> bool:
    report = run["report"]
    return run["status"] in {"completed", "completed with failures"} and not (
        isinstance(report, Mapping) and report.get("partial")
    )
