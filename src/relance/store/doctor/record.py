"""What the latest look at an index found, in the catalog: for the metrics, which are read from the store."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from relance.errors import RetryableError
from relance.store import Store
from relance.store.catalog import Catalog
from relance.store.doctor.examination import Examination

__all__ = ["remember"]

_TRIES = 5


def remember(store: Store, exam: Examination) -> None:
    """Note what was found; where others keep changing the entry at the same moment, theirs stays."""
    catalog, key = Catalog(store), f"doctor/{exam.index}"
    open_findings = [each for each in exam.findings if each.state not in {"repaired", "waiting"}]
    notes = sum(each.level == "note" for each in open_findings)
    value = {"errors": len(open_findings) - notes, "notes": notes, "at": datetime.now(UTC).timestamp()}
    for _ in range(_TRIES):
        with contextlib.suppress(RetryableError):
            catalog.put(key, value, expected=catalog.get(key))
            return
