"""What came of a reembedding, for the terminal, for Prefect and for JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from relance.reembed.gate import Verdict

__all__ = ["Outcome", "Status"]

Status = Literal["up to date", "switched", "held back", "incomplete", "stopped", "switched back"]


@dataclass(slots=True)
class Outcome:
    """What came of a reembedding.

    Attributes:
        status: up to date: there was nothing to build; held back: the new tables are whole, and a person has to decide;
            incomplete: documents are missing that the next run may get.
        told: one sentence: why, and what to do.
        table: that readers use now; `beside`: the other one, if there is one.
        verdict: of the gate, where it was asked.
        reports: of the runs that built the new tables and caught up with the old ones, first to last.
        switch_s: seconds that other runs were kept away for the switch, the last catching up included.
    """

    index: str
    status: Status
    told: str
    table: str = ""
    beside: str = ""
    verdict: Verdict | None = None
    reports: list[dict[str, Any]] = field(default_factory=list)
    switch_s: float = 0.0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        total = {name: sum(report.get(name, 0) for report in self.reports)
                 for name in ("chunks", "embedded", "reused", "tokens", "requests", "cost_usd", "failed")}  # fmt: skip
        return {
            "index": self.index, "status": self.status, "told": self.told, "table": self.table, "beside": self.beside,
            "gate": None if self.verdict is None else self.verdict.as_dict(), "total": total,
            "switch_s": round(self.switch_s, 3), "seconds": round(self.seconds, 3), "reports": self.reports,
        }  # fmt: skip
