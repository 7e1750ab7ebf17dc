"""The command that asks an index."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape

from relance.cli.options import DONE, AsJson, SearchMode, Spec
from relance.cli.terminal import Terminal

__all__ = ["search"]


def search(  # noqa: PLR0913  # what can be asked
    spec: Spec,
    query: str = "",
    *,
    image: str = "",
    like: str = "",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 5,
    page: int = 1,
    mode: SearchMode = "hybrid",
    filter: str | None = None,  # noqa: A002  # its name on the command line
    where: str | None = None,
    group: Annotated[bool, Parameter(negative="")] = False,
    rerank: str | None = None,
    instruct: str | None = None,
    explain: Annotated[bool, Parameter(negative="")] = False,
    json: AsJson = False,
) -> int:
    """Find the chunks that answer a question, and the images and videos that fit it.

    Parameters
    ----------
    image
        Ask with a picture instead of words: a file or an address.
    like
        Ask with a document of the index instead of words: the uri of what the hits should be like.
    k
        Hits on a page, of texts and of media.
    page
        Which page of them, from 1.
    mode
        dense: by vectors, which compare meaning. full-text: by words. sparse: by weighted terms, where the index has
        them. hybrid: all of these, merged by how far scores stand out.
    filter
        Condition on columns and metadata, e.g. 'year >= 2020 and (tag = "pump" or uri ~ "docs/*")'.
    where
        SQL condition on columns, for what a filter cannot say, e.g. "length(text) > 500".
    group
        One hit for each document, with its best chunk and the best of the others.
    rerank
        Model that reads the best hits beside the question and sorts them, e.g. dashscope/qwen3-rerank; none: not.
    instruct
        What the question is for, for models that take an instruction: a sentence, or the name of one, such as
        retrieval, question-answering, paraphrase, classification or clustering.
    explain
        Say where each hit's place comes from, and what was done.
    """
    from relance.errors import InputError
    from relance.index import Index

    index, terminal = Index(spec), Terminal(as_json=json)
    if page < 1:
        msg = f"page must be at least 1, got {page}"
        raise InputError(msg)
    asked: dict[str, Any] = {"k": k, "offset": (page - 1) * k, "mode": mode, "filter": filter, "where": where,
                             "like": like, "instruct": instruct, "explain": explain}  # fmt: skip
    if index.spec.media is None and not image:
        texts = index.search(query, **asked, group=group, rerank=rerank)
        found: dict[str, Any] = {"hits": [hit.as_dict() for hit in texts]}
        told: list[Any] = [texts]
    else:
        texts, media = index.search_both(query, image=image, **asked, group=group, rerank=rerank)
        found = {"hits": [hit.as_dict() for hit in texts], "media": [hit.as_dict() for hit in media]}
        told = [texts, media]
    more = any(hits.more for hits in told)
    explanations = [hits.explanation.as_dict() for hits in told if hits.explanation is not None]
    if json:
        terminal.json(found | {"more": more} | ({"explanations": explanations} if explain else {}))
        return DONE
    first = asked["offset"] + 1
    if not image and not (like and not texts and "media" in found):
        terminal.hits(found["hits"], first=first)
    if "media" in found and not (like and texts):
        terminal.media_hits(found["media"], first=first)
    if more:
        terminal.hint(f"there are more: --page {page + 1}")
    for explanation in explanations:
        _explain(terminal, explanation)
    return DONE


def _explain(terminal: Terminal, told: dict[str, Any]) -> None:
    """Print what a search did."""
    lists = " · ".join(f"{mode}: {how}" for mode, how in told["indexes"].items())
    vector = " ".join(part for part in (told["query_vector"], told["model"] and f"by {told['model']}") if part)
    rows = {
        "table": f"{told['table']} version {told['version']}",
        "lists": lists or "none",
        "vector": vector or "none",
        "instruction": told["instruct"],
        "condition": told["where"],
        "reranked": f"{told['reranked']} by {told['rerank']}, {told['tokens']:,} tokens" if told["rerank"] else "",
        "seconds": " · ".join(f"{step} {seconds:.3f}" for step, seconds in told["seconds"].items()),
    }
    if told["rerank"] and told["cost_usd"] is not None:
        rows["reranked"] += f", ${told['cost_usd']:.6f}"
    terminal.pairs(f"{escape(told['mode'])} search", {name: value for name, value in rows.items() if value})
