"""Sorting what was found by a reranker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relance.search.candidate import Candidate
    from relance.search.hit import Explanation
    from relance.search.rerankers import Reranker

__all__ = ["by_score", "score_by", "score_together", "shares"]


def by_score(pool: list[Candidate]) -> list[Candidate]:
    """Sort candidates, best first; equals stay in the order they came in."""
    return sorted(pool, key=lambda each: -each.score)


def score_by(reranker: Reranker, query: str, pool: list[Candidate], notes: Explanation) -> None:
    """Give candidates the scores of a reranker, rounded to six places, and note what that took."""
    began = time.perf_counter()
    result = reranker.rerank(query, pool)
    for each, score in zip(pool, result.scores.tolist(), strict=True):
        each.score = each.scores["rerank"] = round(score, 6)
    notes.rerank, notes.reranked = reranker.info.name, len(pool)
    notes.tokens, notes.cost_usd = result.tokens, result.cost_usd
    notes.seconds["rerank"] = time.perf_counter() - began


def score_together(reranker: Reranker, query: str, texts: list[Candidate], media: list[Candidate],
                   notes: tuple[Explanation, Explanation]) -> None:  # fmt: skip
    """Give texts and media scores that can be compared; what that took is noted with the texts alone."""
    of_texts, of_media = notes
    score_by(reranker, query, [*texts, *media], of_texts)
    of_texts.reranked, of_media.reranked = len(texts), len(media)
    of_media.rerank = of_texts.rerank
    of_texts.together = of_media.together = True


def shares(reranker: Reranker, candidates: int, k: int) -> tuple[int, int]:
    """Say how many texts and media are looked at, so that they fit into one request: (texts, media).

    A page of hits is never cut short: where `k` is more than a request takes, there are several requests.
    """
    info, wanted = reranker.info, max(candidates, k)
    media = max(min(wanted, info.max_media or wanted), k)
    texts = max(min(wanted, info.max_documents - media if info.max_documents else wanted), k)
    return texts, media
