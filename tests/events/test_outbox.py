"""Nothing is lost while the server is away."""

import logging

import pytest

from relance.errors import ConfigurationError, RateLimitedError, RetryableError
from relance.events import Change
from relance.events.outbox import Outbox


class Server:
    """Takes events unless told to fail; the clock stands still unless moved."""

    def __init__(self):
        self.taken, self.error, self.attempts, self.now = [], None, 0, 1000.0
        self.outbox = Outbox(self.emit, clock=lambda: self.now)

    def emit(self, change):
        self.attempts += 1
        if self.error:
            raise self.error
        self.taken.append(change)

    def after(self, seconds):
        self.now += seconds
        return self.outbox.send()


@pytest.fixture
def server():
    return Server()


def test_what_was_not_taken_is_sent_again_with_what_has_come_since(server):
    server.error = RetryableError("away")
    server.outbox.add(Change("a", changed=("x", "z")))
    assert server.outbox.send() is False
    server.outbox.add(Change("a", changed=("y",), removed=("x",)))
    server.error = None
    assert server.after(1) is True
    assert server.taken == [Change("a", changed=("z", "y"), removed=("x",))]
    assert server.outbox.waiting is None
    assert server.after(100) is True
    assert server.attempts == 2


def test_attempts_get_rarer_until_one_succeeds(server):
    server.error = RetryableError("away")
    server.outbox.add(Change("a", everything=True))
    gaps, last = [], 1000.0
    server.outbox.send()
    for _ in range(4000):
        before = server.attempts
        server.after(0.1)
        if server.attempts > before:
            gaps.append(round(server.now - last))
            last = server.now
    assert gaps[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    server.error = None
    server.after(60)
    server.error = RetryableError("away")
    server.outbox.add(Change("a", everything=True))
    server.outbox.send()
    attempts = server.attempts
    server.after(1)
    assert server.attempts == attempts + 1


def test_the_server_may_say_when(server):
    server.error = RateLimitedError("slower", retry_after_s=20)
    server.outbox.add(Change("a", everything=True))
    server.outbox.send()
    server.after(19.9)
    assert server.attempts == 1
    server.after(0.2)
    assert server.attempts == 2


def test_the_last_attempt_does_not_wait(server):
    server.error = RetryableError("away")
    server.outbox.add(Change("a", everything=True))
    server.outbox.send()
    server.error = None
    assert server.outbox.send(at_once=True) is True


def test_a_mistake_is_not_tried_again(server):
    server.error = ConfigurationError("wrong key")
    server.outbox.add(Change("a", everything=True))
    with pytest.raises(ConfigurationError):
        server.outbox.send()
    assert server.outbox.waiting


def test_an_outage_is_one_line(server, caplog):
    caplog.set_level(logging.WARNING)
    server.error = RetryableError("the server is away")
    server.outbox.add(Change("a", everything=True))
    for _ in range(50):
        server.after(10)
    assert [record.message for record in caplog.records] == ["the server is away; changes are stored until it does"]
