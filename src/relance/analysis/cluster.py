"""Clusters of an index: which documents belong together, what each group is about, and where it lies on a map."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from relance.analysis.description import Central, Cluster, describe_clusters
from relance.analysis.partition import Method, Partition, by_density, by_means, quality
from relance.analysis.points import Level, Points, count_points, read_points, selection, stream_points, unit
from relance.analysis.projection import Layout, Projection, Space, needs_sklearn
from relance.analysis.results import read_results, write_results
from relance.errors import InputError
from relance.store.visible_table import Checked

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Central", "Cluster", "Clusters", "cluster", "cluster_again", "read_clusters"]

KIND = "clusters"
_SAMPLE = 20_000


@dataclass(slots=True, frozen=True)
class Clusters:
    """All points of an index, each in its cluster.

    Attributes:
        where: the condition they were chosen by, if any.
        table: the physical table they are of, as it was in `table_version`.
        fitted: points the clusters were made from; the others were assigned to them.
        silhouette: of at most 2,000 points, -1 to 1; None where there is nothing to compare.
        clusters: the largest first, those in no cluster last.
        ids: of the points, in the order of the arrays, as `uris`.
        labels: int32, the cluster of each point.
        distances: float32, cosine distance to the centre of its cluster, or of the nearest one if it is in none.
        positions: float32, shape (points, 2), within -1 and 1; NaN where no map was asked for.
        k: the number of clusters asked for, as `sample` and `seed`.
    """

    index: str
    level: Level
    method: Method
    where: str | None
    table: str
    table_version: int
    fitted: int
    silhouette: float | None
    projection: Projection | None
    clusters: list[Cluster]
    ids: list[str]
    uris: list[str]
    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    positions: NDArray[np.float32]
    k: int | None = None
    sample: int = _SAMPLE
    seed: int = 0

    @property
    def shortfall(self) -> str:
        """Say that there are fewer clusters than were asked for; empty if there are not."""
        found = sum(each.id >= 0 for each in self.clusters)
        if self.k is None or found >= self.k:
            return ""
        return f"{found:,} clusters instead of {self.k:,}: no more of the {self.fitted:,} {self.level} differ"

    def members(self, cluster_id: int) -> list[str]:
        """List the uris of a cluster's points, the most central first."""
        return [self.uris[at] for at in self.places(cluster_id)]

    def places(self, cluster_id: int) -> list[int]:
        """List where a cluster's points are in the arrays, the most central first."""
        at = np.flatnonzero(self.labels == cluster_id)
        return at[np.argsort(self.distances[at], kind="stable")].tolist()

    def is_current(self, index: Index) -> bool:
        """Whether the index is as it was, there is a map of it, and nothing else that its reader may see."""
        return self.projection is not None and self.is_of_version(index) and self.is_whole(index)

    def is_of_version(self, index: Index) -> bool:
        """Whether the table has not been written since."""
        table = index.table(media=self.level == "media", pinned=True)
        return (self.table, self.table_version) == (table.name, table.version)

    def is_whole(self, index: Index) -> bool:
        """Whether the reader of an index that has not changed sees no more; who sees less is not shown any."""
        return count_points(index, level=self.level, where=self.where and Checked(self.where)) == len(self.ids)

    def as_dict(self, *, points: bool = False) -> dict[str, Any]:
        """Return plain values; every point only if asked for."""
        asked = ("index", "level", "method", "k", "where", "sample", "seed", "projection")
        values = {name: getattr(self, name) for name in (*asked, "table", "table_version", "fitted", "silhouette")}
        values |= {"points": len(self.ids), "clusters": [asdict(each) for each in self.clusters]}
        return values if not points else values | {"members": self.rows().to_pylist()}

    def rows(self) -> Any:
        """Return a row for each point as an Arrow table: id, uri, cluster, label, distance, x and y."""
        import pyarrow as pa

        label_of = {each.id: each.label for each in self.clusters}
        x, y = (pa.array(self.positions[:, axis], pa.float32(), from_pandas=True) for axis in (0, 1))
        return pa.table({
            "id": pa.array(self.ids, pa.string()), "uri": pa.array(self.uris, pa.string()),
            "cluster": pa.array(self.labels, pa.int32()),
            "label": pa.array([label_of[label] for label in self.labels.tolist()], pa.string()),
            "distance": pa.array(self.distances, pa.float32()), "x": x, "y": y,
        })  # fmt: skip


