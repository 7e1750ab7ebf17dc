"""Which texts are ordered: what is to be embedded, less what there is a vector of."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from relance.embedding.batch_api.context import FillContext
from relance.embedding.embedder import vector_key

__all__ = ["Inputs", "missing_texts"]

# Texts, and their tokens by the model's tokenizer where those are known: what `Ingestion.inputs` returns.
Inputs = tuple[list[str], NDArray[np.int64] | None]


def missing_texts(
    context: FillContext, texts: Iterable[Inputs], *, but: Container[str]
) -> Iterator[tuple[str, str, int]]:
    """Yield key, text and tokens of what has no vector, each once, until the run is stopped.

    Blank and too long texts are left out: the run makes failures of them without asking a service.

    Args:
        context: whose store, model and limits count.
        texts: any number, repeats allowed.
        but: keys to leave out as well.
    """
    info = context.provider.info
    limit = context.spec.max_input_tokens or info.max_input_tokens
    seen: set[bytes] = set()
    for batch, tokens in texts:
        keys = [vector_key(info.space, "document", text) for text in batch]
        there = context.vectors.contains(keys)
        wanted = []
        for position, key in enumerate(keys):
            name = bytes.fromhex(key)  # a third of the memory
            if not (there[position] or name in seen or key in but) and batch[position].strip():
                seen.add(name)
                wanted.append(position)
        if wanted:
            chosen = [batch[at] for at in wanted]
            counts = context.provider.tokenizer.count(chosen) if tokens is None else tokens[wanted]
            for position, count in zip(wanted, counts.tolist(), strict=True):
                if not limit or count <= limit:
                    yield keys[position], batch[position], count
        if context.stop.is_set():
            return
