"""Texts that are refused and errors that end a call, with a provider that does what each test says."""

import asyncio

import numpy as np
import pytest
import stamina
from scripted_provider import NAMES, Vectors, embed, failing, refusing, setup

from relance.embedding.providers import Reply
from relance.errors import (
    AccountError,
    ConfigurationError,
    RateLimitedError,
    RetryableError,
    SuspectInputError,
    UnreachableError,
)

pytestmark = pytest.mark.usefixtures("no_backoff")


# One bad text stops nothing else


@pytest.mark.parametrize("size", [1, 2, 3, 64, 100])
def test_guilty_texts_are_found_in_a_batch_and_the_rest_goes_through(size):
    guilty = {NAMES[0], NAMES[size // 2], NAMES[size - 1]}
    provider, embedder = setup(refusing(*guilty), store=(store := Vectors()))
    result = embed(embedder, NAMES[:size])
    assert {NAMES[position] for position in result.failures} == guilty
    assert set(result.failures.values()) == {"refused"}
    assert len(store) == result.embedded == size - len(guilty)
    assert len(provider.requests) <= 1 + 5 + len(guilty) * 2 * 7


def test_a_request_that_is_wrong_itself_is_no_fault_of_its_texts():
    provider, embedder = setup(refusing(limit=0), batch_texts=100)
    with pytest.raises(ConfigurationError, match=r"Every text is refused.*refused"):
        embed(embedder, NAMES)
    assert [len(request) for request in provider.requests] == [100, 1]


def test_a_service_that_takes_fewer_texts_is_asked_for_fewer_from_then_on():
    provider, embedder = setup(refusing(limit=10), info={"batch_texts": 32})
    assert not embed(embedder, NAMES[:32]).failures
    del provider.requests[:]
    assert not embed(embedder, NAMES[32:]).failures
    assert max(len(request) for request in provider.requests) <= 10


# Errors


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((0, 4), "0 vectors for 2 inputs"),
        ((3, 4), "3 vectors for 2 inputs"),
        ((2, 5), "dimension 5 instead of 4; set dimension: 5"),
        ((2, 0), "dimension 0 instead of 4"),
    ],
)
def test_a_reply_of_the_wrong_shape_is_asked_for_again_once_then_it_is_the_configuration(shape, said):
    def wrong(_texts, call):
        return Reply(np.eye(*shape, dtype=np.float32)) if call <= times else None

    for times in (1, 99):
        provider, embedder = setup(wrong, store=(store := Vectors()))
        if times == 1:
            assert embed(embedder, ["a", "b"]).embedded == 2
        else:
            with pytest.raises(ConfigurationError, match=said):
                embed(embedder, ["a", "b"])
            assert len(store) == 0
        assert len(provider.requests) == (2 if times == 1 else 3)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (RetryableError("down"), "fails"),
        (UnreachableError("away"), "cannot be reached"),
        (RateLimitedError("slow"), "asks for fewer requests"),
        (RateLimitedError("slow", retry_after_s=0), "asks for fewer requests"),
    ],
)
def test_a_passing_trouble_is_waited_out_and_said_while_it_lasts(error, what):
    provider, embedder = setup(failing(error, times=3), max_attempts=4)
    said = []
    embedder.dispatcher.on_wait = said.append
    assert embed(embedder, NAMES).embedded == 100
    assert 4 <= len(provider.requests) <= 5
    assert said[0] == f"{provider.info.name} {what}, trying again"
    assert said.count("") == 1
    assert said[-1] == "", "it is over"


def test_used_up_attempts_raise_and_keep_what_was_bought():
    provider, embedder = setup(
        lambda _texts, call: down() if call > 3 else None, store=(store := Vectors()), batch_texts=10, max_attempts=3
    )
    with pytest.raises(RetryableError, match="down"):
        embed(embedder, NAMES)
    assert len(store) == 30
    assert (
        len(provider.requests) < 3 + 7 * 2 + 3 * 7
    )  # seven at once, each sent twice; then who asks whether it is back
    provider, embedder = setup(store=store)
    assert embed(embedder, NAMES).reused == 30
    assert len(provider.texts) == 70


def test_a_pause_longer_than_patience_is_left_to_the_next_run():
    provider, embedder = setup(failing(RateLimitedError("tomorrow", retry_after_s=86_400), times=99))
    with pytest.raises(RateLimitedError, match="tomorrow"):
        embed(embedder, ["text"])
    assert len(provider.requests) == 1


def test_the_pause_a_service_asks_for_is_kept():
    with stamina.set_testing(False):
        provider, embedder = setup(failing(RateLimitedError("slow", retry_after_s=0.2)))

        async def main():
            clock = asyncio.get_running_loop().time
            start = clock()
            await embedder.embed(["text"], input_type="document")
            return clock() - start

        assert 0.2 <= asyncio.run(main()) < 5
        assert len(provider.requests) == 2


def test_a_fatal_error_waits_for_replies_in_flight_and_sends_nothing_more():
    async def main():
        refused = asyncio.Event()

        async def slow():
            await refused.wait()
            await asyncio.sleep(0.01)

        def behave(texts, _call):
            if NAMES[0] in texts:
                refused.set()
                raise AccountError("no such key")
            return slow()

        store = Vectors()
        provider, embedder = setup(behave, store=store, batch_texts=10, max_concurrency=3)
        with pytest.raises(AccountError, match="no such key"):
            await embedder.embed(NAMES, input_type="document")
        assert len(provider.requests) == 3
        assert len(store) == 20
        assert (provider.in_flight, embedder.dispatcher.concurrency.in_flight) == (0, 0)

    asyncio.run(main())


def test_a_fatal_error_is_raised_rather_than_a_passing_one():
    def behave(texts, _call):
        raise AccountError("unpaid") if NAMES[99] in texts else RetryableError("down")

    _, embedder = setup(behave, batch_texts=50, max_attempts=1)
    with pytest.raises(AccountError):
        embed(embedder, NAMES)


def test_a_store_that_cannot_keep_a_vector_is_not_passed_over():
    class Full(Vectors):
        def put(self, keys, vectors, sparse=None):
            raise OSError("disk full")

    _, embedder = setup(store=Full())
    with pytest.raises(OSError, match="disk full"):
        embed(embedder, NAMES)


def down():
    raise RetryableError("down")


def fall_over(guilty):
    def behave(texts, _):
        if guilty(texts):
            raise SuspectInputError("it fell over")

    return behave


def test_an_input_the_service_falls_over_again_and_again_fails_alone_and_the_rest_goes_through():
    texts = [f"text {i}" for i in range(8)]
    provider, embedder = setup(fall_over(lambda texts: "text 3" in texts), batch_texts=8)
    result = asyncio.run(embedder.embed(texts, input_type="document"))
    assert result.failures == {3: "it fell over"}
    assert result.embedded == 7
    assert sum(request == ["text 3"] for request in provider.requests) == 3  # it may have been chance twice


def test_a_service_that_falls_over_everything_is_waited_for_and_no_text_is_blamed():
    _, embedder = setup(fall_over(lambda _: True), batch_texts=64)
    with pytest.raises(SuspectInputError, match="fell over"):
        asyncio.run(embedder.embed([f"text {i}" for i in range(64)], input_type="document"))
