"""The door to `relance_operate`, which knows Prefect: found by name, so that nothing of ours imports it."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["operations"]


def operations(name: str) -> Any:
    """Import a module of `relance_operate`, with Prefect kept from writing into this terminal."""
    importlib.import_module("relance_operate.launch").quiet_prefect()
    return importlib.import_module(f"relance_operate.{name}")
