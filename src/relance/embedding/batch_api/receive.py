"""Waiting for batches, and putting what they bring into the embedding store."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from relance.counted import counted
from relance.embedding.batch_api.context import FillContext
from relance.embedding.batch_api.endpoint import Endpoint
from relance.embedding.batch_api.files import Batch, BatchFiles
from relance.embedding.batch_api.lines import read_results
from relance.embedding.batch_api.orders import Order, Orders
from relance.embedding.budget import CostMeter
from relance.errors import ConfigurationError, RelanceError, RetryableError

__all__ = ["Receiver"]

log = logging.getLogger(__name__)

# So often in a row a batch may be unknown to the service before it is taken for another account's.
_MISSES = 5
# The service shows batches for 30 days (its page on listing them).
_FORGOTTEN_S = 30 * 24 * 3600


class Receiver:
    """Receives the batches of one run.

    Attributes:
        meter: what batches are paid from: the run's budget, by their own price.
        embedded: vectors that are in the store now and were not before.
        refused: keys that came back without a vector.
        tokens: as billed.
        cost_usd: of `tokens`.
    """

    def __init__(self, context: FillContext, endpoint: Endpoint, orders: Orders) -> None:
        self._context = context
        self._endpoint = endpoint
        self._orders = orders
        self._reasons: Counter[str] = Counter()
        # Batches are no part of a free quota (the vendor's page on the Batch API, March 2026).
        self.meter = CostMeter(replace(context.provider.info, price_per_million_tokens=endpoint.price), context.budget)
        self.embedded = self.tokens = 0
        self.cost_usd = 0.0
        self.refused: set[str] = set()

    def receive(
        self,
        orders: list[Order],
        files: BatchFiles,
        call: Callable[..., Any],
        *,
        reserved: bool,
        poll_s: tuple[float, float],
    ) -> None:
        """Look at the batches of orders until all have ended or the run is stopped, and merge each as it ends.

        Args:
            orders: with a batch each.
            files: the service.
            call: waits for what one of its methods returns.
            reserved: whether this run has ordered them, and set money aside for that. A batch that was not begun is
                then an error; of an earlier run's it is noted, and the texts are ordered again.
            poll_s: seconds between two looks, at first and at most.
        """
        stop = self._context.stop
        pause, most = poll_s
        expected = sum(order.lines for order in orders)
        done, misses = Counter[str](), Counter[str]()
        problems: list[RelanceError] = []
        while orders:
            for order in list(orders):
                if stop.is_set():
                    return
                batch: Batch | None = call(files.get, order.batch_id)
                if batch is None:
                    misses[order.id] += 1
                    if misses[order.id] == _MISSES:
                        self._leave(order)
                        orders.remove(order)
                    continue
                misses[order.id], done[order.id] = 0, batch.done
                if batch.status != order.status:
                    order.status = batch.status
                    self._orders.save(order)
                    log.info("%s is %s", batch.id, batch.status)
                if batch.ended:
                    self._merge(order, batch, files, call, reserved=order.tokens if reserved else 0)
                    orders.remove(order)
                    if batch.status == "failed":
                        problems.append(self._problem(batch))
            if orders:
                self._context.progress(f"batch ({done.total():,} of {counted(expected, 'text')})")
                if stop.wait(pause):
                    return
                pause = min(most, pause * 1.5)
        self._note_failures()
        if problems and reserved:
            raise problems[0]
        for problem in problems:
            self._context.note(str(problem))

    def _merge(self, order: Order, batch: Batch, files: BatchFiles, call: Callable[..., Any], *, reserved: int) -> None:
        """Put the vectors of a batch into the store, whatever it has ended as, and settle the bill."""
        context, embedded, billed, unbilled = self._context, 0, 0, 0
        for file_id in batch.results:
            with tempfile.TemporaryFile(prefix="relance-") as file:
                if not call(files.download, file_id, file):
                    context.note(f"{batch.id}: the service has lost results; those texts are embedded anew")
                    continue
                for results in read_results(file, context.provider.info):
                    # All of them are there already where a run was killed after `flush` and before `drop`.
                    fresh = np.flatnonzero(~context.vectors.contains(results.keys)).tolist()
                    if fresh:
                        context.vectors.put([results.keys[at] for at in fresh], results.vectors[fresh])
                        context.vectors.drain()
                    embedded += len(fresh)
                    billed += results.tokens
                    unbilled += results.unbilled
                    self.refused.update(results.failures)
                    self._reasons.update(results.failures.values())
        context.vectors.flush()
        self._orders.drop(order)
        billed += unbilled * order.tokens // max(order.lines, 1)
        cost = self.meter.settle(reserved, billed)
        self.embedded += embedded
        self.tokens += billed
        self.cost_usd += cost
        for name, amount in (("embedded", embedded), ("tokens", billed), ("cost_usd", cost)):
            context.count(name, amount)
        for file_id in (order.input_file_id, *batch.results):
            # They hold the texts and count against the account's storage; that one stays is no reason to fail.
            with contextlib.suppress(RelanceError):
                call(files.delete, file_id)

    def _problem(self, batch: Batch) -> RelanceError:
        """Say why a batch was not begun."""
        name = self._context.provider.info.name
        if not batch.problems:
            return RetryableError(f"{name}: {batch.id} has failed, and the service does not say why.")
        first = batch.problems[0]
        where = f" in line {first.line}" if first.line else ""
        said = f"{first.code}{where}: {self._endpoint.service.clean(first.message)}"
        if "limit" in first.code:  # OpenAI's token_limit_exceeded: more than an account may have waiting
            return RetryableError(f"{name} takes no more batches at the moment ({said}); the next run goes on.")
        return ConfigurationError(
            f"{name}: the service did not begin {batch.id} and billed nothing ({said}). Set embedding.mode: online if "
            "that cannot be helped."
        )

    def _leave(self, order: Order) -> None:
        """Let a batch be that this account does not know: it may be another one's, which comes back for it."""
        if time.time() - order.submitted_at > _FORGOTTEN_S:
            self._orders.drop(order)
        self._context.note(
            f"{order.batch_id} is not known at {self._endpoint.url} with this key; its texts are embedded anew"
        )

    def _note_failures(self) -> None:
        if self._reasons:
            reason, _ = self._reasons.most_common(1)[0]
            self._context.note(
                f"{counted(self._reasons.total(), 'text')} came back from a batch without a vector and go to be "
                f"embedded online; most often: {self._endpoint.service.clean(reason)}"
            )
            self._reasons.clear()
