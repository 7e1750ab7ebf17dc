"""The embedder's promises, with a provider that does what each test says."""

import asyncio
import selectors
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.config import EmbeddingSpec
from relance.embedding.budget import Budget, CostMeter
from relance.embedding.dispatch import pack
from relance.embedding.embedder import Embedder, vector_key
from relance.embedding.providers import ModelInfo, Reply
from relance.embedding.rate_limits import RateLimit
from relance.embedding.sparse import Sparse
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import (
    AccountError,
    BudgetError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RetryableError,
    SuspectInputError,
)

DIMENSION = 4


@pytest.fixture(autouse=True)
def no_backoff():
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def vector_of(text):
    vector = np.frombuffer(text.encode("utf-8", "replace").ljust(DIMENSION, b"x")[-DIMENSION:], dtype=np.uint8)
    vector = vector.astype(np.float32) + 1
    return vector / np.linalg.norm(vector)


def sparse_of(text):
    return Sparse.of([ord(letter) for letter in text], [0.5] * len(text))


class Scripted:
    """A provider that keeps every request and asks `behave(texts, call number)` what to do about it."""

    def __init__(self, behave=None, *, dimension=DIMENSION, **info):
        self.info = ModelInfo("test/model", dimension, space=f"test:{dimension}", **info)
        self.behave = behave
        self.requests = []
        self.in_flight = self.most_in_flight = 0

    @property
    def tokenizer(self):
        return open_tokenizer("words")

    @property
    def texts(self):
        return [text for request in self.requests for text in request]

    async def embed(self, texts, *, input_type):
        self.requests.append(texts)
        call = len(self.requests)
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        try:
            await asyncio.sleep(0)
            reply = self.behave(texts, call) if self.behave else None
            if asyncio.iscoroutine(reply):
                reply = await reply
        finally:
            self.in_flight -= 1
        return reply or self.reply(texts)

    def reply(self, texts):
        dense = np.array([vector_of(text) for text in texts])[:, : self.info.dimension]
        sparse = [sparse_of(text) for text in texts] if self.info.sparse else None
        return Reply(dense, tokens=10 * len(texts), sparse=sparse)

    async def aclose(self):
        pass


class Vectors:
    """A vector store in memory."""

    def __init__(self):
        self.kept = {}

    def __len__(self):
        return len(self.kept)

    def get(self, keys):
        return {key: self.kept[key] for key in keys if key in self.kept}

    def put(self, keys, vectors, sparse=None):
        assert vectors.dtype == np.float32
        assert len(keys) == len(vectors) > 0
        self.kept.update(zip(keys, zip(vectors, sparse or [None] * len(keys), strict=True), strict=True))


def setup(behave=None, *, store=None, info=None, **spec):
    provider = Scripted(behave, **(info or {}))
    return provider, Embedder(provider, EmbeddingSpec(model="test/model", **spec), store)


def embed(embedder, texts, input_type="document", **options):
    return asyncio.run(embedder.embed(texts, input_type=input_type, **options))


def refusing(*guilty, limit=10**9):
    """Refuse requests with a guilty text, or with too many."""

    def behave(texts, _call):
        if len(texts) > limit or set(texts) & set(guilty):
            raise InputError("refused")

    return behave


NAMES = [f"text {number:03}" for number in range(100)]


# Packing


@given(st.lists(st.integers(0, 50)), st.integers(0, 8), st.integers(0, 100))
def test_packing_takes_every_text_once_in_order_and_keeps_both_limits(tokens, max_texts, max_tokens):
    batches = list(pack(np.array(tokens, dtype=np.int64), max_texts=max_texts, max_tokens=max_tokens))
    assert [position for batch in batches for position in batch] == list(range(len(tokens)))
    for batch in batches:
        assert batch
        assert not max_texts or len(batch) <= max_texts
        assert not max_tokens or sum(tokens[p] for p in batch) <= max_tokens or len(batch) == 1


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 8), st.integers(50, 100))
def test_no_text_is_put_off_that_would_still_have_fitted(tokens, max_texts, max_tokens):
    batches = list(pack(np.array(tokens, dtype=np.int64), max_texts=max_texts, max_tokens=max_tokens))
    for batch, following in pairwise(batches):
        assert len(batch) == max_texts or sum(tokens[p] for p in [*batch, following[0]]) > max_tokens


