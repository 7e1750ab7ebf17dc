"""What another model, or another way to split, has to prove before readers get it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from relance.config.spec_model import SpecModel

__all__ = ["GateSpec"]


class GateSpec(SpecModel, title="Gate"):
    """What another model, or another way to split, has to prove before readers get it."""

    queries: Path = Field(title="Questions", examples=["golden.yaml"])
    """Golden queries: a YAML file of questions and the documents that answer them, or a folder in BEIR format."""
    measure: Literal["ndcg", "recall", "mrr", "map", "precision"] = Field(default="ndcg", title="Measure")
    """What old and new are compared by: the mean over the questions."""
    k: int = Field(default=10, title="Depth", ge=1, le=1000)
    """How many documents of each answer are looked at."""
    mode: Literal["hybrid", "dense", "full-text", "sparse"] = Field(default="hybrid", title="Search by")
    """How the questions are asked."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = Field(default=0.01, title="Tolerance")
    """How much lower the new mean may be."""
    significance: float | None = Field(default=None, title="Significance", gt=0, lt=1, examples=[0.05])
    """A larger loss passes, too, if chance could explain it: if the p of the paired test is this or more. Without it,
    the tolerance alone decides: few questions show no difference however bad the new answers are."""
