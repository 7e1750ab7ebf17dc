"""Analyse an index, and show what was found in the Prefect UI.

One task each: what is found holds every point, and Prefect would walk through all of it between two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from relance.analysis.anomalies import Anomalies, find_anomalies
from relance.analysis.calibration import Calibration, calibrate, read_labelled
from relance.analysis.classify import Classes, classify
from relance.analysis.cluster import Clusters, cluster
from relance.analysis.duplicates import Duplicates, find_duplicates
from relance.analysis.labels import read_labels
from relance.analysis.map_page import write_page
from relance.analysis.points import Level
from relance.analysis.recommend import Recommendations, read_history, recommend
from relance.index import Index
from relance_tasks import findings
from relance_tasks.artifacts import key_of
from relance_tasks.retries import STAGE

__all__ = ["find_classes", "find_clusters", "find_groups", "find_liked", "find_outliers"]


@task(task_run_name="cluster {index.spec.name}", **STAGE)
def find_clusters(index: Index, *, level: Level, filter: str, page: Path | None, **options: Any) -> Clusters:  # noqa: A002
    """Cluster the points, place them on a map, publish both; the interactive map goes to `page`."""
    found = cluster(index, level=level, filter=filter, **options)
    if page:
        write_page(index, found, page)
    _publish("clusters", found.index, findings.clusters_markdown(found, page), f"{len(found.clusters)} clusters")
    return found


@task(task_run_name="classify {index.spec.name}", **STAGE)
def find_classes(index: Index, labels: Path, *, level: Level, filter: str, labelled: Path | None,  # noqa: A002, PLR0913  # by keyword
                 target: float, min_margin: float, min_score: float, column: str) -> Classes:  # fmt: skip
    """Give every point its label; publish how many have which, and how far labelled documents say to trust it."""
    classes = read_labels(labels)
    limits: dict[str, Any] = {"min_margin": min_margin, "min_score": min_score}
    measured: Calibration | None = None
    if labelled:
        measured = calibrate(index, classes, read_labelled(labelled), level=level, target=target)
        limits |= {"temperature": measured.temperature, "min_margin": min_margin or measured.min_margin}
    found = classify(index, classes, level=level, filter=filter, column=column, **limits)
    told = f"{found.total} classified, {found.unsure} unsure"
    _publish("classes", found.index, findings.classes_markdown(found, measured), told)
    return found


@task(task_run_name="score {index.spec.name}", **STAGE)
def find_outliers(index: Index, *, reference: Index | None, level: Level, filter: str, reference_filter: str,  # noqa: A002
                  **options: Any) -> Anomalies:  # fmt: skip
    """Measure how far every point is from normal; publish the farthest."""
    found = find_anomalies(index, level=level, filter=filter, reference=reference, reference_filter=reference_filter,
                           **options)  # fmt: skip
    told = f"{found.count} of {found.scored} far from normal"
    _publish("anomalies", found.index, findings.anomalies_markdown(found), told)
    return found


@task(task_run_name="compare {index.spec.name}", **STAGE)
def find_groups(index: Index, *, level: Level, filter: str, **options: Any) -> Duplicates:  # noqa: A002
    """Group points that say the same, and publish the groups."""
    found = find_duplicates(index, level=level, filter=filter, **options)
    _publish("duplicates", found.index, findings.duplicates_markdown(found), f"{len(found.groups)} groups")
    return found


@task(task_run_name="recommend from {index.spec.name}", **STAGE)
def find_liked(index: Index, history: Path, **options: Any) -> Recommendations:
    """Find what somebody with this history may like, and publish it."""
    found = recommend(index, read_history(history), **options)
    shown = findings.recommendations_markdown(found)
    _publish("recommendations", index.spec.name, shown, f"{len(found.items)} recommended")
    return found


def _publish(kind: str, index: str, markdown: str, description: str) -> None:
    create_markdown_artifact(markdown, key=key_of(kind, index), description=description)
