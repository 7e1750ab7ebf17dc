"""The gate: old and new tables answer the same questions, and only what is good enough passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relance.counted import counted
from relance.evaluation import Comparison, compare, evaluate, read_dataset
from relance.evaluation.measures import title_of
from relance.index import Index
from relance.search.searcher import Searcher
from relance.store.principals import OWNER
from relance.store.serving import ServingTables

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.config.gate import GateSpec

__all__ = ["Verdict", "check_questions", "judge"]

OLD, NEW = "in use", "new"


@dataclass(slots=True, frozen=True)
class Verdict:
    """Whether the new tables are good enough, in a sentence, and the comparison that says so."""

    holds: bool
    told: str
    comparison: Comparison

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"holds": self.holds, "told": self.told, **self.comparison.as_dict()}


def check_questions(spec: IndexSpec) -> None:
    """Read the golden queries before anything is built; ConfigurationError where that cannot be done."""
    if spec.gate is not None:
        read_dataset(spec.path(spec.gate.queries))


def judge(spec: IndexSpec, gate: GateSpec, old: Mapping[bool, str], new: Mapping[bool, str]) -> Verdict:
    """Ask both systems the golden queries and compare them.

    Args:
        spec: the index.
        gate: its section.
        old: names of the tables that serve: of the texts (False) and of the media (True).
        new: names of those that would.
    """
    questions = read_dataset(spec.path(gate.queries))
    systems = [
        replace(evaluate(_over(spec, names), *questions, mode=gate.mode, k=gate.k), label=label)
        for names, label in ((old, OLD), (new, NEW))
    ]
    found = compare(systems, measure=gate.measure, baseline=OLD)
    difference = found.with_reference(NEW)
    change, p = (difference.mean, difference.p) if difference is not None else (0.0, 1.0)
    before, after = (getattr(each, gate.measure) for each in found.systems)
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    by_chance = gate.significance is not None and p >= gate.significance
    asked = counted(systems[0].queries, "question")
    told = f"{title_of(gate.measure, gate.k)} {after:.3f} instead of {before:.3f} over {asked}"
    if change >= -gate.tolerance:
        return Verdict(True, f"{told}, within gate.tolerance {gate.tolerance:g}", found)
    if by_chance:
        told = f"{told}, which may be chance ({chance}, gate.significance is {gate.significance:g})"
        return Verdict(True, told, found)
    return Verdict(False, f"{told}, and gate.tolerance is {gate.tolerance:g} ({chance})", found)


def _over(spec: IndexSpec, names: Mapping[bool, str]) -> Index:
    """Return the index as it would be if these tables served it."""

    class Candidate(Index):
        def __init__(self, spec: IndexSpec) -> None:
            super().__init__(spec)
            self._serving = ServingTables(self.spec, self._store, names)
            self._searcher = Searcher(self.spec, self._store, self._serving)

    return Candidate(spec).for_principals(OWNER)
