"""Tables in a temporary file: written by one thread while others read."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa

__all__ = ["Spool"]

# How long a reader that waits may miss that it should stop, where the writer itself hangs in a slow source.
_POLL_S = 0.25


class Spool:
    """Holds tables as Arrow IPC, one after the other, until it is closed; the file has no name and dies with us."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="relance-")  # noqa: SIM115  # lives as long as the run
        self._places: list[tuple[int, int]] = []
        self._end = 0
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def __len__(self) -> int:
        """Count the tables written so far."""
        return len(self._places)

    @property
    def closed(self) -> bool:
        """Whether nobody wants the tables any more."""
        return self._file.closed

    def write(self, table: pa.Table) -> None:
        """Append a table, unless the spool was closed."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        data = sink.getvalue()
        with self._changed:
            if self._file.closed:
                return
            self._file.write(data)
            self._file.flush()
            self._places.append((self._end, data.size))
            self._end += data.size
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more will be written, because of an error or not."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def read(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[pa.Table]:
        """Stream the tables from the first, waiting for those to come; raises the error the writer ended with."""
        for number in range(1 << 62):
            with self._changed:
                while number >= len(self._places) and not (self._ended or self._file.closed or stopped()):
                    self._changed.wait(_POLL_S)
                if self._file.closed or stopped():
                    return
                if number >= len(self._places):
                    if self._error is not None:
                        raise self._error
                    return
                place, size = self._places[number]
                data = os.pread(self._file.fileno(), size, place)
            yield pa.ipc.open_stream(data).read_all()

    def close(self) -> None:
        """Drop the tables; readers end."""
        with self._changed:
            self._file.close()
            self._changed.notify_all()
