"""How well an index answers questions whose answers are known, how sure that is, and what each choice costs.

- `dataset`: questions and judgements; `judged`: what of them an index can be asked
- `measures`: a ranking's worth; `run`: a whole index
- `bootstrap`, `compare`: intervals, and which differences are more than chance
- `dimensions`: what shorter vectors lose; `footprint`: price and bytes
- `trial`: an index over a dataset's own corpus, to compare models by
- `tables`, `plot`: as cells and as pictures; `show`, `page`, `files`: on the terminal, as a page, where it is written
"""

from __future__ import annotations

from relance.evaluation.compare import Comparison, Difference, compare
from relance.evaluation.dataset import Qrels, Queries, read_dataset
from relance.evaluation.dimensions import Step, TradeOff, trade_off
from relance.evaluation.footprint import Footprint
from relance.evaluation.measures import (
    MEASURES,
    Measure,
    average_precision,
    ndcg,
    precision,
    ranked,
    recall,
    reciprocal_rank,
)
from relance.evaluation.run import Answer, Evaluation, evaluate

__all__ = [
    "MEASURES",
    "Answer",
    "Comparison",
    "Difference",
    "Evaluation",
    "Footprint",
    "Measure",
    "Qrels",
    "Queries",
    "Step",
    "TradeOff",
    "average_precision",
    "compare",
    "evaluate",
    "ndcg",
    "precision",
    "ranked",
    "read_dataset",
    "recall",
    "reciprocal_rank",
    "trade_off",
]
