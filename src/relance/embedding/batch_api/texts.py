"""Which texts are ordered: what a run would embed, less what there is a vector of."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from relance.pipeline.run import Ingestion

__all__ = ["Inputs", "changed_texts", "missing_texts"]

# Texts, and their tokens by the model's tokenizer where those are known: what `Ingestion.inputs` returns.
Inputs = tuple[list[str], NDArray[np.int64] | None]


def changed_texts(run: Ingestion) -> Iterator[Inputs]:
    """Read, after `run.discover()`, what a run would embed, batch by batch; the run does all of it again afterwards."""
    # What fails here fails again then, and is to be reported once.
    failures, failed = len(run.report.failures), run.report.failed
    try:
        for batch in run.batches():
            run.chunk(run.load(batch))
            yield run.inputs(batch)
            batch.release()
    finally:
        del run.report.failures[failures:]
        run.report.failed = failed


def missing_texts(run: Ingestion, texts: Iterable[Inputs], *, but: Container[str]) -> Iterator[tuple[str, str, int]]:
    """Yield key, text and tokens of what has no vector, each once, until the run is stopped.

    Blank and too long texts are left out: the run makes failures of them without asking a service.

    Args:
        run: whose store, model and limits count.
        texts: any number, repeats allowed.
        but: keys to leave out as well.
    """
    from relance.embedding.embedder import vector_key

    info, stop = run.provider.info, run.handle.stop
    limit = run.embedding.max_input_tokens or info.max_input_tokens
    seen: set[bytes] = set()
    for batch, tokens in texts:
        keys = [vector_key(info.space, "document", text) for text in batch]
        there = run.vectors.contains(keys)
        wanted = []
        for position, key in enumerate(keys):
            name = bytes.fromhex(key)  # a third of the memory
            if not (there[position] or name in seen or key in but) and batch[position].strip():
                seen.add(name)
                wanted.append(position)
        if wanted:
            chosen = [batch[at] for at in wanted]
            counts = run.provider.tokenizer.count(chosen) if tokens is None else tokens[wanted]
            for position, count in zip(wanted, counts.tolist(), strict=True):
                if not limit or count <= limit:
                    yield keys[position], batch[position], count
        if stop.is_set():
            return
