"""What the embedder returns for each text, with a provider that does what each test says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_provider import DIMENSION, NAMES, Vectors, embed, refusing, setup, vector_of

from relance.embedding.embedder import vector_key
from relance.embedding.providers import Reply

pytestmark = pytest.mark.usefixtures("no_backoff")


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