def cluster(index: Index, *, level: Level = "documents", method: Method = "kmeans",  # noqa: PLR0913  # by keyword
            k: int | None = None, filter: str | None = None, where: str | None = None, sample: int = _SAMPLE,  # noqa: A002
            seed: int = 0, projection: Projection | None = "tsne") -> Clusters:  # fmt: skip
    """Find which points of an index belong together, name what sets each group apart, and lay them out on a map.

    Memory is bounded by the sample: what it does not hold is read in batches, assigned and placed. The result replaces
    the table `<index>__clusters`. The same index, options and seed give the same result.

    Args:
        index: what is looked at; nothing is embedded, so nothing costs.
        level: of what there is a point each.
        method: k-means, or HDBSCAN, which finds the number of clusters itself and leaves outliers in none.
        k: number of clusters of k-means; None finds one by silhouettes.
        filter: what people write to limit it (docs/search.md).
        where: SQL condition on the columns of the table.
        sample: the clusters are made from at most so many points.
        seed: of every choice by chance.
        projection: how the map is made; None leaves it out, which is much faster.
    """
    _check(method, k, sample, seed, projection)
    where = selection(index, level, filter=filter, where=where)
    points = read_points(index, level=level, sample=sample, where=where, seed=seed)
    if not len(points):
        msg = f"index {index.spec.name!r} has no {level} to cluster" + (f" where {where}" if where else "")
        raise InputError(msg)
    with needs_sklearn("clustering"):
        space = Space.fit(points.vectors, seed=seed)
        reduced = space.reduce(points.vectors)
        laid_out = projection or ("tsne" if method == "hdbscan" else None)
        layout = Layout.fit(reduced, laid_out, seed=seed) if laid_out else None
        partition = by_density(reduced, layout) if method == "hdbscan" and layout else by_means(reduced, k, seed=seed)
        silhouette = quality(reduced, partition.labels, seed=seed)
        model = _Model(space, partition, layout if projection else None, points)
        rest = count_points(index, level=level, where=where) > len(points)
        batches = stream_points(index, level=level, where=where) if rest else [points]
        placed = [model.place(batch) for batch in batches]
        ids, uris = ([name for each in placed for name in each[column]] for column in (0, 1))
        labels, distances, positions = (np.concatenate([each[column] for each in placed]) for column in (2, 3, 4))
        labels = _largest_first(labels)
        clusters = describe_clusters(index, level, ids, labels, distances)
    found = Clusters(
        index.spec.name, level, method, where, points.table, points.version, len(points),
        None if silhouette is None else round(silhouette, 4), projection, clusters, ids, uris, labels, distances,
        positions, k, sample, seed,
    )  # fmt: skip
    metadata = found.as_dict()
    write_results(index, KIND, found.rows(), {"relance.clusters": json.dumps(metadata, ensure_ascii=False)})
    return found


def cluster_again(index: Index, last: Clusters) -> Clusters:
    """Cluster an index as it was asked to be before, and lay it out on a map even if it was not."""
    where = last.where and Checked(last.where)  # it was looked at when it was asked for
    return cluster(index, level=last.level, method=last.method, k=last.k, where=where, sample=last.sample,
                   seed=last.seed, projection=last.projection or "tsne")  # fmt: skip


def read_clusters(index: Index) -> Clusters | None:
    """Read what the last `cluster` found, or None if there is nothing; `table_version` tells of which state it is."""
    rows = read_results(index, KIND)
    if rows is None:
        return None
    values = json.loads((rows.schema.metadata or {})[b"relance.clusters"])
    del values["points"]
    values["clusters"] = [
        Cluster(**(each | {"central": [Central(**central) for central in each["central"]]}))
        for each in values["clusters"]
    ]
    x, y = (rows[name].to_numpy(zero_copy_only=False).astype(np.float32) for name in ("x", "y"))
    return Clusters(
        **values, ids=rows["id"].to_pylist(), uris=rows["uri"].to_pylist(), labels=rows["cluster"].to_numpy(),
        distances=rows["distance"].to_numpy(), positions=np.stack([x, y], axis=1),
    )  # fmt: skip


class _Model:
    """What the sample taught: where the centres are, and how other points are assigned and placed."""

    def __init__(self, space: Space, partition: Partition, layout: Layout | None, points: Points) -> None:
        self._space, self._partition, self._layout = space, partition, layout
        ids = [each for each in np.unique(partition.labels) if each >= 0] or [-1]
        means = np.stack([points.vectors[partition.labels == each].mean(axis=0) for each in ids])
        self._centres = unit(means.astype(np.float32))
        self._row = {int(each): row for row, each in enumerate(ids)}

    def place(self, points: Points) -> tuple[list[str], list[str], Any, Any, Any]:
        """Return ids, uris, labels, distances and positions."""
        reduced = self._space.reduce(points.vectors)
        labels = self._partition.assign(reduced)
        cosines = points.vectors @ self._centres.T
        own = np.array([self._row.get(label, -1) for label in labels.tolist()])
        chosen = np.where(own >= 0, own, cosines.argmax(axis=1))
        distances = np.clip(1 - np.take_along_axis(cosines, chosen[:, None], axis=1)[:, 0], 0, 2)
        nowhere = np.full((len(points), 2), np.nan, np.float32)
        positions = nowhere if self._layout is None else self._layout.place(reduced)
        return points.ids, points.uris, labels, distances.astype(np.float32), positions


def _largest_first(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number clusters by size, from 0; what is in none keeps -1."""
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    order = found[np.argsort(-counts, kind="stable")]
    number = {int(old): new for new, old in enumerate(order)} | {-1: -1}
    return np.array([number[label] for label in labels.tolist()], np.int32)


def _check(method: Method, k: int | None, sample: int, seed: int, projection: Projection | None) -> None:
    if method not in get_args(Method) or (projection is not None and projection not in get_args(Projection)):
        methods, projections = ", ".join(get_args(Method)), ", ".join(get_args(Projection))
        msg = f"method is one of {methods}, projection one of {projections} or None"
        raise InputError(msg)
    if k is not None and method == "hdbscan":
        msg = "HDBSCAN finds the number of clusters itself; leave k out, or use kmeans"
        raise InputError(msg)
    if k is not None and k < 1:
        msg = f"k must be at least 1, got {k}"
        raise InputError(msg)
    if sample < 2:
        msg = f"sample must be at least 2, got {sample}"
        raise InputError(msg)
    if not 0 <= seed < 2**32:
        msg = f"seed must be between 0 and {2**32 - 1:,}, got {seed}"
        raise InputError(msg)
