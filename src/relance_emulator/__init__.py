"""A server that behaves like DashScope's embedding services, for tests, benchmarks and trying relance without a key.

Nothing here is taken from `relance.embedding.providers`: rules, strings and limits are written down a second time, so
that client and emulator check each other. The app that serves them is in `app.py`, what starts it in `serve.py`.
"""

from __future__ import annotations

from relance_emulator.config import EmulatorConfig
from relance_emulator.serve import running

__all__ = ["EmulatorConfig", "running"]
