"""One run of the log, as its readers see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

__all__ = ["RunSummary"]


@dataclass(slots=True, frozen=True)
class RunSummary:
    """A run that has ended.

    Attributes:
        status: completed | completed with failures | stopped | failed | rolled back | maintained | switched |
            switched back.
        part: whether it was over the texts of the index or over its media.
        table: table that it wrote, and the version it left.
        report: what it counted: of an ingestion the values of `Report`, as `added`, `tokens`, `cost_usd`, `notes`.
    """

    run_id: str
    status: str
    part: Literal["text", "media"]
    started_at: datetime
    ended_at: datetime
    table: str
    table_version: int
    report: dict[str, Any]

    @classmethod
    def of(cls, row: dict[str, Any], *, media: bool = False) -> RunSummary:
        """Make one of a row of the log."""
        return cls(row["run_id"], row["status"], "media" if media else "text", row["started_at"], row["ended_at"],
                   row["table"], row["chunks_version"], row["report"])  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, those of the report among them."""
        times = {name: getattr(self, name).isoformat(timespec="seconds") for name in ("started_at", "ended_at")}
        return {**self.report, **times, "run_id": self.run_id, "status": self.status, "table": self.table,
                "table_version": self.table_version}  # fmt: skip
