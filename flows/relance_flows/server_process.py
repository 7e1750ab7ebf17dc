"""The temporary Prefect server's process, which ends with the one that started it, however that ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

__all__ = ["main"]

_GRACE_S = 5.0


def main() -> None:
    """Serve on the loopback port that is the argument, until stdin is closed: a killed parent closes it, too."""
    threading.Thread(target=_follow, name="relance-follow", daemon=True).start()
    import uvicorn  # and then Prefect: seconds, in which the parent may end already

    uvicorn.run("prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=int(sys.argv[1]),
                log_level="critical", lifespan="on")  # fmt: skip


def _follow() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
