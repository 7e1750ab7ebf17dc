"""The one event loop of the process: begun by its first user, ended with its last, whatever happens to them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pytest

from relance.config import EmbeddingSpec
from relance.embedding.providers.fake import FakeHash
from relance.embedding.runtime import EmbeddingLoop
from relance.http import event_loop as module
from relance.http.event_loop import event_loop

SPEC = EmbeddingSpec(model="fake/hash")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    """Neither a user nor a thread remains after a test."""
    before = set(threading.enumerate())
    yield
    assert (module._users, module._open) == (0, None)
    assert not [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]


async def where() -> tuple[asyncio.AbstractEventLoop, int]:
    return asyncio.get_running_loop(), threading.get_ident()


def test_all_users_of_a_moment_share_one_loop_in_a_thread_of_its_own() -> None:
    with event_loop() as one, event_loop() as two:
        assert one is two
        assert one.call(where) == two.call(where)
        assert one.call(where)[1] != threading.get_ident()


def test_it_ends_with_its_last_user_and_the_next_gets_a_new_one() -> None:
    with event_loop() as portal:
        with event_loop():
            pass
        first, _ = portal.call(where)
        assert first.is_running()
    assert first.is_closed()
    with event_loop() as portal:
        assert portal.call(where)[0] is not first


def test_who_begins_it_may_leave_before_others() -> None:
    first, second = event_loop(), event_loop()
    first.__enter__()
    portal = second.__enter__()
    first.__exit__(None, None, None)
    assert portal.call(where)[0].is_running()
    second.__exit__(None, None, None)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_an_exception_of_one_user_leaves_the_loop_to_the_others_and_ends_it_for_the_last(
    error: type[BaseException],
) -> None:
    with event_loop() as portal:
        with pytest.raises(error), event_loop():
            raise error
        assert portal.call(where)[0].is_running()
    with pytest.raises(error), event_loop():
        raise error


def test_an_exception_on_the_loop_reaches_its_caller_and_nobody_else() -> None:
    async def broken() -> None:
        raise ValueError("mine")

    with event_loop() as portal:
        with pytest.raises(ValueError, match="mine"):
            portal.call(broken)
        assert portal.call(where)[0].is_running()


def test_a_loop_that_cannot_begin_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    import anyio.from_thread

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(anyio.from_thread, "start_blocking_portal", refuse)
        with pytest.raises(RuntimeError, match="new thread"), event_loop():
            pass
    with event_loop() as portal:
        assert portal.call(where)[0].is_running()


def test_threads_that_come_and_go_never_meet_an_ended_loop() -> None:
    errors, loops = [], set()

    def work(seed: int) -> None:
        try:
            for turn in range(30):
                with event_loop() as portal:
                    loops.add(portal.call(where)[0])
                    if (seed + turn) % 3 == 0:
                        time.sleep(0.001)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(loop.is_closed() for loop in loops)


# The door to an embedder on it


def test_embedders_of_two_runs_share_loop_and_limits() -> None:
    with EmbeddingLoop(FakeHash(SPEC), SPEC, None) as one, EmbeddingLoop(FakeHash(SPEC), SPEC, None) as two:
        assert one.rates[0] is two.rates[0]
        assert one.rates[1] is two.rates[1]
        assert one.call(["a text"]).vectors.tobytes() == two.call(["a text"]).vectors.tobytes()
        other = SPEC.model_copy(update={"requests_per_minute": 60})
        with EmbeddingLoop(FakeHash(other), other, None) as third:
            assert third.rates[0] is not one.rates[0]


class Closing(FakeHash):
    """The fake, which notes that it was closed, and may fail to."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__(SPEC)
        self.fails, self.closed = fails, 0

    async def aclose(self) -> None:
        self.closed += 1
        if self.fails:
            raise OSError("connection lost")


def test_the_provider_is_closed_on_the_loop_also_after_an_error() -> None:
    provider = Closing()
    with pytest.raises(ValueError, match="mine"), EmbeddingLoop(provider, SPEC, None):
        raise ValueError("mine")
    assert provider.closed == 1


def test_an_embedder_that_cannot_be_made_leaves_no_loop_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.embedding import embedder

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no")

    provider = Closing()
    monkeypatch.setattr(embedder, "Embedder", refuse)
    with pytest.raises(ValueError, match="no"), EmbeddingLoop(provider, SPEC, None):
        pass
    assert provider.closed == 1


def test_a_provider_that_cannot_be_closed_leaves_no_loop_behind() -> None:
    with pytest.raises(OSError, match="connection lost"), EmbeddingLoop(Closing(fails=True), SPEC, None) as loop:
        assert loop.call(["a text"]).embedded == 1


def test_threads_take_short_turns_only_while_there_is_a_loop() -> None:
    before = sys.getswitchinterval()
    with event_loop():
        assert sys.getswitchinterval() == pytest.approx(0.0005)
        with event_loop():
            pass
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert sys.getswitchinterval() == pytest.approx(before)
