"""What has been asked of the emulator, counted."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

from relance_emulator.wire import Billing, Call

__all__ = ["Stats"]


class Stats:
    """Counters since the start or the last reset.

    A text counts as embedded when an answer with its vector is handed to an open connection; the same text in the same
    role for the same model once more is a duplicate, however the client comes to ask for it.
    """

    def __init__(self, record: int) -> None:
        self._record = record
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Count from nothing; calls in flight stay so."""
        self._figures: Counter[str] = Counter()
        self._status: Counter[str] = Counter()
        self._paths: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._seen: set[tuple[str, int]] = set()
        self._peak = self.in_flight
        self._first: float | None = None
        self._last: float | None = None
        self.requests: deque[dict[str, Any]] = deque(maxlen=self._record)

    def begin(self, call: Call) -> None:
        """Count a call that has come in."""
        self._last = time.time()
        self._first = self._first or self._last
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        self._figures["requests"] += 1
        self._paths[call.path] += 1
        if self._record:
            # The key may be a real one, so it is not kept.
            headers = {name: value for name, value in call.headers.items() if name != "x-dashscope-apikey"}
            if "authorization" in headers:
                headers["authorization"] = headers["authorization"].partition(" ")[0] + " ***"
            body = call.body.decode("utf-8", "replace")
            form = {name: value if isinstance(value, str) else value.filename for name, value in call.form.items()}
            self.requests.append(
                {
                    "method": call.method,
                    "path": call.path,
                    "query": dict(call.query),
                    "headers": headers,
                    "body": body,
                    "form": form,
                }
            )

    def end(self, status: int | None) -> None:
        """Count how a call ended; None is: without an answer."""
        self.in_flight -= 1
        self._last = time.time()
        self._status[str(status) if status else "none"] += 1
        if status == 429:
            self._figures["rejected"] += 1

    def delivered(self, billing: Billing) -> None:
        """Count what a delivered answer holds."""
        before = len(self._seen)
        self._seen.update((billing.model, key) for key in billing.keys)
        self._figures["texts"] += len(billing.keys)
        self._figures["duplicates"] += len(billing.keys) - (len(self._seen) - before)
        self._figures["tokens"] += billing.tokens
        self._tokens[billing.model] += billing.tokens

    def report(self) -> dict[str, Any]:
        """Return all figures; times are Unix times of the first request and of the last request or answer."""
        names = ("requests", "texts", "tokens", "duplicates", "rejected")
        return {
            **{name: self._figures[name] for name in names},
            "in_flight": self.in_flight,
            "peak_in_flight": self._peak,
            "by_status": dict(self._status),
            "by_path": dict(self._paths),
            "tokens_by_model": dict(self._tokens),
            "first_request": self._first,
            "last_request": self._last,
        }
