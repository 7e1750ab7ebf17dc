"""Images and videos through the embedder: bought once by content, packed by kind, searched for the guilty one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.documents import Media, MediaKind, digest
from relance.embedding.budget import Budget, CostMeter
from relance.embedding.embedder import Embedded, Embedder, Vector, vector_key
from relance.embedding.providers import Input, InputType, ModelInfo, Reply
from relance.embedding.sparse import Sparse
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import BudgetError, InputError

TOKENS = {"image": 896, "images": 896, "video": 7168}
SPEC = EmbeddingSpec(model="test/media")


def media(kind: MediaKind, content: str, address: str = "", caption: str = "") -> Media:
    """Describe what is behind an address; tokens as the model says."""
    url = f"https://example.com/{address or content}"
    return Media(kind, (url,), content_hash=content, caption=caption, tokens=TOKENS[kind])


def image(content: str, address: str = "") -> Media:
    return media("image", content, address)


def vector_of(value: Input) -> NDArray[np.float32]:
    seed = int(digest(value.identity if isinstance(value, Media) else value, size=4), 16)
    vector = np.random.default_rng(seed).normal(size=4)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class Multimodal:
    """A model that takes what the published ones take, and notes every request."""

    def __init__(self, refuses: Callable[[list[Input]], bool] = lambda _: False, **info: Any) -> None:
        options: dict[str, Any] = {
            "max_input_tokens": 1024,
            "batch_texts": 20,
            "space": "test",
            "modalities": frozenset({"text", "image", "images", "video"}),
            "media_per_request": {"image": 8, "images": 1, "video": 1},
            "media_tokens": TOKENS,
        }
        self.info = ModelInfo("test/media", 4, **(options | info))
        self.refuses = refuses
        self.requests: list[list[Input]] = []

    @property
    def tokenizer(self) -> Tokenizer:
        return open_tokenizer("words")

    @property
    def inputs(self) -> list[Input]:
        return [value for request in self.requests for value in request]

    async def embed(self, inputs: list[Input], /, *, input_type: InputType) -> Reply:
        self.requests.append(inputs)
        await asyncio.sleep(0)
        if self.refuses(inputs):
            raise InputError("Failed to decode the image.")
        tokens = sum(value.tokens if isinstance(value, Media) else 7 for value in inputs)
        return Reply(np.stack([vector_of(value) for value in inputs]), tokens=tokens)

    async def aclose(self) -> None:
        pass


class Vectors:
    """A vector store in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Vector] = {}

    def get(self, keys: list[str]) -> dict[str, Vector]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def put(self, keys: list[str], vectors: NDArray[np.float32], sparse: list[Sparse] | None = None) -> None:
        assert sparse is None
        self.kept.update((key, (vector, None)) for key, vector in zip(keys, vectors, strict=True))


def embed(
    provider: Any, inputs: list[Any], *, store: Vectors | None = None, spec: EmbeddingSpec = SPEC, **options: Any
) -> Embedded:
    options.setdefault("input_type", "document")
    return asyncio.run(Embedder(provider, spec, store).embed(inputs, **options))


def holds(result: Embedded, inputs: list[Any]) -> bool:
    """Whether each input that did not fail has its own vector."""
    return all(
        np.array_equal(result.vectors[position], vector_of(value))
        for position, value in enumerate(inputs)
        if position not in result.failures
    )


# Bought once


def test_the_same_content_under_two_addresses_is_bought_once() -> None:
    inputs = [image("cat", "a.png"), image("dog"), image("cat", "b.png")]
    provider = Multimodal()
    result = embed(provider, inputs, store=(store := Vectors()))
    assert len(provider.inputs) == len(store.kept) == 2
    assert (result.embedded, result.duplicates) == (2, 1)
    assert holds(result, inputs)
    again = embed(provider, [image("cat", "moved/c.png")], store=store)
    assert (again.reused, again.requests) == (1, 0)
    assert holds(again, inputs[:1])


def test_how_a_picture_is_sent_does_not_decide_its_vector() -> None:
    inline = Media("image", data=(b"cat",), media_types=("image/png",), content_hash="cat", tokens=896)
    provider = Multimodal()
    assert embed(provider, [image("cat"), inline]).duplicates == 1
    assert len(provider.inputs) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["image", "images", "video"]), st.text(max_size=3), st.text(max_size=3))))
def test_kind_content_and_fused_caption_decide_a_vector_and_nothing_else_does(
    each: list[tuple[MediaKind, str, str]],
) -> None:
    inputs = [media(kind, content, str(at), caption) for at, (kind, content, caption) in enumerate(each)]
    keys = [vector_key("test", "document", value) for value in inputs]
    assert len(set(keys)) == len(set(each))
    for other in (vector_key("test", "query", value) for value in inputs):
        assert other not in keys
    for value in inputs:
        assert vector_key("test", "document", value.identity) not in keys, "a text cannot pass for a picture"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["cat", "dog", "text a", "text b", ""]), max_size=12))
def test_texts_and_media_of_one_call_each_get_their_own_vector(names: list[str]) -> None:
    inputs: list[Input] = [image(name) if name in ("cat", "dog") else name for name in names]
    provider = Multimodal()
    result = embed(provider, inputs)
    assert set(result.failures) == {position for position, name in enumerate(names) if not name}
    assert holds(result, inputs)
    assert max(Counter(map(str, provider.inputs)).values(), default=0) <= 1


# Requests


