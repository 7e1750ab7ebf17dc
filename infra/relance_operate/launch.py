"""Starting the ingest flow from the command line: quietly, and with what is running already."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from typing import Any

from relance.errors import RejectedError
from relance.http.proxies import spare_loopback
from relance.pipeline.run import Run, current_run
from relance.pipeline.run_handle import Progress, RunHandle, current_handle

__all__ = ["quiet_prefect", "run_flow"]

# For this process and those it may start; whatever the user has set wins.
_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # 20 by default, and a first start takes 40 here
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the terminal shows our report; the API gets the log
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}
_TEMPORARY = {
    # A temporary server has no page to show and no blocks to offer: three seconds less on the first start.
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}


def quiet_prefect() -> None:
    """Keep Prefect from reporting home and from writing into our terminal; before it is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    spare_loopback()  # its client would ask a server on this machine through HTTP_PROXY, and wait three minutes


def run_flow(
    parameters: dict[str, Any], handle: RunHandle, run: Run | None = None
) -> tuple[dict[str, Any], dict[str, float]]:
    """Run `relance_flows.ingest.ingest` here; returns its report and the seconds its start took.

    `run`: that of the caller, which may have begun to look; without one the flow opens its own.

    A Prefect server named by PREFECT_API_URL or the active profile is used; else a temporary one is started.
    """
    for name, value in _TEMPORARY.items():
        os.environ.setdefault(name, value)
    laps = {"": time.perf_counter()}
    server: Any = importlib.import_module("relance_flows.server")
    handle.on_progress(Progress("starting Prefect"))
    with server.temporary_server(handle.stop.is_set) as wait_for_server:
        ingest: Any = importlib.import_module("relance_flows.ingest").ingest
        importlib.import_module("lancedb")
        laps["imports"] = time.perf_counter()
        wait_for_server()
        laps["server"] = time.perf_counter()
        watched = handle.on_progress

        def on_progress(progress: Any) -> None:
            laps.setdefault("first task", time.perf_counter())
            watched(progress)

        handle.on_progress = on_progress
        token, given = current_handle.set(handle), current_run.set(run)
        try:
            outcome = asyncio.run(_outcome(ingest, parameters))
        finally:
            current_run.reset(given)
            current_handle.reset(token)
    moments = list(laps.items())
    return outcome, {name: round(at - moments[i][1], 2) for i, (name, at) in enumerate(moments[1:])}


async def _outcome(flow: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Run a flow; raises what it raised, and RejectedError where a person has said no."""
    state = await flow(**parameters, return_state=True)
    if state.is_cancelled():
        raise RejectedError(state.message)
    return await state.aresult()
