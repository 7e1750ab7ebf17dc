"""One worker of `engine: work-pool`: a flow run that takes batches from the run that directs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow, get_run_logger

from relance.pipeline.engines.exchange import work as take_batches
from relance.telemetry.start import start_telemetry
from relance_flows.form import field
from relance_flows.sentence import readable

__all__ = ["work"]


@flow(name="work", flow_run_name="work for {index}", persist_result=False)
@readable
async def work(
    exchange: str = field("Exchange", "", "Folder that the directing run and its workers see."),
    index: str = field("Index", "", "Whose batches they are."),
) -> int:
    """Read, split and embed batches of another run, until that one has ended; started by it, never by hand."""
    start_telemetry()
    done = await asyncio.to_thread(take_batches, Path(exchange))
    get_run_logger().info("%s: %d stages done", index, done)
    return done
