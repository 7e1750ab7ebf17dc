"""Trying a model on a dataset: an index over the dataset's own documents, kept or thrown away."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

from pydantic import ValidationError

from relance.config import ChunkingSpec, EmbeddingSpec, IndexSpec, LimitsSpec
from relance.config.finding import findings
from relance.documents import digest
from relance.errors import ConfigurationError, StoppedError

__all__ = ["over_corpus", "spec_for", "thrown_away"]

_CORPUS = "corpus.jsonl"


def spec_for(model: str, dataset: Path, store: Path, *, max_cost_usd: float) -> IndexSpec:
    """Declare an index of a dataset's `corpus.jsonl` by one model, with every other choice at its default.

    Args:
        model: `provider/model`, or `provider/model@dimension`.
        dataset: a folder in BEIR format.
        store: folder for the tables; with it, vectors are kept for the next try.
        max_cost_usd: budget of building it.

    Raises ConfigurationError for what is no model's name, for a budget below 0, and for a folder without a corpus.
    """
    name, _, dimension = model.partition("@")
    try:
        embedding = EmbeddingSpec.of({"model": name, "dimension": dimension or 0})
    except ValidationError as error:
        said = findings(error.errors(), EmbeddingSpec.model_fields)[0][1]
        msg = f"--model {model}: {said}; write provider/model, e.g. local/wordllama@128"
        raise ConfigurationError(msg) from None
    try:
        limits = LimitsSpec(max_cost_usd=max_cost_usd)
    except ValidationError as error:
        msg = f"--max-cost-usd {max_cost_usd:g}: {findings(error.errors(), LimitsSpec.model_fields)[0][1]}"
        raise ConfigurationError(msg) from None
    return _declare(dataset, store, embedding, ChunkingSpec(), limits)


def over_corpus(spec: IndexSpec, dataset: Path, store: Path) -> IndexSpec:
    """Declare an index of a dataset's `corpus.jsonl` with the chunking, model and limits of a spec."""
    return _declare(dataset, store, spec.embedding, spec.chunking, spec.limits, name=spec.name).with_plugins(
        spec.plugins
    )


@contextlib.contextmanager
def thrown_away() -> Generator[Path]:
    """Make a folder for tables that nobody keeps; whoever interrupts the run is told so (StoppedError)."""
    try:
        with tempfile.TemporaryDirectory(prefix="relance-evaluate-") as folder:
            yield Path(folder)
    except KeyboardInterrupt:
        msg = "interrupted; what was built is thrown away. With --keep FOLDER the next run goes on from there"
        raise StoppedError(msg) from None


def _declare(dataset: Path, store: Path, embedding: EmbeddingSpec, chunking: ChunkingSpec, limits: LimitsSpec, *,
             name: str = "") -> IndexSpec:  # fmt: skip
    dataset = dataset.absolute()
    if not (dataset / _CORPUS).is_file():
        msg = f"{dataset / _CORPUS}: there is no such file; the documents to index are expected there, in BEIR format"
        raise ConfigurationError(msg)
    # Two trials of one name in one store must not be one index: what is tried differs, so does the name.
    tried = digest("trial", str(dataset), embedding.model, str(embedding.dimension), chunking.model_dump_json(), size=3)
    declared = {
        "name": f"{_slug(dataset.name)}-{_slug(name or embedding.model.rpartition('/')[2])[:24]}-{tried}",
        "sources": [{"type": "files", "root": str(dataset), "include": [_CORPUS], "ignore_files": [],
                     "rows": {"id": "_id", "text": ["title", "text"]}}],
        "store": {"uri": str(store.absolute())},
        "folder": dataset,
    }  # fmt: skip
    return IndexSpec.model_validate(declared | {"embedding": embedding, "chunking": chunking, "limits": limits})


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24].strip("-") or "set"
