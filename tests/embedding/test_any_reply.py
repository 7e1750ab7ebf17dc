"""Whatever a service answers with status 200: only finite vectors of the right length are stored, and errors are ours."""

import asyncio
import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_provider import Scripted, Vectors

from relance.config import EmbeddingSpec
from relance.embedding.embedder import Embedder
from relance.embedding.providers import BadReplyError
from relance.embedding.providers.openai_reply import read_reply
from relance.errors import RelanceError

pytestmark = pytest.mark.usefixtures("no_backoff")

DIMENSION = 4
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([1e308, -1e39, 10**400, "NaN", "Infinity", float("nan"), float("inf")])
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)
EMBEDDING = (
    st.lists(st.floats(width=32), min_size=DIMENSION, max_size=DIMENSION)
    | st.lists(LEAVES, max_size=6)
    | st.binary(max_size=20).map(lambda raw: base64.b64encode(raw).decode())
    | ANYTHING
)
ITEM = st.fixed_dictionaries({"embedding": EMBEDDING}, optional={"index": st.integers(-1, 4) | ANYTHING}) | ANYTHING
REPLY = st.fixed_dictionaries({"data": st.lists(ITEM, max_size=5) | ANYTHING}, optional={"usage": ANYTHING}) | ANYTHING
BODY = REPLY.map(lambda reply: json.dumps(reply).encode()) | st.binary(max_size=60)
CUT = st.integers(0, 2000)


@settings(deadline=None, max_examples=100)
@given(body=BODY, cut=st.none() | CUT, count=st.integers(1, 4))
def test_a_reply_is_vectors_of_one_length_for_all_texts_or_a_bad_reply(body, cut, count):
    said = ""
    try:
        reply = read_reply(body[:cut], count, "m at u", "check it")
    except BadReplyError as error:
        said = str(error)
    if said:
        assert said.startswith("m at u answered with ")
        assert said.endswith(".")
        return
    assert reply.vectors.shape[0] == count
    assert reply.vectors.dtype == np.float32
    assert reply.vectors.ndim == 2
    assert reply.tokens is None or reply.tokens >= 0


@settings(deadline=None, max_examples=50)
@given(bodies=st.lists(BODY, min_size=1, max_size=4), texts=st.integers(1, 4))
def test_nothing_that_is_not_finite_is_stored_and_every_error_is_a_sentence(bodies, texts):
    def behave(sent, call):
        return read_reply(bodies[call % len(bodies)], len(sent), "m at u", "check it")

    store = Vectors()
    provider = Scripted(behave, dimension=DIMENSION)
    embedder = Embedder(provider, EmbeddingSpec(model="test/model", max_attempts=3), store)
    result, said = None, "."
    try:
        result = asyncio.run(embedder.embed([f"text {n}" for n in range(texts)], input_type="document"))
    except RelanceError as error:
        said = str(error)
    assert said.endswith(".")
    for vector, _ in store.kept.values():
        assert vector.shape == (DIMENSION,)
        assert np.isfinite(vector).all()
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    if result is not None:
        assert len(result.failures) + len(store) == texts
    assert len(provider.requests) <= 40