def test_a_request_holds_at_most_eight_images_one_set_of_images_and_one_video() -> None:
    kinds: list[MediaKind] = ["image"] * 20 + ["video"] * 3 + ["image", "video"] * 4 + ["images"] * 3
    inputs = [media(kind, f"{kind} {number}") for number, kind in enumerate(kinds)]
    provider = Multimodal()
    result = embed(provider, [*inputs, *(f"text {number}" for number in range(30))])
    assert result.embedded == len(inputs) + 30
    assert holds(result, inputs)
    for request in provider.requests:
        held = Counter(value.kind if isinstance(value, Media) else "text" for value in request)
        assert held["image"] <= 8
        assert held["images"] <= 1
        assert held["video"] <= 1
        assert len(request) <= 20
    assert len(provider.requests[0]) == 8, "as many as may be"
    assert max(len(request) for request in provider.requests) == 20, "texts have no limit but that of all"


def test_a_model_without_limits_for_a_kind_is_sent_full_requests() -> None:
    provider = Multimodal(media_per_request={"video": 1})
    embed(provider, [image(str(number)) for number in range(40)])
    assert [len(request) for request in provider.requests] == [20, 20]


@pytest.mark.parametrize("guilty", [0, 3, 4, 7])
def test_a_guilty_image_is_found_by_halves_and_the_rest_goes_through(guilty: int) -> None:
    inputs = [image(f"cat {number}") for number in range(8)]
    provider = Multimodal(lambda request: inputs[guilty] in request)
    result = embed(provider, inputs, store=(store := Vectors()))
    assert result.failures == {guilty: "Failed to decode the image."}
    assert holds(result, inputs)
    assert result.embedded == len(store.kept) == 7
    assert len(provider.requests) == 1 + 1 + 2 * 3  # is it the request? halves, quarters, single ones
    provider.requests.clear()
    again = embed(Multimodal(), inputs, store=store)
    assert (again.reused, again.embedded) == (7, 1), "what failed is tried again, what was bought is not"


def test_a_refusal_that_passes_does_not_make_later_requests_smaller() -> None:
    """The service may fail to fetch a picture once; a batch of texts that passes by halves was too large."""
    inputs = [image(str(number)) for number in range(48)]
    provider = Multimodal(lambda _: len(provider.requests) == 1)
    embedder = Embedder(provider, SPEC.model_copy(update={"max_concurrency": 1}))
    for start in (0, 24):
        assert not asyncio.run(embedder.embed(inputs[start : start + 24], input_type="document")).failures
    assert [len(request) for request in provider.requests] == [8, 1, 4, 4, *[8] * 5]


@settings(deadline=None)
@given(
    st.sets(st.integers(0, 24)),
    st.lists(st.sampled_from(["image", "video", "text"]), min_size=25, max_size=25),
)
def test_whatever_is_guilty_exactly_that_fails(guilty: set[int], kinds: list[Any]) -> None:
    inputs = [f"text {n}" if kind == "text" else media(kind, f"{kind} {n}") for n, kind in enumerate(kinds)]
    bad = [inputs[position] for position in guilty]
    result = embed(Multimodal(lambda request: any(value in bad for value in request)), inputs)
    assert set(result.failures) == guilty
    assert holds(result, inputs)


def test_an_image_that_fails_fails_under_all_its_addresses() -> None:
    inputs = [image("broken", "a"), image("fine"), image("broken", "b")]
    result = embed(Multimodal(lambda request: any("broken" in str(value) for value in request)), inputs)
    assert set(result.failures) == {0, 2}


# Tokens and money


def test_the_length_limit_of_texts_is_not_one_of_videos() -> None:
    """A video is billed as more tokens than a text may have."""
    video, long = media("video", "film"), "word " * 1025
    for tokens in (None, np.array([7168, 1025, 1024])):
        result = embed(Multimodal(), [video, long, "word " * 1024], tokens=tokens)
        assert set(result.failures) == {1}
        assert result.failures[1] == "The text has 1,025 tokens; test/media takes at most 1,024."


def test_texts_beside_media_are_counted_by_the_tokenizer_and_not_by_their_bytes() -> None:
    inputs = [image("cat"), "a considerably long word or two " * 100, "漢字 " * 500]
    assert not embed(Multimodal(), inputs).failures  # 600 and 1,000 words, each text of more bytes than that


def test_a_question_in_pictures_needs_no_tokenizer() -> None:
    class Bare(Multimodal):
        @property
        def tokenizer(self) -> Tokenizer:
            raise AssertionError("loaded")

    assert embed(Bare(), [image("cat")], input_type="query").embedded == 1
    assert embed(Bare(), [media("video", "film")], input_type="query").embedded == 1


def test_media_are_paid_for_by_what_they_will_probably_be_billed_as() -> None:
    provider = Multimodal(price_per_million_tokens=1e6)
    inputs = [image(str(number)) for number in range(24)]
    budget = Budget(896.0 * 16)
    spec = SPEC.model_copy(update={"max_concurrency": 1})
    with pytest.raises(BudgetError):
        embed(provider, inputs, spec=spec, meter=CostMeter(provider.info, budget))
    assert [len(request) for request in provider.requests] == [8, 8]
    assert budget.reserved_usd == 896 * 16


def test_captions_that_are_fused_make_vectors_of_their_own() -> None:
    provider = Multimodal()
    plain, fused, other = (media("image", "cat", caption=caption) for caption in ("", "a cat", "my cat"))
    result = embed(provider, [plain, fused, other])
    assert result.embedded == 3
    assert len({vector.tobytes() for vector in result.vectors}) == 3
