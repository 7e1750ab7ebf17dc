"""What an index is for beside search: its clusters, classes, anomalies and near-duplicates, and what a reader may like.

Each reads the vectors that are there, writes a table beside the index, and publishes what a person wants to see.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import Field

from relance.analysis.points import Level
from relance.index import Index
from relance_flows.form import INDEX, Amount, Count, field, filled_in
from relance_flows.names import after_index
from relance_flows.registry import find_spec
from relance_flows.sentence import readable
from relance_flows.waiting import result
from relance_tasks.analyze import find_classes, find_clusters, find_groups, find_liked, find_outliers

__all__ = ["anomalies", "classify", "cluster", "duplicates", "recommend"]

Tolerance = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Allowed = Annotated[int, Field(ge=-1)]
Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1, le=1)]

LEVEL = "What there is a point of: documents, their chunks, or images and videos."
FILTER = 'Only what fulfils a condition, such as year >= 2020 and lang = "en"; none: everything.'
LABELS = "YAML file of labels, relative to the spec: name, and if you like description, examples, uris."
LABELLED = "CSV file of uri and label, relative to the spec: tells how far the labels can be trusted; none: no."
HISTORY = "CSV or JSONL file of uri, weight, when; relative to the spec."
MARGIN = "Nearer to its label by less than this, a document is left unsure; 0: none, or what labelled documents choose."
ALLOWED = "The run fails if there are more, to stop what comes after it; -1: it never fails."


@flow(name="cluster", flow_run_name=after_index, persist_result=False)
@readable
async def cluster(
    index: str = field("Index", "", INDEX),
    level: Level = field("Level", "documents", LEVEL),
    method: Literal["kmeans", "hdbscan"] = field("Method", "kmeans", "hdbscan leaves what fits nowhere as noise."),
    clusters: Count = field("Clusters", 0, "How many, for kmeans; 0: as many as fit best."),
    filter: str = field("Filter", "", FILTER),  # noqa: A002  # what searches call it
    page: str = field("Write the page to", "", "HTML file for the interactive map, relative to the spec; none: no."),
) -> dict[str, Any]:
    """Find groups of like documents, name them by their terms, and draw a map.

    Reads the vectors that are there; costs nothing. The result is also a table beside the index: `<index>__clusters`.
    """
    spec = await find_spec(index)
    path = spec.path(page) if page else None
    finding = find_clusters.submit(
        Index(spec), level=level, method=method, k=clusters or None, filter=filter, page=path
    )
    return (await result(finding)).as_dict()


@flow(name="classify", flow_run_name=after_index, persist_result=False)
@readable
async def classify(  # noqa: PLR0913, PLR0917  # fields of a form
    index: str = field("Index", "", INDEX),
    labels: str = field("Labels", "", LABELS),
    level: Level = field("Level", "documents", LEVEL),
    filter: str = field("Filter", "", FILTER),  # noqa: A002  # what searches call it
    labelled: str = field("Labelled", "", LABELLED),
    target: Share = field("Target", 0.9, "How often labelled documents have to be right with the margin they choose."),
    min_margin: Share = field("Least margin", 0.0, MARGIN),
    min_score: Cosine = field("Least score", -1.0, "A document whose cosine with its label is less is left unsure."),
    column: str = field("Column", "", "Column of the table that gets the label too, to filter searches by; none: no."),
) -> dict[str, Any]:
    """Give every document the label it is nearest to, without training.

    Give a column, and searches can be filtered by it. The result is the table `<index>__classes`.
    """
    spec = await find_spec(index)
    file = spec.path(filled_in(labels, "Labels", LABELS))
    known = spec.path(labelled) if labelled else None
    finding = find_classes.submit(
        Index(spec), file, level=level, filter=filter, labelled=known, target=target,
        min_margin=min_margin, min_score=min_score, column=column,
    )  # fmt: skip
    return (await result(finding)).as_dict()


@flow(name="anomalies", flow_run_name=after_index, persist_result=False)
@readable
async def anomalies(  # noqa: PLR0917  # fields of a form
    index: str = field("Index", "", INDEX),
    level: Level = field("Level", "documents", LEVEL),
    method: Literal["auto", "centroid", "knn", "lof"] = field("Method", "auto", "How far from normal is measured."),
    filter: str = field("Filter", "", FILTER),  # noqa: A002  # what searches call it
    reference: str = field("Reference", "", "Another index that says what is normal; none: this one."),
    reference_filter: str = field("Reference filter", "", "Only what fulfils it is normal; none: most of it is."),
    tolerance: Tolerance = field("Tolerance", 3.5, "Deviations from the median that are normal."),
    allowed: Allowed = field("Allowed", -1, ALLOWED),
) -> dict[str, Any] | State[Any]:
    """Find documents that are far from what is normal for the index, farthest first, with the reason.

    Say how many are allowed, and the run fails when there are more: a check of quality that stops what comes after it.
    """
    of = Index(await find_spec(index))
    other = Index(await find_spec(reference)) if reference else None
    finding = find_outliers.submit(
        of, reference=other, level=level, method=method, filter=filter, reference_filter=reference_filter,
        tolerance=tolerance,
    )  # fmt: skip
    found = await result(finding)
    if 0 <= allowed < found.count:
        return Failed(message=f"{found.count} anomalies, {allowed} are allowed", data=found.as_dict())
    return found.as_dict()


@flow(name="duplicates", flow_run_name=after_index, persist_result=False)
@readable
async def duplicates(
    index: str = field("Index", "", INDEX),
    level: Level = field("Level", "documents", LEVEL),
    similarity: Annotated[float, Field(gt=0, le=1)] = field("Similarity", 0.95, "Cosine from which two are looked at."),
    overlap: Share = field("Overlap", 0.7, "Share of common text they need besides; 0: the same meaning is enough."),
    filter: str = field("Filter", "", FILTER),  # noqa: A002  # what searches call it
) -> dict[str, Any]:
    """Find documents that say the same, word for word or in other words."""
    of = Index(await find_spec(index))
    finding = find_groups.submit(of, level=level, filter=filter, similarity=similarity, overlap=overlap)
    return (await result(finding)).as_dict()


@flow(name="recommend", flow_run_name=after_index, persist_result=False)
@readable
async def recommend(  # noqa: PLR0917  # the fields of its form
    index: str = field("Index", "", INDEX),
    history: str = field("History", "", HISTORY),
    k: Annotated[int, Field(ge=1, le=1000)] = field("How many", 10, "Documents to recommend."),
    level: Literal["documents", "media"] = field("Level", "documents", "Documents, or images and videos."),
    diversity: Share = field("Diversity", 0.3, "0: the nearest; 1: as different from each other as can be."),
    half_life: Amount = field("Half-life", 90.0, "Days after which an entry counts half; 0: its age does not matter."),
    filter: str = field("Filter", "", FILTER),  # noqa: A002  # what searches call it
) -> dict[str, Any]:
    """Recommend documents to whoever has this history."""
    spec = await find_spec(index)
    options = {"k": k, "level": level, "diversity": diversity, "half_life_days": half_life, "filter": filter}
    finding = find_liked.submit(Index(spec), spec.path(filled_in(history, "History", HISTORY)), **options)
    return (await result(finding)).as_dict()
