"""Starting the ingest flow from the command line: quietly, and with what is running already."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import time
from typing import Any

from relance.control import Control, current_control

__all__ = ["has_flows", "run_flow"]

# For this process and the temporary server it may start; whatever the user has set wins.
_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # 20 by default, and a first start takes 40 here
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the terminal shows our report; the API gets the log
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    # A temporary server has no page to show and no blocks to offer: three seconds less on the first start.
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}


def has_flows() -> bool:
    """Whether the flows are importable: they are in a checkout or its image, not in the wheel."""
    return importlib.util.find_spec("flows") is not None and importlib.util.find_spec("tasks") is not None


def run_flow(parameters: dict[str, Any], control: Control) -> tuple[dict[str, Any], dict[str, float]]:
    """Run `flows.ingest.ingest` here; returns its report and the seconds its start took.

    A Prefect server named by PREFECT_API_URL or the active profile is used; else a temporary one is started.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    began = time.perf_counter()
    ingest: Any = importlib.import_module("flows.ingest").ingest
    imported = time.perf_counter()
    started: list[float] = []
    watched = control.on_progress

    def on_progress(progress: Any) -> None:
        if not started:
            started.append(time.perf_counter())
        watched(progress)

    control.on_progress = on_progress
    token = current_control.set(control)
    try:
        outcome = asyncio.run(ingest(**parameters))
    finally:
        current_control.reset(token)
    first = started[0] if started else time.perf_counter()
    return outcome, {"imports": round(imported - began, 2), "server and first task": round(first - imported, 2)}
