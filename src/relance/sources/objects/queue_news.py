"""Notifications of a bucket that come to a queue: each is deleted when what it says was handed on, and not before."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence

from relance.errors import ConfigurationError, InputError, RelanceError
from relance.sources.confirmed_news import ConfirmedNews
from relance.sources.notification import Notification, field, read_json
from relance.sources.objects import s3_notification
from relance.sources.objects.sqs_queue import Message, SqsQueue

__all__ = ["QueueNews"]

_log = logging.getLogger(__name__)

_TICK_S = 0.2
_FIRST_S, _MOST_S = 1.0, 60.0
# Messages that are received and not confirmed; beyond, the others stay in the queue. SQS hides 120,000 at most.
_MOST_HELD = 5000


class QueueNews(ConfirmedNews):
    """What comes to a queue, from the first call of `next` until stopped.

    A message that says nothing of an object (a test, or no notification at all) is deleted at once; the latter are
    counted, and a warning names each, since they would come again for ever. What comes again while it is held is no
    news. A queue that does not answer is asked again after 1, 2, 4 … 60 seconds: it keeps what comes meanwhile.
    """

    def __init__(self, source: SqsQueue, named: Callable[[str, str], str], stop: threading.Event) -> None:
        """Prepare; asks nothing. `named` makes the uri of a bucket's key."""
        self._queue, self._named, self._stop = source, named, stop
        self._found: queue.SimpleQueue[tuple[frozenset[str], list[str]] | RelanceError] = queue.SimpleQueue()
        self._count = 0
        self._items: deque[tuple[int, list[str]]] = deque()  # number of an item, and the ids of its messages
        self._receipts: dict[str, str] = {}  # by id, of messages that are held
        self._lock = threading.Lock()
        self._unreadable = 0
        # A daemon, since a request waits for 20 seconds: what it still receives nobody confirms, and it comes again.
        self._thread = threading.Thread(target=self._receive, name="relance-queue", daemon=True)

    def __next__(self) -> frozenset[str]:
        """Return uris, none where nothing came for a moment; raises what ended the thread."""
        if self._stop.is_set():
            raise StopIteration
        if not self._count:
            self._thread.start()
        self._count += 1
        try:
            found = self._found.get(timeout=_TICK_S)
        except queue.Empty:
            return frozenset()
        if isinstance(found, RelanceError):
            raise found
        uris, ids = found
        with self._lock:
            self._items.append((self._count, ids))
        return uris

    def confirm(self, count: int) -> None:
        """Delete the messages of the first items; where that fails they come again, and cost a run without news."""
        with self._lock:
            ids: list[str] = []
            while self._items and self._items[0][0] <= count:
                ids += self._items.popleft()[1]
            receipts = [self._receipts.pop(each) for each in ids]
        if receipts:
            self._delete(receipts)

    def _receive(self) -> None:
        pause_s = _FIRST_S
        while not self._stop.is_set():
            if len(self._receipts) >= _MOST_HELD:
                self._stop.wait(_TICK_S)
                continue
            try:
                messages = self._queue.receive()
            except ConfigurationError as error:
                self._found.put(error)
                return
            except RelanceError as error:
                _log.warning("%s; it is asked again in %g s", error, pause_s)
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _MOST_S)
                continue
            pause_s = _FIRST_S
            if not self._stop.is_set():
                self._take(messages)

    def _take(self, messages: Sequence[Message]) -> None:
        uris: dict[str, None] = {}
        ids: list[str] = []
        idle: list[str] = []
        for message in messages:
            found = self._uris(message)
            with self._lock:
                if message.id in self._receipts:
                    self._receipts[message.id] = message.receipt  # only the latest receipt deletes it
                elif found:
                    self._receipts[message.id] = message.receipt
                    ids.append(message.id)
                    uris |= dict.fromkeys(found)
                else:
                    idle.append(message.receipt)
        if ids:
            self._found.put((frozenset(uris), ids))
        if idle:
            self._delete(idle)

    def _uris(self, message: Message) -> list[str]:
        try:
            told = _read(message.body)
        except InputError as error:
            self._unreadable += 1
            _log.warning("%s: message %s is no notification of a bucket (%s); it is deleted; %d so far",
                         self._queue, message.id, error, self._unreadable)  # fmt: skip
            return []
        buckets = (key.partition("/") for key, _ in told.objects)
        return [self._named(bucket, key) for bucket, _, key in buckets]

    def _delete(self, receipts: Sequence[str]) -> None:
        try:
            self._queue.delete(receipts)
        except RelanceError as error:
            _log.warning("%s; these messages come again", error)


def _read(body: str) -> Notification:
    """Read a notification, also one that SNS has passed on; InputError that says what is wrong."""
    data = read_json(body.encode(errors="replace"))
    if isinstance(data, dict) and data.get("Type") == "Notification" and "TopicArn" in data:
        data = read_json(field(data, "Message", str).encode(errors="replace"))
    return s3_notification.read(data)