def test_the_spec_overrides_the_models_limits_on_requests():
    provider, embedder = setup(info={"batch_texts": 2, "batch_tokens": 1000}, batch_texts=50, batch_tokens=20)
    embed(embedder, NAMES)  # two words each
    assert [len(request) for request in provider.requests] == [10] * 10


# What comes back


@settings(deadline=None)
@given(st.lists(st.sampled_from([*NAMES[:12], "", " \n", "bad"])), st.integers(1, 5))
def test_each_text_gets_its_own_vector_is_asked_for_once_and_is_counted_once(texts, batch_texts):
    provider, embedder = setup(refusing("bad"), store=Vectors(), batch_texts=batch_texts)
    result = embed(embedder, texts)
    assert result.vectors.shape == (len(texts), DIMENSION)
    assert result.vectors.dtype == np.float32
    for position, text in enumerate(texts):
        if text.strip() and text != "bad":
            np.testing.assert_allclose(result.vectors[position], vector_of(text), rtol=1e-6)
            assert position not in result.failures
        else:
            assert np.isnan(result.vectors[position]).all()
            assert result.failures[position]
    assert result.reused + result.embedded + result.duplicates + len(result.failures) == len(texts)
    good = [text for text in provider.texts if text != "bad"]
    if "bad" not in texts:
        assert max(Counter(good).values(), default=0) <= 1
        assert result.tokens == 10 * len(good)
    assert result.requests == len(provider.requests)


def test_nothing_to_do_makes_no_request():
    provider, embedder = setup(store=Vectors())
    result = embed(embedder, ["", "  "])
    assert result.failures.keys() == {0, 1}
    assert embed(embedder, []).vectors.shape == (0, DIMENSION)
    assert provider.requests == []


def test_cost_is_what_was_billed_times_the_price():
    _, embedder = setup(info={"price_per_million_tokens": 2.0})
    result = embed(embedder, NAMES)
    assert (result.tokens, result.cost_usd) == (1000, pytest.approx(0.002))


def test_a_text_over_the_models_limit_fails_without_a_request():
    provider, embedder = setup(info={"max_input_tokens": 3})
    result = embed(embedder, ["one two three", "one two three four"])
    assert result.failures.keys() == {1}
    assert "4 tokens" in result.failures[1]
    assert provider.texts == ["one two three"]


def test_counts_that_are_given_are_not_counted_again():
    provider, embedder = setup(info={"max_input_tokens": 3, "batch_tokens": 4})
    type(provider).tokenizer, kept = None, type(provider).tokenizer
    try:
        result = embed(embedder, ["a", "b", "c"], tokens=np.array([2, 9, 2]))
    finally:
        type(provider).tokenizer = kept
    assert result.failures.keys() == {1}
    assert provider.requests == [["a", "c"]]


def test_a_lone_surrogate_is_replaced_before_it_is_sent():
    provider, embedder = setup()
    assert not embed(embedder, ["broken \ud83d emoji"]).failures
    assert provider.texts == ["broken \N{REPLACEMENT CHARACTER} emoji"]


# Never pay twice


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
    provider, embedder = setup(refusing(*NAMES))
    with pytest.raises(ConfigurationError, match=r"Every text is refused.*refused"):
        embed(embedder, NAMES)
    assert len(provider.requests) == 1 + 5


