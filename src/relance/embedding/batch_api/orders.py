"""What has been ordered and not yet received: written down before a batch is submitted, so that no crash loses one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from relance.embedding.batch_api.context import Catalog
from relance.errors import RetryableError

__all__ = ["Order", "Orders"]

_TRIES = 5


@dataclass(slots=True)
class Order:
    """One file of texts.

    It is being uploaded while it has no `input_file_id`: nothing can have been bought. While it has no `batch_id` the
    service has to be asked whether there is a batch of that file. After that the batch is waited for.

    Attributes:
        url: the service; another one, or another region, knows nothing of it.
        lines: texts in the file.
        tokens: as counted, for what the service does not bill.
        submitted_at: Unix time at which it was written down.
        status: the batch's, as last seen.
    """

    url: str
    lines: int
    tokens: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    input_file_id: str = ""
    batch_id: str = ""
    status: str = ""
    submitted_at: int = field(default_factory=lambda: int(time.time()))

    @property
    def name(self) -> str:
        """What it is called at the service, where people may look for it."""
        return f"relance-{self.id}"


class Orders:
    """The open orders of one vector space at one service, in the catalog under `bulk/<space>`.

    Changed by compare-and-set; `check` is called before each change, and raises when that is not ours to make any more.
    """

    def __init__(self, catalog: Catalog, space: str, url: str, check: Callable[[], None] = lambda: None) -> None:
        self._catalog = catalog
        self._key = f"bulk/{space}"
        self._url = url
        self._check = check

    def all(self) -> list[Order]:
        """List the open orders, oldest first."""
        orders = [Order(**each) for each in self._read(self._catalog.get(self._key)) if each["url"] == self._url]
        return sorted(orders, key=lambda order: order.submitted_at)

    def save(self, order: Order) -> None:
        """Write an order down, or what has become of it."""
        self._replace(order.id, [asdict(order)])

    def drop(self, order: Order) -> None:
        """Forget an order that has been received, or has come to nothing."""
        self._replace(order.id, [])

    def _replace(self, name: str, by: list[dict[str, Any]]) -> None:
        self._check()
        for attempt in range(_TRIES):
            current = self._catalog.get(self._key)
            others = [each for each in self._read(current) if each["id"] != name]
            try:
                self._catalog.put(self._key, {"orders": others + by}, expected=current)
            except RetryableError:
                if attempt + 1 == _TRIES:
                    raise
            else:
                return

    @staticmethod
    def _read(value: dict[str, Any] | None) -> list[dict[str, Any]]:
        return value["orders"] if value else []
