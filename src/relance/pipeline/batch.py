"""A batch of documents on its way from the source to the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import Chunk, Document, document_id
from relance.pipeline.discovery import Candidate

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse

__all__ = ["Batch"]


class Batch:
    """What one chain of tasks works on; each stage fills in what the next one needs.

    A plain object on purpose: Prefect walks through lists, dataclasses and models that it passes between tasks, and a
    batch is megabytes. `release` empties it, because Prefect keeps the object until the end of the flow.
    """

    def __init__(self, number: int, total: int, candidates: list[Candidate]) -> None:
        self.number = number
        self.total = total
        self.candidates = candidates
        self.documents: list[Document] = []
        self.chunks: list[list[Chunk]] = []
        self.vectors: list[NDArray[np.float32]] = []
        self.sparse: list[list[Sparse | None]] = []
        self.touched: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        """How far along this batch is, for people."""
        return f"{self.number}/{self.total}"

    @property
    def known(self) -> list[str]:
        """The ids of documents the index may hold rows of."""
        return [document_id(candidate.item.uri) for candidate in self.candidates if candidate.known]

    def release(self) -> None:
        """Let go of everything."""
        self.candidates, self.documents, self.chunks, self.touched = [], [], [], []
        self.vectors, self.sparse = [], []

    def __repr__(self) -> str:
        return f"<batch {self.name}: {len(self.candidates)} candidates, {len(self.documents)} documents>"
