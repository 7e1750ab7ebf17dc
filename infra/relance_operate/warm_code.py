"""Which version of the code a warm interpreter has imported: names, times and sizes of files."""

from __future__ import annotations

import contextlib
import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path

__all__ = ["CODE", "Code", "own_code", "read_code"]

ROOT = Path(__file__).resolve().parents[2]
CODE = (ROOT / "flows", ROOT / "tasks", ROOT / "infra", ROOT / "src" / "relance")

Code = frozenset[tuple[str, int, int]]


def read_code(folders: Sequence[Path] = CODE) -> Code:
    """Read what tells a version of the code from another; an installed package changes the folder it is put in."""
    packages = sysconfig.get_path("purelib")
    found = {(packages, os.stat(packages).st_mtime_ns, 0)}  # noqa: PTH116  # os.path is three times as quick
    for folder in folders:
        for top, _, names in os.walk(folder):
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(top, name)  # noqa: PTH118
                    with contextlib.suppress(OSError):  # just removed
                        status = os.stat(path)  # noqa: PTH116
                        found.add((path, status.st_mtime_ns, status.st_size))
    return frozenset(found)


def own_code() -> Code:
    """Read the version of the keeper itself."""
    return frozenset(
        each for each in read_code([ROOT / "infra" / "relance_operate"]) if Path(each[0]).name.startswith("warm")
    )