def test_a_service_that_takes_fewer_texts_is_asked_for_fewer_from_then_on():
    provider, embedder = setup(refusing(limit=10), info={"batch_texts": 32})
    assert not embed(embedder, NAMES[:32]).failures
    del provider.requests[:]
    assert not embed(embedder, NAMES[32:]).failures
    assert max(len(request) for request in provider.requests) <= 10


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_vector_that_is_none_becomes_a_failure_and_is_not_stored(bad):
    def behave(texts, _call):
        vectors = np.array([vector_of(text) for text in texts])
        vectors[texts.index("bad")] = bad
        return Reply(vectors)

    _, embedder = setup(behave, store=(store := Vectors()))
    result = embed(embedder, ["good", "bad", "better"])
    assert result.failures.keys() == {1}
    assert result.embedded == 2
    assert store.kept.keys() == {vector_key("test:4", "document", text) for text in ("good", "better")}


@pytest.mark.parametrize("normalized", [True, False])
def test_vectors_are_of_unit_length_if_the_model_says_so(normalized):
    def behave(texts, _call):
        return Reply(np.array([3 * vector_of(text) for text in texts]))

    _, embedder = setup(behave, info={"normalized": normalized})
    norms = np.linalg.norm(embed(embedder, NAMES).vectors, axis=1)
    np.testing.assert_allclose(norms, 1 if normalized else 3, rtol=1e-6)


# Errors


@pytest.mark.parametrize("shape", [(1, 4), (3, 4), (2, 5), (2, 0)])
def test_a_reply_of_the_wrong_shape_is_asked_for_again_once_then_it_is_the_configuration(shape):
    def wrong(_texts, call):
        return Reply(np.ones(shape, dtype=np.float32)) if call <= times else None

    for times in (1, 99):
        provider, embedder = setup(wrong, store=(store := Vectors()))
        if times == 1:
            assert embed(embedder, ["a", "b"]).embedded == 2
        else:
            with pytest.raises(ConfigurationError, match="shape"):
                embed(embedder, ["a", "b"])
            assert len(store) == 0
        assert len(provider.requests) == 2


def failing(error, *, times=1, only=None):
    def behave(texts, call):
        if call <= times and (only is None or only in texts):
            raise error

    return behave


@pytest.mark.parametrize(
    "error", [RetryableError("down"), RateLimitedError("slow"), RateLimitedError("slow", retry_after_s=0)]
)
def test_a_passing_trouble_is_waited_out(error):
    provider, embedder = setup(failing(error, times=3), max_attempts=4)
    assert embed(embedder, NAMES).embedded == 100
    assert len(provider.requests) == 4


def test_used_up_attempts_raise_and_keep_what_was_bought():
    provider, embedder = setup(
        failing(RetryableError("down"), times=99, only=NAMES[15]),
        store=(store := Vectors()),
        batch_texts=10,
        max_concurrency=2,
        max_attempts=3,
    )
    with pytest.raises(RetryableError, match="down"):
        embed(embedder, NAMES)
    assert sum(NAMES[15] in request for request in provider.requests) == 3
    assert len(store) >= 10
    bought = len(store)
    provider, embedder = setup(store=store)
    assert embed(embedder, NAMES).reused == bought
    assert len(provider.texts) == 100 - bought


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


# Budget, stop, limits


class Ledger(CostMeter):
    """A meter that keeps what it was asked, with the number of requests sent until then."""

    def __init__(self, provider, limit_usd=None, **options):
        super().__init__(provider.info, Budget(limit_usd), **options)
        self.provider = provider
        self.lines = []

    def reserve(self, tokens):
        self.lines.append(("reserve", tokens, len(self.provider.requests)))
        super().reserve(tokens)

    def settle(self, reserved, billed, cost=None):
        self.lines.append(("settle", reserved, billed))
        return super().settle(reserved, billed, cost)


def test_every_attempt_is_reserved_before_it_is_sent_and_settled_with_its_bill():
    provider, embedder = setup(failing(RetryableError("down")), batch_texts=10, max_concurrency=1)
    ledger = Ledger(provider)
    embed(embedder, NAMES, meter=ledger)
    # Two words a text, billed as ten; the first request was sent twice.
    assert ledger.lines[0::2] == [("reserve", 20, sent) for sent in range(11)]
    assert ledger.lines[1::2] == [("settle", 20, 0), *[("settle", 20, 100)] * 10]


