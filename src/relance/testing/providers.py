"""What every embedding provider promises.

```python
class TestMine(ProviderContract):
    plugin = Mine

    @pytest.fixture(params=[{}, {"dimension": 32}])
    def spec(self, request):
        return self.section({"model": "mine/small"} | request.param)
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from relance.config import EmbeddingSpec
from relance.embedding.embedder import Embedder
from relance.embedding.providers import InputType, Provider, Reply, open_provider
from relance.testing.given import GivenPlugin

__all__ = ["TEXTS", "ProviderContract"]

T = TypeVar("T")

TEXTS = [
    "Ordering a cat from the harbour master",
    "the quick brown fox jumps over the lazy dog " * 6,
    "你好，世界。今天天气很好。",
    "x",
    "!?… —",
    "with a \0 in the middle",
    "tab\tnew\nline \N{ZERO WIDTH SPACE}",
    "emoji 👩‍👩‍👧 and e\N{COMBINING ACUTE ACCENT}",
]


class ProviderContract(GivenPlugin):
    """What an author says: a fixture `spec`, the section of a model to try, and the plug-in."""

    group = "providers"

    def test_it_has_a_section_and_a_version_which_is_part_of_the_space(self, spec: EmbeddingSpec) -> None:
        plugin = self.plugins(spec.provider).find("providers", spec.provider)
        assert issubclass(plugin.Spec, EmbeddingSpec)
        assert isinstance(spec, plugin.Spec)
        info = self.use(spec, _info)
        assert info.name == spec.model
        assert plugin.version in info.space

    def test_vectors_are_float32_of_the_declared_dimension_and_length(self, spec: EmbeddingSpec) -> None:
        info, reply = self.use(spec, _reply)
        assert reply.vectors.shape == (len(TEXTS), info.dimension)
        assert reply.vectors.dtype == np.float32
        assert np.isfinite(reply.vectors).all()
        assert not spec.dimension or info.dimension == spec.dimension
        assert reply.tokens is None or reply.tokens > 0
        assert (reply.sparse is not None) == info.sparse
        if info.normalized:
            np.testing.assert_allclose(np.linalg.norm(reply.vectors, axis=1), 1.0, atol=1e-3)

    def test_a_vector_is_the_same_again_alone_and_in_any_batch(self, spec: EmbeddingSpec) -> None:
        requests = [TEXTS, TEXTS, TEXTS[::-1], *([text] for text in TEXTS)]
        batch, again, backwards, *alone = self.vectors(spec, *requests)
        np.testing.assert_array_equal(again, batch)
        np.testing.assert_array_equal(backwards[::-1], batch)
        np.testing.assert_array_equal(np.concatenate(alone), batch)

    def test_another_instance_gives_the_same_vectors_in_the_same_space(self, spec: EmbeddingSpec) -> None:
        (info, one), (other_info, other) = self.use(spec, _reply), self.use(spec, _reply)
        assert info.space == other_info.space != ""
        np.testing.assert_array_equal(one.vectors, other.vectors)

    def test_different_texts_have_different_vectors_and_related_ones_near_ones(self, spec: EmbeddingSpec) -> None:
        texts = ["a cat sleeps on the mat", "the cat sleeps on a warm mat", "quarterly tax report for shareholders"]
        [found] = self.vectors(spec, texts)
        near, far = found[0] @ found[1], found[0] @ found[2]
        assert far < near < 0.99999

    def test_a_question_finds_its_passage(self, spec: EmbeddingSpec) -> None:
        [questions] = self.vectors(spec, ["how is the cat sleeping"], input_type="query")
        [passages] = self.vectors(spec, ["quarterly tax report", "a cat is sleeping on the mat", "prices of steel"])
        assert (passages @ questions[0]).argmax() == 1

    def test_the_tokenizer_counts(self, spec: EmbeddingSpec) -> None:
        async def count(provider: Provider) -> Any:
            return provider.tokenizer.count(["one", "one two three four"])

        one, four = self.use(spec, count)
        assert 1 <= one < four

    def test_the_embedder_sorts_out_what_no_provider_should_get(self, spec: EmbeddingSpec) -> None:
        small = spec.model_copy(update={"max_input_tokens": 20})
        inputs = ["", " \n\t", "word " * 100, "a cat", "broken \ud800"]

        async def embed(provider: Provider) -> Any:
            return await Embedder(provider, small).embed(inputs, input_type="document")

        result = self.use(small, embed)
        assert result.failures.keys() == {0, 1, 2}
        assert result.embedded == 2
        assert np.isfinite(result.vectors[3:]).all()
        assert result.sparse == []

    def test_several_calls_at_once_do_not_mix(self, spec: EmbeddingSpec) -> None:
        requests = [[f"{text} {number}" for text in TEXTS[2:5]] for number in range(6)]

        async def embed(provider: Provider) -> Any:
            replies = await asyncio.gather(*(provider.embed(texts, input_type="document") for texts in requests))
            return [reply.vectors for reply in replies]

        for together, alone in zip(self.use(spec, embed), self.vectors(spec, *requests), strict=True):
            np.testing.assert_array_equal(together, alone)

    def test_a_closed_one_opens_again(self, spec: EmbeddingSpec) -> None:
        async def embed(provider: Provider) -> Any:
            await provider.aclose()
            first = await provider.embed(["a cat"], input_type="document")
            await provider.aclose()
            return first, await provider.embed(["a cat"], input_type="document")

        first, second = self.use(spec, embed)
        np.testing.assert_array_equal(first.vectors, second.vectors)

    def section(self, values: Mapping[str, Any]) -> EmbeddingSpec:
        """Read the section `embedding` as an index file would."""
        name = str(values["model"]).partition("/")[0]
        return EmbeddingSpec.of(values, self.plugins(name))

    def use(self, spec: EmbeddingSpec, use: Callable[[Provider], Awaitable[T]]) -> T:
        """Run `use(provider)` and close the provider."""

        async def main() -> T:
            provider = open_provider(spec, self.plugins(spec.provider))
            try:
                return await use(provider)
            finally:
                await provider.aclose()

        return asyncio.run(main())

    def vectors(self, spec: EmbeddingSpec, *requests: list[str], input_type: InputType = "document") -> list[Any]:
        """Return the vectors of each request, all made by one provider."""

        async def embed(provider: Provider) -> list[Any]:
            return [(await provider.embed(texts, input_type=input_type)).vectors for texts in requests]

        return self.use(spec, embed)


async def _info(provider: Provider) -> Any:
    return provider.info


async def _reply(provider: Provider) -> tuple[Any, Reply]:
    return provider.info, await provider.embed(TEXTS, input_type="document")
