"""What an index is for beside search: its clusters, classes, anomalies and near-duplicates, and what a reader may like.

Each reads the vectors that are there, writes a table beside the index, and publishes what a person wants to see.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import Field

from flows.form import INDEX, field
from flows.ingest import result
from flows.names import after_index
from infra.registry import find_spec
from relance.analysis.points import Level
from relance.index import Index
from tasks.analyze import find_classes, find_clusters, find_groups, find_liked, find_outliers

__all__ = ["anomalies", "classify", "cluster", "duplicates", "recommend"]

Count = Annotated[int, Field(ge=0)]
Allowed = Annotated[int, Field(ge=-1)]
Share = Annotated[float, Field(ge=0, le=1)]

LEVEL = "What there is a point of: documents, their chunks, or images and videos."
WHERE = "SQL condition on the columns of the table; none: everything."
LABELS = "YAML file of labels, relative to the spec: name, and if you like description, examples, uris."
ALLOWED = "The run fails if there are more, to stop what comes after it; -1: it never fails."


@flow(name="cluster", flow_run_name=after_index, persist_result=False)
async def cluster(
    index: str = field("Index", "examples/handbook", INDEX),
    level: Level = field("Level", "documents", LEVEL),
    method: Literal["kmeans", "hdbscan"] = field("Method", "kmeans", "hdbscan leaves what fits nowhere as noise."),
    clusters: Count = field("Clusters", 0, "How many, for kmeans; 0: as many as fit best."),
    where: str = field("Only where", "", WHERE),
) -> dict[str, Any]:
    """Find groups of like documents, name them by their terms, and draw a map."""
    of = Index(await find_spec(index))
    finding = find_clusters.submit(of, level=level, method=method, k=clusters or None, where=where)
    return (await result(finding)).as_dict()


@flow(name="classify", flow_run_name=after_index, persist_result=False)
async def classify(
    index: str = field("Index", "examples/handbook", INDEX),
    labels: str = field("Labels", "labels.yaml", LABELS),
    level: Level = field("Level", "documents", LEVEL),
    min_margin: Share = field("Least margin", 0.0, "A document nearer to its label by less than this is left unsure."),
    column: str = field("Column", "", "Column of the table that gets the label too, to filter searches by; none: no."),
) -> dict[str, Any]:
    """Give every document the label it is nearest to, without training."""
    spec = await find_spec(index)
    finding = find_classes.submit(Index(spec), spec.path(labels), level=level, min_margin=min_margin, column=column)
    return (await result(finding)).as_dict()


@flow(name="anomalies", flow_run_name=after_index, persist_result=False)
async def anomalies(
    index: str = field("Index", "examples/handbook", INDEX),
    level: Level = field("Level", "documents", LEVEL),
    method: Literal["auto", "centroid", "knn", "lof"] = field("Method", "auto", "How far from normal is measured."),
    reference: str = field("Reference where", "", "SQL condition: which documents are normal; none: most of them."),
    tolerance: Annotated[float, Field(gt=0)] = field("Tolerance", 3.5, "Deviations from the median that are normal."),
    allowed: Allowed = field("Allowed", -1, ALLOWED),
) -> dict[str, Any] | State[Any]:
    """Find documents that are far from what is normal for the index."""
    of = Index(await find_spec(index))
    options = {"level": level, "method": method, "reference": reference, "tolerance": tolerance}
    found = await result(find_outliers.submit(of, **options))
    if 0 <= allowed < found.count:
        return Failed(message=f"{found.count} anomalies, {allowed} are allowed", data=found.as_dict())
    return found.as_dict()


@flow(name="duplicates", flow_run_name=after_index, persist_result=False)
async def duplicates(
    index: str = field("Index", "examples/handbook", INDEX),
    level: Level = field("Level", "documents", LEVEL),
    similarity: Share = field("Similarity", 0.95, "Cosine from which two are looked at."),
) -> dict[str, Any]:
    """Find documents that say the same."""
    finding = find_groups.submit(Index(await find_spec(index)), level=level, similarity=similarity)
    return (await result(finding)).as_dict()


@flow(name="recommend", flow_run_name=after_index, persist_result=False)
async def recommend(
    index: str = field("Index", "examples/handbook", INDEX),
    history: str = field("History", "history.csv", "CSV or JSONL of uri, weight, when; relative to the spec."),
    k: Annotated[int, Field(ge=1, le=1000)] = field("How many", 10, "Documents to recommend."),
    diversity: Share = field("Diversity", 0.3, "0: the nearest; 1: as different from each other as can be."),
) -> dict[str, Any]:
    """Recommend documents to whoever has this history."""
    spec = await find_spec(index)
    finding = find_liked.submit(Index(spec), spec.path(history), k=k, diversity=diversity)
    return (await result(finding)).as_dict()
