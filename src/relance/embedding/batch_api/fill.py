"""Filling the embedding store by batches: take up what is ordered, order what is missing, wait for it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relance.embedding.batch_api.context import FillContext
from relance.embedding.batch_api.endpoint import Endpoint, open_endpoint
from relance.embedding.batch_api.files import Batch, BatchFiles
from relance.embedding.batch_api.lines import MAX_BYTES, MAX_LINES, Requests, Sheet
from relance.embedding.batch_api.orders import Order, Orders
from relance.embedding.batch_api.receive import Receiver
from relance.embedding.batch_api.texts import Inputs, missing_texts
from relance.errors import AccountError, ConfigurationError, IndexBusyError, RetryableError
from relance.http.event_loop import event_loop

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["FillReport", "cancel", "fill"]

log = logging.getLogger(__name__)

# A batch may take hours; for fewer texts than this, half the price is a tenth of a cent.
LEAST_TEXTS = 100
# Small batches are done soon; for the others the vendor asks for a minute between two looks.
POLL_S = (2.0, 60.0)


@dataclass(slots=True, frozen=True)
class FillReport:
    """What came of it; the run's own report holds the sums as well.

    Attributes:
        ordered: texts sent in new batches, of which there are `batches`.
        embedded: vectors that are in the store now and were not before; those of earlier runs' batches are among them.
        failed: texts that came back without one; the run embeds them online.
        tokens: as billed.
        cost_usd: of `tokens`, by the price of batches.
        waiting: texts of batches that have not ended, because the run was stopped.
    """

    ordered: int = 0
    batches: int = 0
    embedded: int = 0
    failed: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    waiting: int = 0


def fill(
    context: FillContext,
    texts: Iterable[Inputs],
    *,
    least: int = LEAST_TEXTS,
    max_lines: int = MAX_LINES,
    max_bytes: int = MAX_BYTES,
    poll_s: tuple[float, float] = POLL_S,
) -> FillReport:
    """Put the vectors of texts into the store, by batches at half the price; may take a day.

    Batches that an earlier run has left are received first; only then are `texts` read. Returns early when it is
    stopped: what is ordered stays so, and the next run goes on from there.

    Args:
        context: of a spec with `embedding.mode: batch`.
        texts: what is to be embedded; repeats, blank and too long texts and those that have a vector are passed over.
        least: if fewer texts are left, they are not ordered but left to be embedded online.
        max_lines: of one file.
        max_bytes: of one file.
        poll_s: seconds between two looks at a batch, at first and at most.

    Raises ConfigurationError (no batches there, or the service does not begin one), AccountError, BudgetError (before
    anything is sent) or RetryableError (the service is away; the next run goes on).
    """
    endpoint = open_endpoint(context.spec)
    with _alone(context, poll_s[0]) as check, event_loop() as portal:
        if check is None:
            return FillReport()
        filling = Filling(context, endpoint, check, portal, poll_s)
        try:
            filling.resume()
            with Requests(endpoint, max_lines=max_lines, max_bytes=max_bytes) as requests:
                filling.collect(texts, requests)
                if requests.lines >= max(least, 1):
                    filling.order(requests.sheets)
        except RetryableError:
            if not context.stop.is_set():  # else it was the stop that cut a call short
                raise
        finally:
            portal.call(filling.files.aclose)
        return filling.report()


def cancel(context: FillContext) -> int:
    """Ask the service to end all open batches of a vector space; returns how many.

    What is done by then is paid for, and the next run receives it.
    """
    endpoint = open_endpoint(context.spec)
    open_orders = Orders(context.catalog, context.space, endpoint.url).all()
    batches = [order.batch_id for order in open_orders if order.batch_id]
    files = BatchFiles(endpoint, stop=context.stop.is_set)
    with event_loop() as portal:
        try:
            for batch_id in batches:
                portal.call(files.cancel, batch_id)
        finally:
            portal.call(files.aclose)
    return len(batches)


@contextlib.contextmanager
def _alone(context: FillContext, poll_s: float) -> Generator[Callable[[], None] | None]:
    """Keep runs of other indexes from ordering the same texts; yields a check of that, or None if stopped meanwhile."""
    with contextlib.ExitStack() as exits:
        while True:
            try:
                check = exits.enter_context(context.lock())
                break
            except IndexBusyError:
                if context.stop.wait(poll_s):
                    yield None
                    return
        yield check


class Filling:
    """One pass over the open orders of a vector space, then over texts."""

    def __init__(
        self,
        context: FillContext,
        endpoint: Endpoint,
        check: Callable[[], None],
        portal: BlockingPortal,
        poll_s: tuple[float, float],
    ) -> None:
        self.files = BatchFiles(endpoint, stop=context.stop.is_set)
        self._context = context
        self._url = endpoint.url
        self._stopped = context.stop.is_set
        self._call: Callable[..., Any] = portal.call
        self._poll_s = poll_s
        self._orders = Orders(context.catalog, context.space, endpoint.url, check)
        self._receiver = Receiver(context, endpoint, self._orders)
        self._ordered = self._batches = 0

    def resume(self) -> None:
        """Wait for what an earlier run has ordered, after finding out whether it has."""
        left = []
        for order in self._orders.all():
            if not order.batch_id:
                found: Batch | None = None
                if order.input_file_id:
                    found = self._call(self.files.find, order.input_file_id, order.name)
                    self._note_unsure(order)
                if found is None:  # it was cut short before there was a batch; its texts are ordered now
                    self._orders.drop(order)
                    continue
                order.batch_id = found.id
                self._orders.save(order)
            left.append(order)
        self._receiver.receive(left, self.files, self._call, reserved=False, poll_s=self._poll_s)

    def collect(self, texts: Iterable[Inputs], requests: Requests) -> None:
        """Write the texts that have no vector into files."""
        if not self._stopped():
            for key, text, tokens in missing_texts(self._context, texts, but=self._receiver.refused):
                requests.add(key, text, tokens + 1)  # DashScope bills one more for a text's end

    def order(self, sheets: list[Sheet]) -> None:
        """Order all files, once there is money for all of them, and wait for what comes back."""
        self._receiver.meter.reserve(sum(sheet.tokens for sheet in sheets))
        orders = []
        for sheet in sheets:
            if self._stopped():
                return
            orders.append(self._submit(sheet))
        self._receiver.receive(orders, self.files, self._call, reserved=True, poll_s=self._poll_s)

    def report(self) -> FillReport:
        """Sum up."""
        got = self._receiver
        return FillReport(
            ordered=self._ordered,
            batches=self._batches,
            embedded=got.embedded,
            failed=len(got.refused),
            tokens=got.tokens,
            cost_usd=got.cost_usd,
            waiting=sum(order.lines for order in self._orders.all()),
        )

    def _submit(self, sheet: Sheet) -> Order:
        order = Order(self._url, sheet.lines, sheet.tokens)
        self._orders.save(order)
        try:
            order.input_file_id = self._call(self.files.upload, sheet.file, order.name)
            self._orders.save(order)
            batch = self._call(self.files.submit, order.input_file_id, order.name)
        except (ConfigurationError, AccountError):  # refused, so there is no batch
            self._orders.drop(order)
            raise
        order.batch_id, order.status = batch.id, batch.status
        self._orders.save(order)
        self._note_unsure(order)
        self._ordered += sheet.lines
        self._batches += 1
        self._context.count("requests", 1)
        log.info("%s texts are ordered as %s", f"{sheet.lines:,}", batch.id)
        return order

    def _note_unsure(self, order: Order) -> None:
        if self.files.blind:
            self.files.blind = False
            self._context.note(
                f"whether {order.name} was ordered before an interruption cannot be found out, because the service "
                "does not list its batches; it is ordered again, and may be billed twice"
            )
