"""What was looked at, and what was found; a check that fails is a finding itself."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from relance.store.doctor.cause import cause_of
from relance.store.doctor.finding import Finding

__all__ = ["SCHEMA_VERSION", "Examination"]

SCHEMA_VERSION = 1


@dataclass(slots=True)
class Examination:
    """The result of looking at an index, and of repairing it.

    Attributes:
        tables, files, rows, search_indexes, versions: that were read; files are the data files of newest versions.
        cache_entries: vectors of the embedding cache that were read.
        busy: whether a run was writing meanwhile; then documents were not compared with the manifest.
        repaired: whether this was a repair.
        waiting: documents that the next run writes again.
        notes: sentences about the check itself.
    """

    index: str
    tables: int = 0
    files: int = 0
    rows: int = 0
    search_indexes: int = 0
    versions: int = 0
    cache_entries: int = 0
    busy: bool = False
    repaired: bool = False
    waiting: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong, or all that was is repaired or left to the next run."""
        over = {"repaired", "waiting"} if self.repaired else set()
        return all(each.level == "note" or each.state in over for each in self.findings)

    def find(self, finding: Finding) -> None:
        """Take a finding."""
        self.findings.append(finding)

    @contextlib.contextmanager
    def checking(self, where: str, part: str = "") -> Generator[None]:
        """Turn an error of a check into a finding, so that the other checks go on."""
        try:
            yield
        except Exception as error:
            self.find(Finding(
                code="check-failed", where=where, part=part, what=f"it could not be checked: {cause_of(error)}",
                remedy="nothing; if the other findings do not explain it, report it with this line",
            ))  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        states = ("found", "repaired", "waiting", "left")
        counts = {state: sum(each.state == state for each in self.findings) for state in states}
        names = ("index", "tables", "files", "rows", "search_indexes", "versions", "cache_entries", "busy", "repaired",
                 "waiting", "seconds", "notes")  # fmt: skip
        return {
            "schema_version": SCHEMA_VERSION,
            "healthy": self.healthy,
            **{name: getattr(self, name) for name in names},
            "counts": counts,
            "findings": [each.as_dict() for each in self.findings],
        }
