"""The embedder pays for no text twice."""

import asyncio
from collections import Counter

import numpy as np
import pytest
from scripted_provider import NAMES, Vectors, embed, setup, vector_of

from relance.embedding.budget import Budget, CostMeter
from relance.errors import AccountError, BudgetError

pytestmark = pytest.mark.usefixtures("no_backoff")


def test_what_is_in_the_store_is_not_bought_again():
    provider, embedder = setup(store=(store := Vectors()))
    first = embed(embedder, NAMES[:50])
    provider, embedder = setup(store=store)
    second = embed(embedder, NAMES)
    assert provider.texts == NAMES[50:]
    assert (second.reused, second.embedded) == (50, 50)
    np.testing.assert_array_equal(second.vectors[:50], first.vectors)


def test_queries_and_documents_do_not_share_vectors():
    provider, embedder = setup(store=Vectors())
    embed(embedder, ["same"], "query")
    embed(embedder, ["same"], "document")
    assert provider.texts == ["same", "same"]


def test_without_a_store_nothing_is_reused():
    provider, embedder = setup()
    embed(embedder, ["same"])
    embed(embedder, ["same"])
    assert provider.texts == ["same", "same"]


def test_the_same_text_in_two_calls_at_once_is_asked_for_once():
    provider, embedder = setup(store=Vectors(), batch_texts=7)

    async def main():
        return await asyncio.gather(
            embedder.embed(NAMES[:60], input_type="document"), embedder.embed(NAMES[40:], input_type="document")
        )

    one, two = asyncio.run(main())
    assert Counter(provider.texts) == Counter(NAMES)
    assert (one.embedded, two.embedded, two.duplicates) == (60, 40, 20)
    np.testing.assert_allclose(two.vectors, [vector_of(text) for text in NAMES[40:]], rtol=1e-6)


def test_a_call_that_comes_after_the_account_was_refused_sends_nothing():
    def refuse(texts, call):
        raise AccountError("the bill is not paid")

    provider, embedder = setup(refuse)

    async def main():
        calls = (embedder.embed([name], input_type="document") for name in ("one", "two"))
        return [await asyncio.gather(call, return_exceptions=True) for call in calls]

    errors = asyncio.run(main())
    assert [str(error) for (error,) in errors] == ["the bill is not paid"] * 2
    assert provider.requests == [["one"]]


def test_a_text_given_up_by_the_call_that_was_at_it_is_taken_over():
    provider, embedder = setup(store=Vectors(), info={"price_per_million_tokens": 1.0})
    no_money = CostMeter(provider.info, Budget(0.0))

    async def main():
        return await asyncio.gather(
            embedder.embed(["text"], input_type="document", meter=no_money),
            embedder.embed(["text"], input_type="document"),
            return_exceptions=True,
        )

    one, two = asyncio.run(main())
    assert isinstance(one, BudgetError)
    assert (two.embedded, two.failures) == (1, {})
    assert provider.requests == [["text"]]


def test_a_cancelled_call_leaves_its_texts_to_others():
    async def main():
        started, hang = asyncio.Event(), asyncio.Event()

        async def behave():
            started.set()
            await hang.wait()

        provider, embedder = setup(lambda _texts, call: behave() if call == 1 else None, store=Vectors())
        one = asyncio.create_task(embedder.embed(["text"], input_type="document"))
        await started.wait()
        two = asyncio.create_task(embedder.embed(["text"], input_type="document"))
        await asyncio.sleep(0)
        one.cancel()
        result = await asyncio.wait_for(two, 5)
        with pytest.raises(asyncio.CancelledError):
            await one
        assert (result.embedded, provider.in_flight, len(provider.requests)) == (1, 0, 2)
        assert embedder.dispatcher.concurrency.in_flight == 0

    asyncio.run(main())


def test_a_reply_is_stored_before_the_next_one_is_there():
    store = Vectors()
    seen = []

    def behave(_texts, _call):
        seen.append(len(store))

    _, embedder = setup(behave, store=store, batch_texts=10, max_concurrency=1)
    embed(embedder, NAMES)
    assert seen == list(range(0, 100, 10))
