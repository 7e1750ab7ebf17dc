"""The embedder within its limits: budget, stop, requests at once and by the minute."""

import asyncio
import selectors

import numpy as np
import pytest
from scripted_provider import NAMES, Scripted, Vectors, embed, failing, setup, vector_of

from relance.config import EmbeddingSpec
from relance.embedding.budget import Budget, CostMeter
from relance.embedding.dispatch import PROBE
from relance.embedding.embedder import Embedder
from relance.embedding.providers import Reply
from relance.embedding.rate_limits import RateLimit
from relance.errors import AccountError, BudgetError, RateLimitedError, RetryableError

pytestmark = pytest.mark.usefixtures("no_backoff")


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
        only = NAMES[55] if isinstance(trouble, AccountError) else None
        provider, embedder = setup(failing(trouble, times=99, only=only), batch_texts=10, max_attempts=2)
    ledger = Ledger(provider)
    with pytest.raises(type(trouble)):
        embed(embedder, NAMES, meter=ledger)
    reserved = [line[1] for line in ledger.lines if line[0] == "reserve"]
    settled = [line[1] for line in ledger.lines if line[0] == "settle"]
    assert reserved == settled == [20 if len(request) > 1 else len(PROBE) for request in provider.requests]


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
