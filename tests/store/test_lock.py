"""The lock of a folder: it goes with its process, and who is kept out learns who holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relance.errors import IndexBusyError
from relance.store import Store
from relance.store.lock import hold

HOLDER = """
import sys, time
from relance.store import Store
from relance.store.lock import hold
with hold(Store(sys.argv[1], storage_options={}, api_key=""), "notes"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_the_lock_goes_with_the_process_that_held_it(store: Store) -> None:
    command = [sys.executable, "-c", HOLDER, store.uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(IndexBusyError, match=f"process {holder.pid} on "), hold(store, "notes"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with hold(store, "notes"), pytest.raises(IndexBusyError, match=f"process {os.getpid()} "), hold(store, "notes"):
        pass


def test_a_busy_index_says_who_holds_it_even_where_the_note_is_unreadable(store: Store, tmp_path: Path) -> None:
    with hold(store, "notes"):
        (tmp_path / "db/.relance/notes.holder.json").write_text("{half", encoding="utf-8")
        with pytest.raises(IndexBusyError, match="another process"), hold(store, "notes"):
            pass
