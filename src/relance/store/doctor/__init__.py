"""Checking everything an index has in its store, and repairing what an ordinary run does not see."""

from __future__ import annotations

from relance.store.doctor.examination import SCHEMA_VERSION, Examination
from relance.store.doctor.examine import examine, unreachable
from relance.store.doctor.finding import CODES, Finding
from relance.store.doctor.patient import Patient
from relance.store.doctor.record import remember
from relance.store.doctor.repair import repair

__all__ = ["CODES", "SCHEMA_VERSION", "Examination", "Finding", "Patient", "counted", "examine", "remember", "repair",
           "unreachable"]  # fmt: skip
