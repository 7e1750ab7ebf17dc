"""Analyse an index, and show what was found in the Prefect UI.

One task each: what is found holds every point, and Prefect would walk through all of it between two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from relance.analysis.anomalies import Anomalies, find_anomalies
from relance.analysis.classify import Classes, classify
from relance.analysis.cluster import Clusters, cluster
from relance.analysis.duplicates import Duplicates, find_duplicates
from relance.analysis.labels import read_labels
from relance.analysis.recommend import Recommendations, read_history, recommend
from relance.index import Index
from tasks import findings
from tasks.artifacts import key_of
from tasks.retries import STAGE

__all__ = ["find_classes", "find_clusters", "find_groups", "find_liked", "find_outliers"]


@task(task_run_name="cluster {index.spec.name}", **STAGE)
def find_clusters(index: Index, *, where: str, **options: Any) -> Clusters:
    """Cluster the points, place them on a map, publish both."""
    found = cluster(index, where=where or None, **options)
    _publish("clusters", found.index, findings.clusters_markdown(found), f"{len(found.clusters)} clusters")
    return found


@task(task_run_name="classify {index.spec.name}", **STAGE)
def find_classes(index: Index, labels: Path, **options: Any) -> Classes:
    """Give every point its label; publish how many have which."""
    found = classify(index, read_labels(labels), **options)
    told = f"{found.total} classified, {found.unsure} unsure"
    _publish("classes", found.index, findings.classes_markdown(found), told)
    return found


@task(task_run_name="score {index.spec.name}", **STAGE)
def find_outliers(index: Index, *, reference: str, **options: Any) -> Anomalies:
    """Measure how far every point is from normal; publish the farthest."""
    found = find_anomalies(index, reference_where=reference or None, **options)
    told = f"{found.count} of {found.scored} far from normal"
    _publish("anomalies", found.index, findings.anomalies_markdown(found), told)
    return found


@task(task_run_name="compare {index.spec.name}", **STAGE)
def find_groups(index: Index, **options: Any) -> Duplicates:
    """Group points that say the same, and publish the groups."""
    found = find_duplicates(index, **options)
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
