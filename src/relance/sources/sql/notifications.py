"""What a database says when a row changes: NOTIFY of PostgreSQL."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from relance.errors import ConfigurationError, MissingExtraError, RelanceError
from relance.sources.sql.servers.postgres import Postgres

__all__ = ["listen"]

_log = logging.getLogger(__name__)

_TICK_S = 0.2
_FIRST_S, _MOST_S = 1.0, 60.0
# Of a line that is dead without a word one learns within a minute.
_ALIVE = {"keepalives": "1", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


def listen(server: Postgres, channel: str, stop: threading.Event) -> Iterator[list[str] | None]:
    """Stream what is sent to a channel, some payloads at a time, and none at least every so often.

    None each time when a connection has been made: what was sent before nobody has heard. A connection that breaks is
    made again after 1, 2, 4 … 60 seconds. Raises ConfigurationError where there is no such database.
    """
    pause_s = _FIRST_S
    while not stop.is_set():
        try:
            with server.line(_ALIVE) as connection:
                connection.execute(f"LISTEN {server.quote(channel)}")
                yield None
                pause_s = _FIRST_S
                while not stop.is_set():
                    yield [note.payload for note in connection.notifies(timeout=_TICK_S)]
        except (ConfigurationError, MissingExtraError):
            raise
        except RelanceError as error:
            _log.warning("%s; listening again in %g s", error, pause_s)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, _MOST_S)
