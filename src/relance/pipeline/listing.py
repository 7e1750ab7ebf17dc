"""Discovery in a thread of its own: what it finds is handed out while the sources are still listed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.pipeline.discovery import Discovery
    from relance.pipeline.parts import Part
    from relance.pipeline.report import Report
    from relance.pipeline.runtime import Runtime
    from relance.store.index_tables import IndexTables

__all__ = ["Listing"]


class Listing:
    """The one comparison of the sources with the manifest that a run makes.

    Attributes:
        versions: of the index's tables when it was begun: a run that finds others has to look again.
    """

    def __init__(self, runtime: Runtime, tables: IndexTables, report: Report, part: Part, *, only: frozenset[str],
                 stopped: Callable[[], bool], scale: int = 1) -> None:  # fmt: skip
        self.versions = tables.versions
        self._report = report
        self.discovery = part.discovery(
            sources=runtime.sources, snapshot=tables.manifest.snapshot(), manifest=tables.manifest,
            fingerprint=runtime.fingerprints.of, only=only, full=runtime.full,
            spared=runtime.fingerprints.spared, stopped=stopped,
            batch_items=min(part.batch_items, runtime.spec.limits.batch_documents) * scale,
            batch_bytes=part.batch_bytes * (1 if part.media else scale),
        )  # fmt: skip
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._list,), name="relance-listing", daemon=True
        )
        self._thread.start()

    @property
    def total(self) -> int:
        """The number of batches; 0 while the sources are still listed."""
        return self.discovery.spooled if self._ended else 0

    @property
    def candidates(self) -> int:
        """Documents that are new or may have changed, found so far."""
        return self.discovery.candidates

    def batches(self) -> Iterator[pa.Table]:
        """Stream the items that are new or may have changed, from the first; raises what listing raised."""
        return self.discovery.batches()

    def first(self) -> int:
        """Wait until a batch is found or there is none; returns the number of batches found so far."""
        next(self.batches(), None)
        return self.discovery.spooled

    def whole(self) -> Discovery:
        """Wait until the sources are listed; raises what listing raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.discovery

    def close(self) -> None:
        """End the listing, and drop what it found."""
        self.discovery.close()
        self._thread.join()

    def _list(self) -> None:
        with self._report.stage("discover"):
            try:
                self.discovery.run()
            except BaseException as error:  # raised to whoever looks at what was found
                self._error = error
                return
            self._ended = True
        self._report.add("unchanged", self.discovery.unchanged)
        self._report.ignored = self.discovery.ignored.as_dict()
        for failure in self.discovery.failures:
            self._report.fail(failure)
