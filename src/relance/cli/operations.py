"""The door to `relance_operate`, which knows Prefect: found by name, so that nothing of ours imports it."""

from __future__ import annotations

import importlib
import os
from typing import Any

__all__ = ["operations", "use_server"]


def operations(name: str) -> Any:
    """Import a module of `relance_operate`, with Prefect kept from writing into this terminal."""
    importlib.import_module("relance_operate.launch").quiet_prefect()
    return importlib.import_module(f"relance_operate.{name}")


def use_server() -> None:
    """Talk to the server that is configured or listens on this machine; ConfigurationError if there is none."""
    os.environ["PREFECT_API_URL"] = operations("api").find_api()
