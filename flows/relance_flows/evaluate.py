"""How good an index answers: questions with known answers, asked again every week; and which way of asking is best."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow

from relance.index import Index
from relance_flows.form import INDEX, field, filled_in
from relance_flows.names import after_index
from relance_flows.registry import find_spec
from relance_flows.sentence import readable
from relance_flows.waiting import result
from relance_tasks.measure import measure_dimensions, measure_quality

__all__ = ["evaluate"]

Asked = Literal["hybrid", "dense", "full-text", "sparse", "compare all"]

DATASET = "A YAML file of golden queries, or a folder in BEIR format; relative to the spec."
MODE = "Dense, full-text, sparse, or all of them (hybrid); compare all says which differences are more than chance."
OTHERS = "Indexes of the same documents with another model or chunking, with commas between; none: no comparison."
DIMENSIONS = "Also tell what shorter vectors would lose; nothing is embedded for it but the questions."


@flow(name="evaluate", flow_run_name=after_index, persist_result=False)
@readable
async def evaluate(
    index: str = field("Index", "", INDEX),
    dataset: str = field("Questions", "", DATASET),
    mode: Asked = field("Search by", "hybrid", MODE),
    others: str = field("Compare with", "", OTHERS),
    dimensions: bool = field("Shorter vectors", False, DIMENSIONS),
) -> dict[str, Any]:
    """Ask questions with known answers and publish how well they are found: nDCG, recall and reciprocal rank."""
    spec = await find_spec(index)
    names = [name.strip() for name in others.split(",") if name.strip()]
    indexes = [Index(each) for each in [spec, *[await find_spec(name) for name in names]]]
    questions = spec.path(filled_in(dataset, "Questions", DATASET))
    modes = [] if mode == "compare all" else [mode]
    found = await result(measure_quality.submit(indexes, questions, modes))
    for each in indexes if dimensions else ():
        await result(measure_dimensions.submit(each, questions))
    return found.systems[0].as_dict() if len(found.systems) == 1 else found.as_dict()
