"""The staging area of a run whose workers share nothing but an object store: batches are tables of it."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from relance.errors import ConfigurationError
from relance.store import open_store
from relance.store.faults import store_errors

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.config.reference import SpecReference
    from relance.store import Store

__all__ = ["StoreStaging"]

_PREFIX = "relance__staging__"
_LOOK_S = 2.0  # between two looks for the stop: each is a request
_KEPT_S = 24 * 3600.0  # what is older was left by a run that was killed


class StoreStaging:
    """Keeps each batch as a table with its Arrow IPC files as bytes; pickled, it is a reference to the spec.

    The names of the tables say when the run began: what killed runs have left is dropped by a run of the next day.
    """

    def __init__(self, spec: SpecReference, name: str = "", *, store: Store | None = None) -> None:
        self._spec = spec
        self._name = name or f"{_PREFIX}{int(time.time())}_{uuid.uuid4().hex[:12]}"
        self._store = store
        self._ours = store is not None
        self._written = False
        self._stopped = False
        self._looked = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._ours and self._written:
            self._drop(lambda name: name.startswith(self._name))

    def write(self, tables: Mapping[str, pa.Table]) -> str:
        """Keep tables; returns their address, which is whole or not there."""
        import pyarrow as pa

        if self._ours and not self._written:
            self._written = True
            self._drop(lambda name: bool(age := _age(name)) and age > _KEPT_S)
        address = f"{self._name}__{uuid.uuid4().hex}"
        names = list(tables)
        data = pa.array([_bytes(tables[name]) for name in names], pa.large_binary())
        with store_errors("writing a batch for workers"):
            self._open().db.create_table(address, pa.table({"name": pa.array(names, pa.string()), "data": data}))
        return address

    def read(self, address: str) -> dict[str, pa.Table]:
        """Read tables."""
        import pyarrow as pa

        table = self._open().open(address)
        if table is None:
            msg = f"a batch of this run is gone from {self._open().uri}; was the run ended meanwhile?"
            raise ConfigurationError(msg)
        rows = table.to_arrow().to_pylist()
        return {row["name"]: pa.ipc.open_stream(row["data"]).read_all() for row in rows}

    def drop(self, address: str) -> None:
        """Remove tables; harmless where they are gone."""
        with contextlib.suppress(Exception):  # what stays is dropped with the run
            self._open().db.drop_table(address)

    def stop(self) -> None:
        """Tell all processes of the run to send nothing more."""
        import pyarrow as pa

        if self._written and not self._stopped:
            self._stopped = True
            with contextlib.suppress(Exception):  # the run ends anyway, and with it what workers do for it
                self._open().db.create_table(f"{self._name}__stop", pa.table({"name": ["stop"]}), exist_ok=True)

    @property
    def stopped(self) -> bool:
        """Whether the run was stopped."""
        if not self._stopped and time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            self._stopped = self._open().open(f"{self._name}__stop") is not None
        return self._stopped

    def open(self) -> Path:
        """Raise ConfigurationError: there is no folder."""
        msg = f"{self._open().uri} is no folder; engine work-pool needs a store in a folder that its workers share"
        raise ConfigurationError(msg)

    def _open(self) -> Store:
        if self._store is None:
            self._store = open_store(self._spec.open())
        return self._store

    def _drop(self, which: Callable[[str], bool]) -> None:
        with contextlib.suppress(Exception):  # a store that is away now is tidied by a later run
            for name in self._open().tables():
                if name.startswith(_PREFIX) and which(name):
                    self._open().db.drop_table(name)

    def __reduce__(self) -> tuple[type[StoreStaging], tuple[SpecReference, str]]:
        return StoreStaging, (self._spec, self._name)


def _bytes(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _age(name: str) -> float:
    found = re.match(rf"{_PREFIX}(\d+)_", name)
    return time.time() - int(found[1]) if found else 0.0
