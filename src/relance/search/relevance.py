"""How good a hit is, from 0 to 1, whatever it was found by: docs/search.md explains it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["HALF", "relevance"]

# The scores that count as half relevant, where scores have no upper end. BM25 of 5 is what one word brings that a
# hundredth of the documents has; 4 in a hybrid search is to stand two deviations out of one list.
HALF = {"full-text": 5.0, "sparse": 1.0, "fused": 4.0}


def relevance(score: float, found: Mapping[str, float]) -> float:
    """Put a score on a scale from 0 to 1; it never rises where the score falls.

    Args:
        score: what the hit is ranked by.
        found: the scores of the hit by list, with `fused` or `rerank` where these have decided its place.
    """
    if "rerank" not in found:
        decides = "fused" if "fused" in found else next(iter(found), "dense")
        if half := HALF.get(decides):
            score = max(score, 0.0)
            return round(score / (score + half), 4)
    return round(min(max(score, 0.0), 1.0), 4)  # of cosines, and of rerankers, which score from 0 to 1
