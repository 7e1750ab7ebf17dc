"""What repeats says who is guilty, whatever the service answers: the input, the service, or the request."""

import asyncio
import random

import numpy as np
import pytest
from scripted_provider import NAMES, Vectors, embed, setup, vector_of

from relance.embedding.dispatch import PROBE
from relance.embedding.providers import BadReplyError, Reply
from relance.errors import (
    AccountError,
    ConfigurationError,
    DeniedError,
    InputError,
    RateLimitedError,
    RetryableError,
    SuspectInputError,
    UnreachableError,
)

pytestmark = pytest.mark.usefixtures("no_backoff")

MANY = [f"text {number:03}" for number in range(256)]
# What a service answers that cannot work on a text: 400, 413 and 422; 403; 424 and 5xx; 500 of a pipeline; no vectors.
ANSWERS = [InputError, DeniedError, RetryableError, SuspectInputError, BadReplyError]


def blaming(guilty, kind, also=lambda _texts, _call: None):
    def behave(texts, call):
        also(texts, call)
        if set(texts) & set(guilty):
            raise kind("it failed")

    return behave


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("before", [0, 10])
@pytest.mark.parametrize("places", [[0], [63], [31, 32], [0, 1, 2, 3, 63]])
def test_whatever_the_answer_the_guilty_fail_alone_and_the_rest_goes_through(kind, before, places):
    guilty = {MANY[place] for place in places}
    provider, embedder = setup(blaming(guilty, kind), store=(store := Vectors()), batch_texts=64, max_attempts=6)
    embed(embedder, [f"before {number}" for number in range(before)])
    del provider.requests[:]
    result = embed(embedder, MANY[:64])
    assert {MANY[place] for place in result.failures} == guilty
    assert set(result.failures.values()) == {"it failed"}
    assert result.embedded == 64 - len(guilty)
    assert len(store) == 64 - len(guilty) + before
    sent = [text for request in provider.requests for text in request if text not in guilty]
    assert result.requests == len(provider.requests) <= 6 + len(guilty) * (2 * 6 + 3), len(sent)


@pytest.mark.parametrize(("kind", "most"), [(InputError, 14), (SuspectInputError, 18), (RetryableError, 18)])
def test_one_guilty_text_of_64_costs_two_requests_a_level_and_a_few(kind, most):
    provider, embedder = setup(blaming({MANY[21]}, kind), batch_texts=64)
    assert embed(embedder, MANY[:64]).failures.keys() == {21}
    assert len(provider.requests) <= most


@pytest.mark.parametrize("kind", ANSWERS)
def test_five_guilty_texts_of_256_do_not_multiply_requests(kind):
    guilty = {MANY[place] for place in (3, 77, 78, 160, 255)}
    provider, embedder = setup(blaming(guilty, kind), batch_texts=256)
    assert embed(embedder, MANY).embedded == 251
    assert len(provider.requests) <= 5 * 2 * 8 + 20


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_guilty_text_that_is_all_there_is_to_send_fails_alone(kind):
    """As in every run after the one that found it."""
    provider, embedder = setup(blaming({"guilty"}, kind), max_attempts=6)
    result = embed(embedder, ["guilty"])
    assert result.failures == {0: "it failed"}
    assert [PROBE] in provider.requests
    assert 1 <= provider.requests.count(["guilty"]) <= 4


@pytest.mark.parametrize("kind", ANSWERS)
def test_many_guilty_texts_in_a_row_end_no_run(kind):
    guilty = set(MANY[:32])
    _, embedder = setup(blaming(guilty, kind), batch_texts=8, max_concurrency=2)
    result = embed(embedder, MANY[:64])
    assert set(result.failures) == set(range(32))
    assert result.embedded == 32


@pytest.mark.parametrize(
    ("kind", "raised", "says"),
    [
        (InputError, ConfigurationError, "Every text is refused"),
        (BadReplyError, ConfigurationError, "It did so again: check embedding.model"),
        (DeniedError, DeniedError, "it failed"),
        (AccountError, AccountError, "it failed"),
        (RetryableError, RetryableError, "it failed"),
        (UnreachableError, UnreachableError, "it failed"),
    ],
)
def test_where_nothing_goes_through_no_text_is_blamed(kind, raised, says):
    def always(_texts, _call):
        raise kind("it failed")

    provider, embedder = setup(always, batch_texts=64, max_attempts=4)
    with pytest.raises(raised, match=says):
        embed(embedder, MANY[:64])
    assert len(provider.requests) <= 2 + 4


@pytest.mark.parametrize("kind", [RetryableError, SuspectInputError, UnreachableError, DeniedError])
@pytest.mark.parametrize("size", [1, 40])
def test_an_outage_is_waited_for_and_no_text_is_blamed(kind, size):
    def out(_texts, call):
        if 2 <= call <= 5:
            raise kind("it is away")

    _, embedder = setup(out, batch_texts=20, max_concurrency=1, max_attempts=6)
    embed(embedder, ["before"])
    if kind is DeniedError:  # whoever is forbidden everything has lost a right
        with pytest.raises(DeniedError):
            embed(embedder, MANY[:size])
    else:
        result = embed(embedder, MANY[:size])
        assert (result.failures, result.embedded) == ({}, size)


