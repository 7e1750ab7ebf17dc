"""Runs of the process that watches or receives: what changes is in the index a moment later."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Self

from relance.cli.operations import operations
from relance.cli.terminal import Terminal
from relance.config import IndexSpec
from relance.embedding.providers import Provider, open_provider
from relance.errors import ApprovalNeededError, BudgetError, RelanceError, RetryableError, StoppedError
from relance.events.change import Change, merge
from relance.index import Index
from relance.pipeline.run_handle import RunHandle

__all__ = ["LiveRuns", "live_runs"]

log = logging.getLogger(__name__)

# Of a flow: it may wait for one that a schedule has started.
_WAIT_S = 3600.0


class LiveRuns:
    """Runs an index over its changes, one run after the other, and says in a line what became of each.

    Where a Prefect server is configured each is a run of the flow there, in this process; else nothing of Prefect's is
    imported. A context manager: what the runs need (model, event loop) stays open in between.
    """

    def __init__(self, path: Path, spec: IndexSpec, terminal: Terminal) -> None:
        self._path, self._spec, self._terminal = path, spec, terminal
        self._index = Index(spec)
        self._through_prefect = bool(operations("api").configured_api())
        self._left: Change | None = None  # of a run that failed
        self._handle = RunHandle()
        self._ended = False

    def __enter__(self) -> Self:
        self._exits = contextlib.ExitStack()
        self._exits.enter_context(self._index)
        warming = threading.Thread(target=self._warm, name="relance-warm", daemon=True)
        warming.start()
        self._exits.callback(warming.join)
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def take(self, change: Change) -> None:
        """Run over a change. Raises RetryableError for what may succeed later; other errors are only shown."""
        change = merge([self._left, change]) if self._left else change
        self._handle = RunHandle()
        if self._ended:  # looked at after the handle is there, since `end` stops the handle that it finds
            msg = "it has ended"
            raise RetryableError(msg)
        began = time.monotonic()
        try:
            report = self._run(change)
        except RetryableError as error:
            msg = f"{change.index}: the run does not get through ({_line(error)})"
            raise RetryableError(msg) from error
        except Exception as error:  # whatever it is, the next change may be another matter
            log.debug("the run over %s failed", change, exc_info=True)
            # The next run looks at it, too; what a person has to decide on would keep that from what is new.
            self._left = None if isinstance(error, ApprovalNeededError | BudgetError) else change
            self._terminal.problem(f"{change}: {_line(error)}")
            return
        self._left = None
        self._terminal.say(f"{change}: {_outcome(report)} in {time.monotonic() - began:.1f} s")
        waiting = [failure for part in _parts(report) for failure in part["failures"] if failure["retryable"]]
        if waiting:
            msg = f"{change.index}: the run does not get through for {waiting[0]['uri']} ({waiting[0]['reason']})"
            raise RetryableError(msg)

    def end(self) -> None:
        """Stop the run under way after its batches, and begin no other."""
        self._ended = True
        self._handle.stop.set()

    def _warm(self) -> None:
        """Load what every run needs, while the first change is waited for: without, it took a second longer."""
        with contextlib.suppress(Exception):  # a run meets it, too, and says so
            provider, text = open_provider(self._spec.embedding, self._spec.plugins), self._spec.name
            provider.tokenizer.count([text])
            if provider.info.local:  # else it would be a request
                asyncio.run(_load(provider, text))
            self._index.status()

    def _run(self, change: Change) -> dict[str, Any]:
        only = [] if change.everything else [*change.changed, *change.removed]
        if not self._through_prefect:
            return self._index.ingest(only=only, handle=self._handle).as_dict()
        parameters = {"index": str(self._path), "only": only, "approval": "refuse", "wait_s": _WAIT_S}
        report, _ = operations("launch").run_flow(parameters, self._handle)
        return report


@contextlib.contextmanager
def live_runs(declared: Mapping[Path, IndexSpec], terminal: Terminal) -> Generator[list[LiveRuns]]:
    """Open the runs of indexes, in their order, until the end of the block."""
    with contextlib.ExitStack() as exits:
        yield [exits.enter_context(LiveRuns(path, spec, terminal)) for path, spec in declared.items()]


async def _load(provider: Provider, text: str) -> None:
    await provider.embed([text], input_type="document")
    await provider.aclose()


def _parts(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [report, report["media"]] if report.get("media") else [report]


def _outcome(report: dict[str, Any]) -> str:
    """Say what a run has done: `1 added, 2 changed`."""
    counts = {name: sum(part[name] for part in _parts(report)) for name in ("added", "changed", "removed", "failed")}
    done = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing new"
    advice = " (relance failures says why)" if counts["failed"] else ""
    return done + advice + (", stopped before the end" if report["status"] == "stopped" else "")


def _line(error: Exception) -> str:
    if isinstance(error, StoppedError):
        return "stopped before the end"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, RelanceError) else f"{type(error).__name__}: {text}"
