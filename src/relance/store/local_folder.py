"""Where a process keeps what belongs to a store and has to be on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from relance.config.state_folder import state_folders
from relance.documents import digest
from relance.store.connection import Store

__all__ = ["local_folders"]

_MOUNTS = Path("/proc/self/mountinfo")
# Locks and shared memory on these are missing, or hold on one machine only (Linux; elsewhere it is not known).
_NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
            "smb3", "smbfs", "virtiofs"}  # fmt: skip


def local_folders(store: Store, name: str, *, mounts: Path = _MOUNTS) -> Iterator[Path]:
    """Yield folders for what `name` says, best first: none of them has to exist or to be writable.

    All processes of a machine that use a store come to the same one: beside the tables of a store on a local disk,
    else in the user's state folder, else in the temporary one.
    """
    if store.local is not None and not _is_network(store.local, mounts):
        yield store.local / ".relance" / name
        return
    place = Path(digest("store", store.uri, size=8)) / name
    yield from state_folders(place)


def _is_network(path: Path, table: Path) -> bool:
    """Tell whether a folder is on a network file system, by the system's table of mounts."""
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    path = path.resolve()
    mounts = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        mounts[before.split()[4].replace("\\040", " ")] = after.split()[0]
    for parent in (path, *path.parents):
        if (kind := mounts.get(str(parent))) is not None:
            return kind in _NETWORK or kind.startswith("fuse.") or kind == "fuse"
    return False
