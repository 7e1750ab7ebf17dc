"""The folder of this user where programs keep what they could make again."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["state_folders"]


def state_folders(place: Path | str) -> Iterator[Path]:
    """Yield folders for a place of ours, best first: in the user's state folder, else in the temporary one.

    None of them has to exist or to be writable.
    """
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:  # a user without a home
        state = Path(os.devnull)
    yield state / "relance" / place
    user = os.getuid() if hasattr(os, "getuid") else None
    base = Path(tempfile.gettempdir()) / f"relance-{os.environ.get('USERNAME', '') if user is None else user}"
    with contextlib.suppress(OSError):
        base.mkdir(mode=0o700, exist_ok=True)
        if user is None or base.stat().st_uid == user:  # else somebody else could read there, or leave something
            yield base / place
