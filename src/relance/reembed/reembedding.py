"""Building an index anew beside the tables in use, until it has all that they have and is good enough."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Self

from relance.config import IndexSpec, fingerprint
from relance.counted import counted
from relance.errors import ConfigurationError
from relance.pipeline.engines.choice import open_engine
from relance.pipeline.parts import STORED
from relance.pipeline.report import Report, combine
from relance.pipeline.run import Run
from relance.pipeline.run_handle import RunHandle, current_handle
from relance.pipeline.target import beside_targets
from relance.reembed.gate import Verdict, check_questions, judge
from relance.reembed.outcome import Outcome, Status
from relance.reembed.switching import at_rest, switch_to
from relance.store import open_store
from relance.store.beside import Beside
from relance.store.index_tables import IndexTables
from relance.store.lock import hold
from relance.store.shared_tables import mend_shared

if TYPE_CHECKING:
    from relance.pipeline.engines import Engine
    from relance.pipeline.plan import Plan

__all__ = ["Reembedding", "check_gate", "is_due", "plan", "reembed"]

# An index that changes faster than it is caught up with gets the rest while other runs are kept away.
_ROUNDS = 10
# At the end an ingest that is at work is waited for: all is built by then.
_SWITCH_WAIT_S = 3600.0


class Reembedding:
    """A context manager: entered, it says that new tables are being built, so that ingests keep the old ones in sync.

    Killed, it is continued by the next one: what is in the new tables stays, and what was bought is in the cache.

    Attributes:
        targets: what is to be built; empty where the index is as its spec says.
        has_news: whether the new tables lack something that was there when they were last looked at.
    """

    def __init__(self, spec: IndexSpec, *, approved: bool = False, wait_s: float = 0.0,
                 handle: RunHandle | None = None) -> None:  # fmt: skip
        self.spec, self.handle = spec, handle or current_handle.get() or RunHandle()
        self.reports: list[Report] = []
        self._mended: list[str] = []
        self._approved, self._wait_s = approved, wait_s
        self._store = open_store(spec)
        self._began = time.perf_counter()
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        check_questions(self.spec)
        with contextlib.ExitStack() as exits:
            exits.enter_context(hold(self._store, f"{self.spec.name}/reembed", wait_s=self._wait_s))
            self._mended = mend_shared(self._store)  # what is to be built is read from the catalog
            self.targets = beside_targets(self.spec, self._store)
            self._announce()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    @property
    def has_news(self) -> bool:
        """Whether the new tables may lack something; asked before each round."""
        if not self.reports:
            return bool(self.targets)
        last = self.reports[-1]
        both = [last, *([last.media] if last.media else [])]
        changed = sum(each.added + each.changed + each.removed for each in both)
        return bool(changed) and last.status != "stopped" and len(self.reports) < _ROUNDS

    def round(self, engine: Engine | None = None) -> Run:
        """Open a run over what the new tables lack; `engine` executes it instead of the spec's."""
        spent = sum(report.cost_usd + (report.media.cost_usd if report.media else 0.0) for report in self.reports)
        return Run(
            _with_rest(self.spec, spent), approved=self._approved or bool(self.reports),
            engine=engine or open_engine(self.spec), handle=self.handle, targets=beside_targets,
        )  # fmt: skip

    def count(self, run: Run) -> None:
        """Take in what a round did."""
        report = combine([part.report for part in run.parts])
        report.notes[:0] = self._mended
        self._mended = []
        self.reports.append(report)

    def judge(self) -> Verdict | None:
        """Compare old and new on the golden queries; None where the spec has no gate, or the new ones are not whole."""
        if self.spec.gate is None or not self.targets or not self._is_whole:
            return None
        old = {media: serving.name for media in (False, True)
               if (serving := IndexTables.serving(self._store, self.spec.name, media=media)) is not None}  # fmt: skip
        new = old | {target.part.media: target.tables.name for target in self.targets}
        return judge(self.spec, self.spec.gate, old, new)

    def settle(self, verdict: Verdict | None, *, regardless: bool = False) -> Outcome:
        """Switch to the new tables if they are whole and good enough; else they wait.

        The last changes are taken in while ingests are kept away, so that nothing is missing at the switch.

        Args:
            verdict: of the gate.
            regardless: switch whatever it says.
        """
        if not self.targets:
            return self._outcome("up to date", "model and splitting are as the spec says; nothing was built")
        if self.reports and self.reports[-1].status == "stopped":
            return self._outcome("stopped", "stopped before the end; run again to continue")
        if not self._is_whole:
            return self._incomplete()
        if verdict is not None and not verdict.holds and not regardless:
            self._note("held", verdict.told)
            told = f"held back: {verdict.told}. `relance reembed SPEC --switch` uses it all the same"
            return self._outcome("held back", told, verdict)
        with at_rest(self.spec, self._store, wait_s=max(self._wait_s, _SWITCH_WAIT_S)):
            began = time.perf_counter()
            with self.round() as run:
                run.execute()
                self.count(run)
            if not self._is_whole:
                return self._incomplete(verdict)
            copied = {target.tables.index for target in self.targets if target.part is STORED}
            built = [target.tables for target in self.targets]
            before = switch_to(self._store, built, rules=_rules(self.spec), copied=copied)
            took = time.perf_counter() - began
        outcome = self._outcome("switched", verdict.told if verdict else "switched without a comparison", verdict)
        outcome.beside, outcome.switch_s = before, took
        return outcome

    # -- details -----------------------------------------------------------------------------------------------

    @property
    def _is_whole(self) -> bool:
        """Whether all there was to be taken in is in the new tables, but for what no other run would get."""
        last = self.reports[-1]
        failures = [*last.failures, *(last.media.failures if last.media else [])]
        return last.status != "stopped" and not any(failure.retryable for failure in failures)

    def _announce(self) -> None:
        """Note what is being built, at a moment when no ingest is writing the same tables."""
        notes = [Beside.of(self._store, target.tables.index) for target in self.targets]
        known = all(note is not None and note.waits and note.table == target.tables.name
                    for note, target in zip(notes, self.targets, strict=True))  # fmt: skip
        if not known:
            with at_rest(self.spec, self._store, wait_s=self._wait_s):
                self._note("building")

    def _note(self, state: str, reason: str = "") -> None:
        for target in self.targets:
            serving = IndexTables.serving(self._store, self.spec.name, media=target.part.media)
            # Named before the switch: one that is killed right after it can be undone, too.
            previous = serving.name if serving is not None else ""
            note = Beside(
                target.tables.name, "held" if state == "held" else "building", reason, _rules(self.spec), previous
            )
            note.put(self._store, target.tables.index)

    def _incomplete(self, verdict: Verdict | None = None) -> Outcome:
        failed = self.reports[-1].failed
        told = f"{counted(failed, 'document')} could not be embedded yet; readers stay with the old tables, run again"
        return self._outcome("incomplete", told, verdict)

    def _outcome(self, status: Status, told: str, verdict: Verdict | None = None) -> Outcome:
        serving = IndexTables.serving(self._store, self.spec.name)
        names = [target.tables.name for target in self.targets]
        return Outcome(
            self.spec.name, status, told, table=serving.name if serving else "",
            beside=next((name for name in names if serving is None or name != serving.name), ""), verdict=verdict,
            reports=[report.as_dict() for report in self.reports], seconds=time.perf_counter() - self._began,
        )  # fmt: skip


