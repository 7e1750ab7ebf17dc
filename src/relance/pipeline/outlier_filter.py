"""The outlier filter of a run: documents that are unlike what the index holds are named, or kept out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relance.config import IndexSpec
from relance.counted import counted
from relance.documents import document_id
from relance.errors import ConfigurationError
from relance.store import Store
from relance.store.failures import Failure, Failures
from relance.store.index_tables import IndexTables
from relance.store.vector_table import dense_matrix

if TYPE_CHECKING:
    from relance.pipeline.normal import Normal

__all__ = ["OutlierFilter", "open_outlier_filter"]

_FEWEST = 50  # documents of an index that can say what is usual in it
_NAMED = 10
_REFUSED_BEFORE = "was refused before; a new table is being built, and the next run compares this document with it"


def open_outlier_filter(spec: IndexSpec, store: Store, tables: IndexTables, dimension: int) -> OutlierFilter | None:
    """Open the filter a spec asks for; None if it asks for none."""
    if spec.quality.anomalies == "off":
        return None
    if not dimension:
        msg = "quality.anomalies compares dense vectors; set embedding.output_type to dense or dense&sparse"
        raise ConfigurationError(msg)
    return OutlierFilter(spec, store, tables)


class OutlierFilter:
    """Compares documents, once they are embedded, with a sample of what the index held when the run began to write.

    What is anomalous is that of `relance anomalies`: far from its nearest neighbours. A run that builds a new table has
    nothing to compare with, so what stands refused stays refused, and the rest goes in. Used by one thread at a time;
    checking a batch again is harmless.
    """

    def __init__(self, spec: IndexSpec, store: Store, tables: IndexTables) -> None:
        self._spec, self._store, self._tables = spec, store, tables
        self._read = False
        self._normal: Normal | None = None
        self._held = 0
        self._rebuilding = False
        self._refused: set[str] = set()
        self._told: set[str] = set()

    def check(self, chunks: pa.Table) -> list[Failure]:
        """Look at embedded chunks; returns the documents that are to be kept out, with reasons."""
        if not chunks.num_rows:
            return []
        if not self._read:  # before the first batch is written, so the index is as it was
            self._normal, self._read = self._read_normal(), True
        uris = chunks["uri"].unique().to_pylist()
        if self._normal is None:
            return [Failure(uri, _REFUSED_BEFORE, "check") for uri in uris if uri in self._refused]
        from relance.store.points import unit

        of, rows = pc.index_in(chunks["uri"], pa.array(uris)).to_numpy(), unit(dense_matrix(chunks["vector"]))
        means = np.zeros((len(uris), rows.shape[1]), np.float32)
        np.add.at(means, of, rows)
        vectors = unit(means / np.bincount(of)[:, None].astype(np.float32))
        ids = [document_id(uri) for uri in uris]
        scores = self._normal.score(vectors, ids)
        far = np.flatnonzero(scores > self._normal.threshold)
        if self._spec.quality.anomalies != "refuse":
            self._told.update(uris[at] for at in far)
            return []
        nearest = self._normal.nearest(vectors[far], [ids[at] for at in far])
        return [Failure(uris[at], self._reason(float(scores[at]), near), "check")
                for at, near in zip(far, nearest, strict=True)]  # fmt: skip

    def notes(self) -> list[str]:
        """Say what a person should know when the run is over."""
        if self._rebuilding:
            return ["quality: a new table is being built; documents were not compared with it"]
        if self._read and self._normal is None:
            few = f"the index held {self._held} documents, and {_FEWEST} are needed"
            return [f"quality: documents were not compared with the index: {few}"]
        if not self._told:
            return []
        named = ", ".join(sorted(self._told)[:_NAMED]) + (", …" if len(self._told) > _NAMED else "")
        return [f"quality: {counted(len(self._told), 'document')} far from what this index holds: {named}"]

    def _read_normal(self) -> Normal | None:
        """Read what the index holds; None if that is too little, or if these tables do not serve it yet."""
        from relance.pipeline.normal import Normal
        from relance.store.points import read_points

        alias = self._tables.alias
        if alias is not None and alias["table"] != self._tables.name:
            self._rebuilding = True
            if self._spec.quality.anomalies == "refuse":
                standing = Failures(self._store, alias["table"]).all()
                self._refused = {row.uri for row in standing if row.stage == "check"}
            return None
        # A handle of its own: reading pins it to a version, and the writer needs its own to move on.
        table = self._store.open(self._tables.name)
        if alias is None or table is None:
            return None
        level = "media" if "url" in table.schema.names else "documents"
        points = read_points(table, level, sample=self._spec.quality.sample)
        self._held = len(points)
        if self._held < _FEWEST:
            return None
        points = replace(points, ids=[document_id(uri) for uri in points.uris])
        return Normal(points, tolerance=self._spec.quality.tolerance)

    def _reason(self, score: float, nearest: list[tuple[int, float]]) -> str:
        assert self._normal is not None  # noqa: S101  # it told the score
        uris = ", ".join(self._normal.points.uris[place] for place, _ in nearest)
        how = f"{score:.3f}, over {self._normal.threshold:.3f}"
        return f"is far from what this index holds ({how}); nearest: {uris}"
