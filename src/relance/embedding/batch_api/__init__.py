"""`embedding.mode: batch`: vectors ordered as files, worked off within a day, at half the price.

`fill` puts them into the embedding store before a run embeds anything; the run then finds them there, and embeds
online what the batch could not.
"""

from __future__ import annotations

from relance.embedding.batch_api.context import FillContext
from relance.embedding.batch_api.endpoint import Endpoint, open_endpoint
from relance.embedding.batch_api.fill import LEAST_TEXTS, FillReport, cancel, fill
from relance.embedding.batch_api.orders import Order, Orders
from relance.embedding.batch_api.texts import Inputs

__all__ = [
    "LEAST_TEXTS",
    "Endpoint",
    "FillContext",
    "FillReport",
    "Inputs",
    "Order",
    "Orders",
    "cancel",
    "fill",
    "open_endpoint",
]
