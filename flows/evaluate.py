"""How good an index answers: questions with known answers, asked again every week."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.form import SearchMode, field
from infra.registry import find_spec, name_of
from relance.evaluation import evaluate as measure
from relance.evaluation import read_dataset
from relance.index import Index
from tasks.artifacts import show_values

__all__ = ["evaluate"]

DATASET = "A YAML file of golden queries, or a folder in BEIR format; relative to the spec."


def run_name() -> str:
    """Name a run after its index."""
    return name_of(flow_run.parameters["index"])


@flow(name="evaluate", flow_run_name=run_name, persist_result=False)
async def evaluate(
    index: str = field("Index", "examples/handbook", "Name of a deployed index, or path of a spec."),
    dataset: str = field("Questions", "golden.yaml", DATASET),
    mode: SearchMode = field("Search by", "hybrid", "Meaning, words, terms, or all of them."),
) -> dict[str, Any]:
    """Ask questions with known answers and publish how well they are found."""
    spec = await find_spec(index)
    questions = await asyncio.to_thread(read_dataset, spec.path(dataset))
    found = await asyncio.to_thread(measure, Index(spec), *questions, mode=mode)
    values = found.as_dict()
    await show_values("evaluate", spec.name, values, f"nDCG@10 {values['ndcg']:.3f}")
    return values
