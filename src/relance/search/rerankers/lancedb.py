"""`lancedb/…`: the rerankers that come with LanceDB and need no service.

`mrr` and `linear` merge the two lists of a hybrid search another way than relance does by itself (`search.fusion`);
terms have no part in it. `cross-encoder` reads every text beside the question, with a model of sentence-transformers;
`cross-encoder:NAME_OR_FOLDER` chooses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from relance.config import EmbeddingSpec, RerankSpec
from relance.errors import ConfigurationError
from relance.search.rerankers import Reranked, RerankerInfo

if TYPE_CHECKING:
    from relance.search.candidate import Candidate

__all__ = ["LanceDBReranker"]

_CROSS_ENCODER = "cross-encoder/ms-marco-TinyBERT-L-6"  # LanceDB's default


class LanceDBReranker:
    """LanceDB's rerankers; a model is loaded when the first search needs it."""

    Spec = RerankSpec
    version = ""
    models: ClassVar[tuple[str, ...]] = ("mrr", "linear", "cross-encoder")
    any_model = False

    def __init__(self, spec: RerankSpec, embedding: EmbeddingSpec | None = None) -> None:
        del embedding
        name = spec.model.partition("/")[2]
        self._kind, _, self._model = name.partition(":")
        self.info = RerankerInfo(f"lancedb/{name}", merges=self._kind != "cross-encoder")
        self._reranker: Any = None

    def __enter__(self) -> Self:
        from lancedb import rerankers

        if self._kind == "mrr":
            self._reranker = rerankers.MRRReranker()
        elif self._kind == "linear":
            self._reranker = rerankers.LinearCombinationReranker()
        else:
            self._reranker = _cross_encoder(self._model)
        return self

    def __exit__(self, *error: object) -> None:
        self._reranker = None

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """Score candidates."""
        if not candidates:
            return Reranked(np.zeros(0))
        if not self.info.merges:
            ranked = self._reranker.rerank_vector(query, _table(candidates, "dense", "_distance", every=True))
        else:
            lists = _table(candidates, "dense", "_distance"), _table(candidates, "full-text", "_score")
            ranked = self._reranker.rerank_hybrid(query, *lists)
        scores = np.full(len(candidates), -1.0)  # what only the sparse list has comes last
        scores[ranked["_rowid"].to_numpy()] = ranked["_relevance_score"].to_numpy()
        return Reranked(scores)


def _table(candidates: Sequence[Candidate], mode: str, column: str, *, every: bool = False) -> Any:
    """Make the table of one list, best first, as LanceDB's rerankers expect it; a row's id is its place here."""
    import pyarrow as pa

    there = [at for at, each in enumerate(candidates) if every or mode in each.ranks]
    there.sort(key=lambda at: candidates[at].ranks.get(mode, 0))
    scores = [candidates[at].scores.get(mode, 0.0) for at in there]
    return pa.table(
        {
            "_rowid": pa.array(there, pa.uint64()),
            "text": pa.array([candidates[at].text for at in there], pa.string()),
            column: pa.array([1 - score if column == "_distance" else score for score in scores], pa.float32()),
        }
    )


def _cross_encoder(model: str) -> Any:
    from lancedb.rerankers import CrossEncoderReranker

    try:
        # Code that comes with a model would be run: not unless somebody asks for it, and nobody can here.
        reranker = CrossEncoderReranker(model or _CROSS_ENCODER, trust_remote_code=False)
        _ = reranker.model
    except ImportError as error:
        msg = "lancedb/cross-encoder needs sentence-transformers: pip install sentence-transformers"
        raise ConfigurationError(msg) from error
    except Exception as error:
        msg = f"lancedb/cross-encoder: the model {model or _CROSS_ENCODER} cannot be loaded: {str(error)[:200]}"
        raise ConfigurationError(msg) from error
    return reranker