@pytest.mark.parametrize("trouble", [AccountError("unpaid"), RetryableError("down"), OSError("disk full")])
def test_every_reservation_is_settled_also_where_the_call_ends_with_an_error(trouble):
    class Full(Vectors):
        def put(self, keys, vectors, sparse=None):
            raise trouble

    if isinstance(trouble, OSError):
        provider, embedder = setup(store=Full(), batch_texts=10)
    else:
        provider, embedder = setup(failing(trouble, times=99, only=NAMES[55]), batch_texts=10, max_attempts=2)
    ledger = Ledger(provider)
    with pytest.raises(type(trouble)):
        embed(embedder, NAMES, meter=ledger)
    reserved = [line[1] for line in ledger.lines if line[0] == "reserve"]
    settled = [line[1] for line in ledger.lines if line[0] == "settle"]
    assert reserved == settled == [20] * len(provider.requests)


def test_the_budget_stops_before_the_request_that_would_exceed_it():
    provider, embedder = setup(store=(store := Vectors()), info={"price_per_million_tokens": 1e6}, batch_texts=10)
    with pytest.raises(BudgetError):
        embed(embedder, NAMES, meter=CostMeter(provider.info, Budget(75.0)))  # $20 a request is expected
    assert len(provider.requests) == 3
    assert len(store) == 30


def test_a_bill_that_is_higher_than_expected_is_received_and_stops_the_next_request():
    provider, embedder = setup(
        store=(store := Vectors()), info={"price_per_million_tokens": 1e6}, batch_texts=10, max_concurrency=1
    )
    accounts = []
    with pytest.raises(BudgetError):  # $20 is expected, $100 billed
        embed(embedder, NAMES, meter=CostMeter(provider.info, Budget(210.0)), account=accounts.append)
    assert len(provider.requests) == 2
    assert len(store) == 20
    assert (accounts[0].tokens, accounts[0].cost_usd) == (200, pytest.approx(200.0))


def test_what_is_free_costs_nothing_and_the_rest_its_price():
    provider, embedder = setup(info={"price_per_million_tokens": 1e6}, batch_texts=10)
    budget = Budget()
    result = embed(embedder, NAMES, meter=CostMeter(provider.info, budget, free_tokens=640))
    assert (result.tokens, result.cost_usd) == (1000, pytest.approx(360.0))
    assert budget.reserved_usd == pytest.approx(360.0)


@pytest.mark.parametrize("paying", [True, False])
def test_a_bill_in_dollars_counts_rather_than_the_price(paying):
    def dear(texts, _call):
        return Reply(np.array([vector_of(text) for text in texts]), tokens=10 * len(texts), cost_usd=0.5)

    provider, embedder = setup(dear, info={"price_per_million_tokens": 2.0}, batch_texts=10)
    meter = CostMeter(provider.info, Budget()) if paying else None
    assert embed(embedder, NAMES, meter=meter).cost_usd == pytest.approx(5.0)


def test_a_stop_ends_between_requests():
    provider, embedder = setup(store=(store := Vectors()), batch_texts=10, max_concurrency=1)
    with pytest.raises(RetryableError, match="stopped"):
        embed(embedder, NAMES, stop=lambda: len(provider.requests) >= 3)
    assert (len(provider.requests), len(store)) == (3, 30)


def test_requests_in_flight_never_exceed_the_limit_and_reach_it():
    provider, embedder = setup(batch_texts=1, max_concurrency=6)
    embed(embedder, NAMES)
    assert provider.most_in_flight == 6


def test_a_local_model_gets_one_request_at_a_time():
    provider, embedder = setup(info={"local": True}, batch_texts=1, max_concurrency=6)
    embed(embedder, NAMES)
    assert provider.most_in_flight == 1


