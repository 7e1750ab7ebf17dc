"""The command that asks an index."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from relance.commands.options import DONE, AsJson, SearchMode, Spec
from relance.terminal import Terminal

__all__ = ["search"]


def search(
    spec: Spec,
    query: str = "",
    *,
    image: str = "",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 5,
    mode: SearchMode = "hybrid",
    where: str | None = None,
    json: AsJson = False,
) -> int:
    """Find the chunks that answer a question, and the images and videos that fit it.

    Parameters
    ----------
    image
        Ask with a picture instead of words: a file or an address.
    k
        Hits to show, of texts and of media.
    mode
        By meaning (vector), by words (text), by weighted terms (sparse, where the index has them), or all of those
        with reciprocal rank fusion (hybrid).
    where
        SQL condition on columns, e.g. "media_type = 'text/markdown'" or "json_get_int(metadata, 'year') > 2020".
    """
    from relance.index import Index

    index, terminal = Index(spec), Terminal(as_json=json)
    if index.spec.media is None and not image:
        hits = [hit.as_dict() for hit in index.search(query, k=k, mode=mode, where=where)]
        terminal.json(hits) if json else terminal.hits(hits)
        return DONE
    texts, media = index.search_both(query, image=image, k=k, mode=mode, where=where)
    found = {"hits": [hit.as_dict() for hit in texts], "media": [hit.as_dict() for hit in media]}
    if json:
        terminal.json(found)
        return DONE
    if not image:
        terminal.hits(found["hits"])
    terminal.media_hits(found["media"])
    return DONE
