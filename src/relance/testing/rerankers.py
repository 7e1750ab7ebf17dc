"""What every reranker promises.

```python
class TestMine(RerankerContract):
    plugin = Mine

    @pytest.fixture
    def spec(self):
        return self.section({"model": "mine/small"})
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from relance.config import RerankSpec
from relance.search.candidate import Candidate
from relance.search.rerankers import Reranker, open_reranker
from relance.testing.given import GivenPlugin

__all__ = ["TEXTS", "RerankerContract", "candidates"]

TEXTS = [
    "Quantum computing is a young field.",
    "A reranker sorts documents by how well they answer a question.",
    "The ferry leaves at nine.",
    "传感器安装在桥墩上，每小时上传一次数据。",
    "",
]


class RerankerContract(GivenPlugin):
    """What an author says: a fixture `spec`, the section of a model to try, and the plug-in."""

    group = "rerankers"

    def test_it_has_a_section(self, spec: RerankSpec) -> None:
        plugin = self.plugins(spec.provider).find("rerankers", spec.provider)
        assert issubclass(plugin.Spec, RerankSpec)
        assert isinstance(spec, plugin.Spec)

    def test_what_answers_best_scores_best(self, spec: RerankSpec) -> None:
        with self.open(spec) as opened:
            result = opened.rerank("how a reranker sorts documents", candidates(TEXTS))
            assert opened.info.name == spec.model
        assert result.scores.shape == (len(TEXTS),)
        assert result.scores.dtype == np.float64
        assert np.isfinite(result.scores).all()
        assert result.scores.argmax() == 1
        assert result.tokens >= 0
        assert result.cost_usd is None or result.cost_usd >= 0

    def test_the_same_question_twice_has_the_same_scores_also_from_several_threads(self, spec: RerankSpec) -> None:
        with self.open(spec) as opened, ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: opened.rerank("ferry", candidates(TEXTS)).scores.tolist(), range(4)))
        assert results == [results[0]] * 4

    def test_few_blank_and_equal_texts_are_no_problem(self, spec: RerankSpec) -> None:
        for texts in ([], ["one"], ["", " "], ["same", "same"]):
            with self.open(spec) as opened:
                assert opened.rerank("question", candidates(texts)).scores.shape == (len(texts),)

    def test_a_text_that_one_list_alone_found_has_a_score(self, spec: RerankSpec) -> None:
        found = candidates(TEXTS[:3], ("dense",)) + candidates(TEXTS[3:4], ("full-text",))
        found += candidates(TEXTS[2:3], ("sparse",))
        with self.open(spec) as opened:
            assert np.isfinite(opened.rerank("question", found).scores).all()

    def section(self, values: Mapping[str, Any]) -> RerankSpec:
        """Read the section `search.rerank` as an index file would."""
        name = str(values["model"]).partition("/")[0]
        return RerankSpec.of(values, self.plugins(name))

    def open(self, spec: RerankSpec) -> Reranker:
        """Open the reranker."""
        return open_reranker(spec, plugins=self.plugins(spec.provider))


def candidates(texts: Sequence[str], ways: tuple[str, ...] = ("dense", "full-text")) -> list[Candidate]:
    """Make rows of a hybrid search; the second is found first by both lists."""
    order = [*range(len(texts))[1::-1], *range(2, len(texts))]
    found = [Candidate(str(at), {"text": text}) for at, text in enumerate(texts)]
    for rank, at in enumerate(order, start=1):
        for way in ways:
            found[at].ranks[way] = rank
            found[at].scores[way] = 1 / rank
    return found