def test_too_many_requests_halve_what_is_in_flight():
    provider, embedder = setup(failing(RateLimitedError("slow"), times=4), batch_texts=1, max_concurrency=4)
    embed(embedder, NAMES[:4])
    assert embedder.dispatcher.concurrency.epoch == 1  # four refusals of one round trip, one halving
    assert embedder.dispatcher.concurrency.limit < 4
    assert len(provider.requests) == 8


def test_rates_per_minute_hold_for_repeated_requests_too():
    class Rate:
        def __init__(self):
            self.amounts = []

        async def acquire(self, amount=1.0):
            self.amounts.append(amount)

    _, embedder = setup(failing(RetryableError("down")), batch_texts=50)
    requests, tokens = embedder.dispatcher.request_rate, embedder.dispatcher.token_rate = Rate(), Rate()
    embed(embedder, NAMES)
    assert requests.amounts == [1.0] * 3
    assert tokens.amounts == [100] * 3


def test_a_single_question_needs_no_tokenizer():
    class Bare(Scripted):
        @property
        def tokenizer(self):
            raise AssertionError("loaded")

    provider = Bare(max_input_tokens=100)
    embedder = Embedder(provider, EmbeddingSpec(model="test/model"))
    assert embed(embedder, ["short question"], "query").embedded == 1
    with pytest.raises(AssertionError, match="loaded"):
        embed(embedder, ["long question " * 50], "query")


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when there is nothing else to do."""

    class Jump(selectors.SelectSelector):
        now = 0.0

        def select(self, timeout=None):
            self.now += timeout or 0.0
            return super().select(timeout if timeout is None else 0)

    def __init__(self):
        self.selector = self.Jump()
        super().__init__(self.selector)

    def time(self):
        return self.selector.now


def test_requests_that_waited_for_tokens_do_not_leave_in_a_bunch():
    """A large text holds up the small ones behind it; what then leaves keeps to the requests of every second."""

    async def main():
        loop = asyncio.get_running_loop()
        sent = []
        _, embedder = setup(lambda *_: sent.append(loop.time()), batch_texts=1, max_concurrency=40)
        embedder.dispatcher.request_rate = RateLimit(300, even=True, clock=loop.time)  # 5 a second
        embedder.dispatcher.token_rate = RateLimit(1200, clock=loop.time)  # 20 a second
        sizes = np.array(([100] + [1] * 24) * 2)
        assert (await embedder.embed(NAMES[:50], input_type="document", tokens=sizes)).embedded == 50
        return sent

    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        sent = runner.run(main())
    assert max(sum(start <= time < start + 1 for time in sent) for start in sent) <= 5
    assert sent[-1] > 10


# Packing by what inputs weigh


MOST = {"image": 3, "video": 1, "pictures": 4}


@given(
    st.lists(st.tuples(st.sampled_from(["", "image", "video", "images"]), st.integers(1, 50))),
    st.integers(0, 8),
    st.integers(0, 200),
)
def test_packing_keeps_the_limit_of_each_kind_and_puts_off_nothing_that_would_fit(inputs, max_texts, max_tokens):
    tokens = [count for _, count in inputs]
    # A set has as many pictures as it has tokens, up to six.
    pictures = {"image": lambda _: 1, "images": lambda count: min(count, 6)}
    loads = [
        {kind: 1, "pictures": pictures.get(kind, lambda _: 0)(count)} if kind else {} for kind, count in inputs
    ]  # fmt: skip
    counts = np.array(tokens, dtype=np.int64)
    batches = list(pack(counts, max_texts=max_texts, max_tokens=max_tokens, loads=loads, most=MOST))
    assert [position for batch in batches for position in batch] == list(range(len(inputs)))

    def fits(batch):
        held = sum((Counter(loads[position]) for position in batch), Counter())
        return (
            all(held[name] <= most for name, most in MOST.items())
            and (not max_texts or len(batch) <= max_texts)
            and (not max_tokens or sum(tokens[position] for position in batch) <= max_tokens)
        )

    assert all(fits(batch) or len(batch) == 1 for batch in batches)
    assert not any(fits([*batch, following[0]]) for batch, following in pairwise(batches))


# Sparse vectors

BOTH = {"sparse": True}
ONLY = {"sparse": True, "dimension": 0}


@pytest.mark.parametrize("info", [BOTH, ONLY])
@settings(deadline=None)
@given(texts=st.lists(st.sampled_from([*NAMES[:9], "", "bad"])), batch_texts=st.integers(1, 4))
def test_each_text_gets_its_own_sparse_vector_bought_reused_or_shared(info, texts, batch_texts):
    store = Vectors()
    _, embedder = setup(store=store, info=info)
    embed(embedder, NAMES[:4])
    provider, embedder = setup(refusing("bad"), store=store, info=info, batch_texts=batch_texts)
    result = embed(embedder, texts)
    assert result.vectors.shape == (len(texts), provider.info.dimension)
    for position, text in enumerate(texts):
        if text in ("", "bad"):
            assert result.sparse[position] is None
            assert result.failures[position]
        else:
            assert result.sparse[position] == sparse_of(text)
            np.testing.assert_allclose(result.vectors[position], vector_of(text)[: provider.info.dimension], rtol=1e-6)
    assert len(result.sparse) == len(texts)
    assert result.reused + result.embedded + result.duplicates + len(result.failures) == len(texts)
    assert not set(provider.texts) & set(NAMES[:4])


def test_a_model_without_sparse_vectors_gives_none():
    _, embedder = setup(store=(store := Vectors()))
    assert embed(embedder, NAMES).sparse == []
    assert {sparse for _, sparse in store.kept.values()} == {None}


def test_a_call_that_waits_for_another_gets_its_sparse_vectors_too():
    provider, embedder = setup(info=BOTH, batch_texts=7)

    async def main():
        calls = [embedder.embed(names, input_type="document") for names in (NAMES[:60], NAMES[40:])]
        return await asyncio.gather(*calls)

    _, two = asyncio.run(main())
    assert Counter(provider.texts) == Counter(NAMES)
    assert two.sparse == [sparse_of(text) for text in NAMES[40:]]


@pytest.mark.parametrize("info", [BOTH, ONLY])
@pytest.mark.parametrize("sparse", [None, [], [sparse_of("a")], [sparse_of("a")] * 3])
def test_a_reply_with_too_few_or_too_many_sparse_vectors_is_asked_for_again(info, sparse):
    def wrong(texts, call):
        dense = np.array([vector_of(text) for text in texts])[:, : info.get("dimension", DIMENSION)]
        return Reply(dense, sparse=sparse) if call <= times else None

    for times in (1, 99):
        provider, embedder = setup(wrong, store=(store := Vectors()), info=info)
        if times == 1:
            assert embed(embedder, ["a", "b"]).sparse == [sparse_of("a"), sparse_of("b")]
        else:
            with pytest.raises(ConfigurationError, match=f"{len(sparse or [])} sparse vectors for 2 texts"):
                embed(embedder, ["a", "b"])
            assert len(store) == 0
        assert len(provider.requests) == 2


def test_a_text_whose_dense_vector_is_none_leaves_the_others_their_own_sparse_ones():
    def behave(texts, _call):
        vectors = np.array([vector_of(text) for text in texts])
        vectors[texts.index("bad")] = np.nan
        return Reply(vectors, sparse=[sparse_of(text) for text in texts])

    _, embedder = setup(behave, info=BOTH, store=(store := Vectors()))
    result = embed(embedder, ["good", "bad", "better"])
    assert result.sparse == [sparse_of("good"), None, sparse_of("better")]
    assert [sparse for _, sparse in store.kept.values()] == [sparse_of("good"), sparse_of("better")]


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
    with pytest.raises(SuspectInputError):
        asyncio.run(embedder.embed([f"text {i}" for i in range(64)], input_type="document"))
