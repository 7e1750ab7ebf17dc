"""Who may call: the key, the region it belongs to, the workspace."""

from __future__ import annotations

from relance_emulator.config import EmulatorConfig
from relance_emulator.problems import named
from relance_emulator.wire import Call

__all__ = ["check"]


def check(config: EmulatorConfig, call: Call) -> None:
    """Raise the Problem that a call without a valid key or workspace meets, which is the first check of all."""
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else call.headers.get("x-dashscope-apikey", "")
    if config.keys:
        # A key of another region is answered like a wrong one.
        region = config.keys.get(key)
        accepted = region is not None and (not region or not config.region or region == config.region)
    else:
        accepted = key.startswith("sk-")
    if not accepted:
        raise named("InvalidApiKey")
    workspace = call.headers.get("x-dashscope-workspace")
    if workspace is not None and config.workspaces and workspace not in config.workspaces:
        raise named("NOT AUTHORIZED")