def reembed(spec: IndexSpec, *, approved: bool = False, regardless: bool = False, wait_s: float = 0.0,
            handle: RunHandle | None = None) -> Outcome:  # fmt: skip
    """Build the index anew by the model and splitting of its spec, beside the tables in use, and switch to it.

    Readers and ingests go on meanwhile; a run that is killed is continued by the next one.

    Args:
        spec: the declaration, which names the new model, or the new way to split.
        approved: a person has agreed to what it costs and removes, and to switching where the spec has no gate.
        regardless: switch whatever the gate says.
        wait_s: seconds to wait for a run on this index, before IndexBusyError.
        handle: a way to watch it, to stop it, and to approve it.

    Raises ConfigurationError where nothing says whether the new tables are good enough: no gate, and not approved.
    """
    check_gate(spec, given=approved or regardless)
    with Reembedding(spec, approved=approved, wait_s=wait_s, handle=handle) as work:
        while work.has_news:
            with work.round() as run:
                run.approve()
                run.execute()
                work.count(run)
        return work.settle(None if regardless else work.judge(), regardless=regardless)


def plan(spec: IndexSpec, *, handle: RunHandle | None = None) -> Plan | None:
    """Tell what building anew would cost; None where the index is as its spec says. Writes nothing."""
    store = open_store(spec)
    if not beside_targets(spec, store):
        return None
    with Run(spec, read_only=True, handle=handle, targets=beside_targets) as run:
        return run.plan()


def is_due(spec: IndexSpec) -> bool:
    """Tell whether an index with a gate has to be built anew, and no person has to decide on it first."""
    if spec.gate is None:
        return False
    store = open_store(spec)
    waiting = [Beside.of(store, target.tables.index) for target in beside_targets(spec, store)]
    return any(note is None or note.state != "held" or note.rules not in {"", _rules(spec)} for note in waiting)


def check_gate(spec: IndexSpec, *, given: bool) -> None:
    """Raise ConfigurationError where neither golden queries nor a person say that readers may get the new tables."""
    if spec.gate is None and not given:
        msg = (
            f"index {spec.name!r} has no golden queries to compare old and new by; add `gate: {{queries: golden.yaml}}`"
            " to its spec, or switch without a comparison: `relance reembed SPEC --yes`"
        )
        raise ConfigurationError(msg)


def _rules(spec: IndexSpec) -> str:
    """Name model, splitting and parsers."""
    parsers = {name: section.model_dump(mode="json") for name, section in spec.parsers.items()}
    sections = [spec.embedding, *([spec.media.embedding] if spec.media is not None else [])]
    models = [{name: getattr(each, name) for name in ("dimension", *each.decisive)} for each in sections]
    return fingerprint(spec.chunking, parsers, models)


def _with_rest(spec: IndexSpec, spent: float) -> IndexSpec:
    """Return the spec with what is left of its budget."""
    most = spec.limits.max_cost_usd
    if most is None or not spent:
        return spec
    left = spec.limits.model_copy(update={"max_cost_usd": max(0.0, most - spent)})
    return spec.model_copy(update={"limits": left})
