"""How inputs are packed into requests, by number, tokens and kind of media."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scripted_provider import NAMES, embed, setup

from relance.embedding.packing import pack

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
