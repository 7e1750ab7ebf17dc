"""The command that serves a stand-in for DashScope."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from relance.cli.ending import interrupting
from relance.cli.options import DONE, Host, Port
from relance.cli.terminal import Terminal
from relance.errors import InputError
from relance_emulator.config import VectorsBy

__all__ = ["emulator"]


def emulator(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    vectors: VectorsBy = "local/wordllama",
    files: Path | None = None,
    limits: Literal["off", "published"] = "off",
    latency_ms: float = 0.0,
) -> int:
    """Serve an emulator of DashScope on this machine, to try everything without a key.

    Parameters
    ----------
    vectors
        Local model the vectors are made by, or `hash` for quick ones without meaning.
    files
        Folder that is served below /files, for pictures and videos that are given by address.
    limits
        Whether requests over the published rates are refused, as the service does.
    latency_ms
        Milliseconds every request takes at least.
    """
    from relance_emulator.serve import EmulatorConfig, serve

    if files is not None and not files.is_dir():
        msg = f"{files} is not a folder"
        raise InputError(msg)
    config = EmulatorConfig(host=host, port=port, vectors=vectors, files=files, limits=limits, base_ms=latency_ms)
    terminal = Terminal()

    def ready(address: str) -> None:
        terminal.say(f"serving DashScope's protocol at {address}; in another terminal:")
        terminal.say(f"  export DASHSCOPE_BASE_URL={address}/api/v1")
        terminal.say("  relance ingest examples/gallery")

    with interrupting():
        serve(config, ready=ready)
    return DONE
