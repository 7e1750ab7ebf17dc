"""Spans: what took how long inside of what."""

from __future__ import annotations

import functools
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from relance.errors import RelanceError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["blame", "carry", "current", "span"]

Value = str | int | float


@contextmanager
def span(name: str, labels: Mapping[str, Value], *, carried: Mapping[str, str] | None = None,
         client: bool = False) -> Generator[Span]:  # fmt: skip
    """Open a span for the length of the block, inside the thread's current one or else the one that is `carried`.

    An error that leaves the block is the span's outcome.
    """
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    # In a thread of ours there is none; in one of Prefect's there is its own span of the task.
    context = None if current().get_span_context().is_valid or not carried else extract(carried)
    kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
    with _tracer().start_as_current_span(
        name, context, kind, labels, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            blame(opened, error)
            raise


def carry() -> dict[str, str]:
    """Write down the current span, for threads and processes that go on inside it."""
    from opentelemetry.propagate import inject

    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier


def current() -> Span:
    """Return the span this thread or coroutine is in; an invalid one if it is in none."""
    from opentelemetry.trace import get_current_span

    return get_current_span()


def blame(opened: Span, error: BaseException) -> None:
    """Let a span say what it failed for: our own messages are meant to be read, others may quote a secret."""
    from opentelemetry.trace import StatusCode

    opened.set_attribute("error.type", type(error).__name__)
    opened.set_status(StatusCode.ERROR, str(error)[:300] if isinstance(error, RelanceError) else None)


@functools.cache
def _tracer() -> Tracer:
    from opentelemetry.trace import get_tracer

    return get_tracer("relance", version("relance"))
