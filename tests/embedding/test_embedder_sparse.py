"""Sparse vectors that the embedder buys, stores and reuses."""

import asyncio
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_provider import DIMENSION, NAMES, Vectors, embed, refusing, setup, sparse_of, vector_of

from relance.embedding.providers import Reply
from relance.errors import ConfigurationError

pytestmark = pytest.mark.usefixtures("no_backoff")


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
@pytest.mark.parametrize("sparse", [None, [], [sparse_of("a")] * 3])
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
        assert len(provider.requests) == (2 if times == 1 else 3)


def test_a_text_whose_dense_vector_is_none_leaves_the_others_their_own_sparse_ones():
    def behave(texts, _call):
        vectors = np.array([vector_of(text) for text in texts])
        vectors[texts.index("bad")] = np.nan
        return Reply(vectors, sparse=[sparse_of(text) for text in texts])

    _, embedder = setup(behave, info=BOTH, store=(store := Vectors()))
    result = embed(embedder, ["good", "bad", "better"])
    assert result.sparse == [sparse_of("good"), None, sparse_of("better")]
    assert [sparse for _, sparse in store.kept.values()] == [sparse_of("good"), sparse_of("better")]
