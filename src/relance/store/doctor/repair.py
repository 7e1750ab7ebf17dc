"""Repairing what was found, and looking again: what is repaired is what is not found any more."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from relance.store.doctor.cause import cause_of
from relance.store.doctor.examination import Examination
from relance.store.doctor.examine import examine
from relance.store.doctor.finding import Finding, State
from relance.store.doctor.patient import Patient
from relance.store.index_tables import part_name
from relance.store.lock import hold

__all__ = ["repair"]

# A table that can be read again shows what else is wrong, so there are several rounds; the longest chain known is four:
# the catalog, the chunks, documents of them, their vectors.
_ROUNDS = 6
_FAILED = "failed: "
# What has to be over before documents are compared.
_FIRST = {"table-unreadable", "file-hurt", "version-hurt", "column-missing", "column-added", "column-type",
          "row-foreign", "catalog-bad", "alias-dangling", "alias-missing", "run-unreadable",
          "cache-bad", "journal-hurt"}  # fmt: skip


def repair(patient: Patient, *, wait_s: float = 0.0) -> Examination:
    """Repair what can be repaired, holding the index; raises IndexBusyError if a run has it after `wait_s` seconds."""
    began = time.perf_counter()
    if not patient.store.exists:
        return examine(patient)
    with contextlib.ExitStack() as locks:
        names = [part_name(patient.spec.name, media=part == "media") for part in patient.parts]
        checks = [locks.enter_context(hold(patient.store, name, wait_s=wait_s)) for name in names]
        found: dict[tuple[str, str], Finding] = {}
        exam = examine(patient, held=True)
        for _ in range(_ROUNDS):
            found |= {each.key: each for each in exam.findings if each.key not in found}
            todo = [each for each in exam.findings if each.fix is not None and not found[each.key].done]
            todo = [each for each in todo if each.code in _FIRST] or todo
            if not todo:
                break
            # What a vector is of is not known any more of a document that is marked: vectors are copied back before.
            for each in sorted(todo, key=lambda each: each.marks):
                for check in checks:
                    check()
                found[each.key].done = _treat(each)
            exam = examine(patient, held=True)
    return _summary(found, exam, round(time.perf_counter() - began, 3))


def _treat(finding: Finding) -> str:
    assert finding.fix is not None  # noqa: S101  # who has none is not treated
    try:
        return finding.fix() or "tried, and nothing could be done"
    except Exception as error:  # the other findings are repaired all the same
        return f"{_FAILED}{cause_of(error)}"


def _summary(found: dict[tuple[str, str], Finding], exam: Examination, seconds: float) -> Examination:
    """Put together what was found at first and what is left."""
    left = {each.key for each in exam.findings}
    last = [each for each in exam.findings if each.key not in found]
    findings = [replace(each, state=_state(each, left=each.key in left)) for each in [*found.values(), *last]]
    return replace(exam, findings=findings, repaired=True, seconds=seconds)


def _state(finding: Finding, *, left: bool) -> State:
    if finding.done.startswith(_FAILED):
        return "left"
    if finding.waits or (finding.marks and finding.done):
        return "waiting"
    if not left:
        return "repaired"
    return "found" if finding.level == "note" else "left"
