"""Watching the sources of an index, and telling what changes."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.events.burst import DELETED, Burst
from relance.events.change import Change
from relance.events.listening import Listening
from relance.events.looking import Looking
from relance.events.outbox import Outbox
from relance.events.watched import watched_folders
from relance.sources.watched_folder import WatchedFolder

__all__ = ["watch"]

log = logging.getLogger(__name__)

# How often we look whether a burst is over, a failed event is due again, and the folders are still the same ones.
_TICK_MS = 250
_STEP_MS = 50


def watch(
    spec: IndexSpec,
    emit: Callable[[Change], object],
    *,
    stop: threading.Event,
    debounce_s: float = 1.0,
    longest_s: float = 5.0,
    every_s: float = 0.0,
) -> None:
    """Tell what changes in the sources of an index, until stopped or interrupted; begins with `everything`.

    A burst of changes is one event once there has been quiet, or every so often while it goes on. While `emit` raises
    RetryableError nothing is lost: it is sent again, with what has come since. What else it raises ends the watch.

    Args:
        spec: the index; later edits of its file are not seen.
        emit: takes an event, for good, when it returns.
        stop: set by whoever wants the end; what is collected is sent then.
        debounce_s: seconds of quiet that end a burst.
        longest_s: seconds after which a burst is told although it goes on.
        every_s: seconds between looks at sources that can neither be watched nor say anything; 0 leaves them to runs.

    Raises ConfigurationError where a folder does not exist at the start, or the system cannot watch so many.
    """
    sources = watched_folders(spec)
    for source in sources:
        if source.identity is None:
            msg = f"the folder {source.place} does not exist; is it mounted, is `root` right?"
            raise ConfigurationError(msg)
    looking = Looking(spec, stop, every_s=every_s)
    listening = Listening(spec, stop, quiet_s=debounce_s, longest_s=longest_s)
    burst, outbox = Burst(spec, sources, quiet_s=debounce_s, longest_s=longest_s), Outbox(emit)
    outbox.add(Change(spec.name, everything=True))  # whatever happened while nobody watched
    try:
        while not stop.is_set():
            for reports in _reports(sources, stop):
                burst.add(reports)
                # A folder made anew may get the inode of the one before it, but then that one was reported deleted.
                moved = [source for source in sources if source.locate() or (DELETED, source.root) in reports]
                if burst.is_due() and not moved:
                    _put(burst, outbox)
                _put(listening, outbox)
                _put(looking, outbox)
                _send(outbox, listening)
                if moved:
                    _follow(moved, burst, outbox, spec)
                    break  # another folder needs another watcher
            else:  # stopped; or the watcher broke down and may have missed something
                if moved := [source for source in sources if source.locate()]:
                    _follow(moved, burst, outbox, spec)
                elif not stop.is_set():
                    outbox.add(Change(spec.name, everything=True))
    except KeyboardInterrupt:
        stop.set()
    finally:
        listening.close()
        looking.close()
    _put(burst, outbox)
    _put(listening, outbox)
    _put(looking, outbox)
    if not _send(outbox, listening, at_once=True):
        log.warning(
            "%s: could not be reported any more; the next watch begins by looking at everything", outbox.waiting
        )


def _put(collected: Burst | Listening | Looking, outbox: Outbox) -> None:
    if change := collected.take():
        outbox.add(change)


def _send(outbox: Outbox, listening: Listening, *, at_once: bool = False) -> bool:
    if sent := outbox.send(at_once=at_once):
        listening.confirm()
    return sent


def _follow(moved: list[WatchedFolder], burst: Burst, outbox: Outbox, spec: IndexSpec) -> None:
    """React to folders that went away or came back. Neither removes a document: it may be a mount."""
    for source in moved:
        burst.forget(source)
        if source.identity is None or source.is_empty():
            log.warning("the folder %s is away; its documents stay as they are until it is back", source.place)
        else:
            log.warning("the folder %s is there again; everything is looked at", source.place)
            outbox.add(Change(spec.name, everything=True))


def _reports(sources: list[WatchedFolder], stop: threading.Event) -> Iterator[set[tuple[int, str]]]:
    """Stream what changes, with an empty set where nothing did for a tick; ends when stopped, or when it breaks."""
    import watchfiles
    from watchfiles._rust_notify import WatchfilesRustInternalError

    # It writes a line for every burst.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    roots = [source.root for source in sources if source.identity is not None]
    if not roots:
        while not stop.wait(_TICK_MS / 1000):
            yield set()
        return
    with contextlib.ExitStack() as exits:
        watcher = watchfiles.watch(
            *roots, watch_filter=None, debounce=_TICK_MS, step=_STEP_MS, rust_timeout=_TICK_MS, yield_on_timeout=True,
            stop_event=stop, ignore_permission_denied=True,
        )  # fmt: skip
        exits.callback(watcher.close)
        try:
            for number, reports in enumerate(watcher):
                if not number:
                    for source in sources:
                        source.learn_folders()
                yield {(int(kind), path) for kind, path in reports}
        except (WatchfilesRustInternalError, FileNotFoundError) as error:
            # A name that is no UTF-8, or a folder that vanished while it was being watched.
            log.warning("the watcher has to start again: %s", error)
            stop.wait(_TICK_MS / 1000)
        except OSError as error:
            msg = f"these folders cannot be watched: {error}; raise fs.inotify.max_user_watches, or set "
            raise ConfigurationError(msg + "WATCHFILES_FORCE_POLLING=true") from None