def test_an_outage_in_the_middle_of_a_search_blames_nobody_else():
    def out(_texts, call):
        if 6 <= call <= 9:
            raise RetryableError("it is away")

    _, embedder = setup(blaming({MANY[5]}, RetryableError, out), batch_texts=64, max_attempts=6)
    result = embed(embedder, MANY[:64])
    assert result.failures.keys() == {5}
    assert result.embedded == 63


def test_a_text_that_crashes_the_server_is_found_although_each_time_the_server_is_away_for_a_while():
    away = 0

    def crash(texts, _call):
        nonlocal away
        if away:
            away -= 1
            raise UnreachableError("refused")
        if "guilty" in texts:
            away = 2
            raise RetryableError("reset")

    _, embedder = setup(crash, batch_texts=16, max_attempts=6)
    result = embed(embedder, [*MANY[:9], "guilty", *MANY[9:15]])
    assert result.failures == {9: "reset"}
    assert result.embedded == 15


@pytest.mark.parametrize("batch_texts", [1, 8])
def test_a_service_that_falls_over_every_fifth_request_blames_nobody(batch_texts):
    dice = random.Random(3)  # the same each time

    def shaky(_texts, _call):
        if dice.random() < 0.2:
            raise RetryableError("reset")

    _, embedder = setup(shaky, batch_texts=batch_texts, max_attempts=20)
    embed(embedder, [f"warm {number}" for number in range(40)])
    result = embed(embedder, [f"text {number}" for number in range(1000)])
    assert (result.failures, result.embedded) == ({}, 1000)


def test_a_right_that_is_lost_on_the_way_ends_the_run():
    def lost(_texts, call):
        if call > 3:
            raise DeniedError("no longer")

    _, embedder = setup(lost, store=(store := Vectors()), batch_texts=8, max_concurrency=1)
    with pytest.raises(DeniedError, match="no longer"):
        embed(embedder, MANY[:64])
    assert len(store) == 24


def test_a_service_that_is_busy_while_it_is_asked_how_it_is_is_waited_for():
    def behave(texts, call):
        if texts == [PROBE] and call < 5:
            raise RateLimitedError("slow", retry_after_s=0)
        if "guilty" in texts:
            raise InputError("bad")

    _, embedder = setup(behave, batch_texts=8)
    assert embed(embedder, ["good", "guilty", "better"]).failures == {1: "bad"}


def test_batches_the_service_falls_over_twice_become_smaller():
    def behave(texts, _call):
        if len(texts) > 5:
            raise RetryableError("timed out")

    provider, embedder = setup(behave, batch_texts=16, max_concurrency=1)
    assert not embed(embedder, MANY[:32]).failures
    del provider.requests[:]
    assert not embed(embedder, MANY[32:64]).failures
    assert max(len(request) for request in provider.requests) <= 4


def test_what_asks_whether_the_service_is_well_is_paid_for_like_anything_else():
    provider, embedder = setup(blaming({"guilty"}, InputError))
    result = embed(embedder, ["guilty"])
    assert (result.requests, result.tokens) == (len(provider.requests), 10) == (2, 10)


# Answers that have nothing to do with what was sent


def constant(texts, _call):
    return Reply(np.tile(vector_of("same"), (len(texts), 1)))


@pytest.mark.parametrize("batch_texts", [1, 8])
def test_a_service_that_gives_every_text_the_same_vector_is_found_out(batch_texts):
    _, embedder = setup(constant, store=(store := Vectors()), batch_texts=batch_texts, max_concurrency=1)
    with pytest.raises(ConfigurationError, match=r"one and the same vector: check embedding\.model"):
        embed(embedder, MANY[:16])
    assert len(store) <= (batch_texts == 1)  # of one text nobody can tell


def test_a_service_that_mixes_up_what_it_is_sent_together_gets_one_text_at_a_time():
    _, embedder = setup(
        lambda texts, _: Reply(np.tile(vector_of(texts[0]), (len(texts), 1))), store=(store := Vectors())
    )
    result = embed(embedder, MANY[:8])
    assert (result.failures, result.embedded) == ({}, 8)
    for place, vector in enumerate(result.vectors):
        np.testing.assert_allclose(vector, vector_of(MANY[place]), rtol=1e-6)
    assert len(store) == 8


@pytest.mark.parametrize(
    "texts", [["Hello", "hello!", "HELLO "], ["🙂", "🙃", "🙄"], ["long " * 99 + end for end in "abc"]]
)
def test_texts_that_are_the_same_to_the_model_may_share_a_vector(texts):
    def behave(sent, _call):
        return Reply(np.array([vector_of("relance" if text == PROBE else "same") for text in sent]))

    _, embedder = setup(behave, max_concurrency=1)
    result = embed(embedder, texts)
    assert (result.failures, result.embedded) == ({}, 3)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_service_whose_vectors_are_all_none_ends_the_run(value):
    def behave(texts, _call):
        return Reply(np.full((len(texts), 4), value, dtype=np.float32))

    provider, embedder = setup(behave, store=(store := Vectors()))
    with pytest.raises(ConfigurationError, match=r"vectors (of zeros|with values that are not finite)"):
        asyncio.run(embedder.embed(NAMES, input_type="document"))
    assert (len(store), len(provider.requests)) == (0, 3)
