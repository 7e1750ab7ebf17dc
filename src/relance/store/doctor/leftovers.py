"""What killed runs and earlier models have left, and nothing uses any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from relance.counted import counted
from relance.store import Store
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.mending import ASIDE

__all__ = ["Leftovers", "check_leftovers"]

# Finds what is left (folders, or names of tables), and removes it.
Leftovers = tuple[Callable[[], Sequence[Path | str]], Callable[[], object]]


def check_leftovers(exam: Examination, store: Store, *, staging: Leftovers, tables: Leftovers) -> None:
    """Look for staging areas of runs that were killed, and for tables past the retention."""
    find, remove = staging
    if found := list(find()):
        exam.find(Finding(
            code="leftover-staging", where=str(found[0]), level="note",
            what=f"{counted(len(found), 'staging area')} left by runs that were killed",
            remedy="removes them, as the next run would",
            fix=lambda: _removed(remove, counted(len(found), "staging area")),
        ))  # fmt: skip
    aside = sorted((store.local / ASIDE).iterdir()) if store.local and (store.local / ASIDE).is_dir() else []
    if aside:
        exam.find(Finding(
            code="leftover-aside", where=str(aside[0].parent), level="note",
            what=f"what could not be read was set aside: {len(aside)} in all, the latest {aside[-1].name}",
            remedy="nothing; remove the folder when nobody wants to look at it any more",
        ))  # fmt: skip
    find, remove = tables
    if found := list(find()):
        exam.find(Finding(
            code="leftover-table", where=str(found[0]), level="note",
            what=f"{counted(len(found), 'table')} of earlier models past the retention: {', '.join(map(str, found))}",
            remedy="drops them, as `relance maintain` would",
            fix=lambda: _removed(remove, f"{len(found)} tables"),
        ))  # fmt: skip


def _removed(remove: Callable[[], object], what: str) -> str:
    remove()
    return f"removed {what}"
