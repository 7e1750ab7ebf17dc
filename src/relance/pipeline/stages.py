"""The stages: plain functions from one batch to the next, the same in any thread, process or machine.

What a stage needs beside its batch is the process's runtime of the run, opened once by its context; what it counted
returns with the batch. Running a stage again on the same batch is harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from relance.pipeline import vectors
from relance.pipeline.parts import PARTS
from relance.pipeline.runtime import runtime_of
from relance.pipeline.sent_error import sent
from relance.telemetry.spans import span

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch
    from relance.pipeline.context import Context
    from relance.pipeline.grant import Grant
    from relance.pipeline.runtime import Runtime

__all__ = ["chunk", "embed", "load"]


def load(context: Context, batch: Batch) -> Batch:
    """Read and parse the items of a batch that really changed."""
    return _measured("load", context, lambda runtime: PARTS[context.part].load(runtime, batch, guess=context.guess))


def chunk(context: Context, batch: Batch) -> Batch:
    """Split the documents of a batch into chunks."""
    return _measured("chunk", context, lambda runtime: PARTS[context.part].chunk(runtime, batch))


def embed(context: Context, batch: Batch, grant: Grant) -> Batch:
    """Find or buy the vectors of a batch that its grant names; what a failed try has bought is not bought again."""
    return _measured("embed", context, lambda runtime: vectors.embed(runtime, PARTS[context.part], batch, grant))


def _measured(name: str, context: Context, work: Callable[[Runtime], Batch]) -> Batch:
    try:
        runtime = runtime_of(context)
    except Exception as error:  # only where it is opened: in another process
        raise sent(error, {}) from None
    began, labels = time.perf_counter(), {"index": context.spec.name, "part": context.part}
    try:
        with span(name, labels, carried=context.trace):
            made = work(runtime)
    except Exception as error:
        if runtime.meter is not None:
            raise
        raise sent(error, runtime.ledger.take()) from None
    finally:
        runtime.ledger.add(**{f"seconds.{name}": time.perf_counter() - began})
    amounts = {**made.counts.amounts, **runtime.ledger.take()}
    made.counts = replace(made.counts, amounts=amounts)
    return made
