"""A run that waits for slow servers can be stopped."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from relance.pipeline.run_handle import RunHandle


def test_a_stopped_run_does_not_wait_for_servers_that_do_not_answer(gallery: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # connections are taken, nothing is ever said
        port = server.getsockname()[1]
        rows = "".join(f"{number},http://127.0.0.1:{port}/{number}.png,\n" for number in range(100))
        gallery.write("list.csv", f"id,url,caption\n{rows}")
        index = gallery.index(media=gallery.media(fetch={"timeout_s": 60}))
        handle = RunHandle()
        timer = threading.Timer(1.0, handle.stop.set)
        began = time.monotonic()
        timer.start()
        report = index.ingest(handle=handle)
        timer.join()
    assert time.monotonic() - began < 10
    assert report.status == "stopped"
    assert report.media.failures == []
