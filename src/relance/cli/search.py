"""The command that asks an index."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.markup import escape

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, SearchMode, index_as
from relance.cli.terminal import Terminal
from relance.counted import counted

if TYPE_CHECKING:
    from relance.index import Index
    from relance.search import Hits

__all__ = ["search"]


def search(  # noqa: PLR0913  # what can be asked
    spec: Annotated[str, Parameter(help="The index file, or the folder with an index.yaml.")] = ".",
    query: Annotated[str, Parameter(help="The question. Alone, it is searched for in this folder's index.")] = "",
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
    floor: float | None = None,
    explain: Annotated[bool, Parameter(negative="")] = False,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Search: show the chunks that answer a question, and the images and videos that fit it.

    Parameters
    ----------
    image
        Ask with a picture instead of words: a file or an address.
    like
        Ask with a document of the index instead of words: the uri of what the hits should be like. A picture may be
        named by its uri or address, too, and be a file or an address that the index does not have: then the hits are
        pictures.
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
    floor
        Standard deviations that a picture has to stand out of a list of the search, or it is no hit; 0: all are.
        By default as the spec says (search.media_floor, 1).
    explain
        Say where each hit's place comes from, and what was done.
    """
    from relance.errors import InputError
    from relance.search.similar import NoSuchDocumentError

    path, query = _question(spec, query, otherwise=bool(image or like))
    index, terminal = index_as(path, principals, owner=as_owner), Terminal(as_json=json)
    if page < 1:
        msg = f"page must be at least 1, got {page}"
        raise InputError(msg)
    asked: dict[str, Any] = {"k": k, "offset": (page - 1) * k, "mode": mode, "filter": filter, "where": where,
                             "like": like, "instruct": instruct, "explain": explain}  # fmt: skip
    ways = {"group": group, "rerank": rerank}
    try:
        told = _ask(index, query, image, asked | ways, floor)
    except NoSuchDocumentError:
        if not _outside(like):
            raise
        image, like, asked["like"] = like, "", ""
        told = _ask(index, query, image, asked | ways, floor)
    found = dict(zip(("hits", "media"), ([hit.as_dict() for hit in hits] for hits in told), strict=False))
    texts = told[0]
    more = any(hits.more for hits in told)
    explanations = [hits.explanation.as_dict() for hits in told if hits.explanation is not None]
    hints = [hint for hits in told for hint in hits.hints]
    if json:
        asides = ({"hints": hints} if hints else {}) | ({"explanations": explanations} if explain else {})
        terminal.json(found | {"more": more} | asides)
        return DONE
    first = asked["offset"] + 1
    if texts.together:
        _merged(terminal, found["hits"], found["media"], first=1 + 2 * asked["offset"])
    elif not image and not (like and not texts and "media" in found):
        terminal.hits(found["hits"], first=first)
    if "media" in found and not texts.together and not (like and texts):
        terminal.media_hits(found["media"], first=first)
    if cut := sum(hits.cut for hits in told if len(hits) < k):
        what = "image or video stands" if cut == 1 else "images and videos stand"
        terminal.note(f"{cut:,} more {what} out of no list of this search: --floor 0 shows all")
    for hint in hints:
        terminal.note(hint)
    if more:
        terminal.hint(f"there are more: --page {page + 1}")
    for explanation in explanations:
        _explain(terminal, explanation)
    return DONE


def _question(spec: str, query: str, *, otherwise: bool) -> tuple[Path, str]:
    """Take a single word or sentence for the question, to the index of this folder, unless it is there as a path.

    Raises InputError where no index is here, and where the words are also the name of a folder without an index.
    """
    from relance.config.load import FILE_NAMES
    from relance.errors import InputError

    path = Path(spec).expanduser()
    if query or otherwise or path == HERE or path.suffix in {".yaml", ".yml"} or os.path.isfile(path):  # noqa: PTH113
        return path, query  # os.path, since a question may be too long for a path, which Path.is_file raises for
    if os.path.isdir(path):  # noqa: PTH112
        if any((path / name).exists() for name in FILE_NAMES):
            return path, query
        msg = f"{spec} is a folder without an {FILE_NAMES[0]}; to search for the word: relance search . {quote(spec)}"
        raise InputError(msg)
    if not any((HERE / name).exists() for name in FILE_NAMES):
        msg = (
            f"{spec!r} is no index file or folder, so it was taken for the question, but this folder holds no "
            f"{FILE_NAMES[0]} to search; name the index: relance search SPEC {quote(spec)}"
        )
        raise InputError(msg)
    return HERE, spec


def _ask(index: Index, query: str, image: str, asked: dict[str, Any], floor: float | None) -> list[Hits[Any]]:
    """Search the texts, or texts and media."""
    from relance.errors import RelanceError

    try:
        if index.spec.media is None and not image:
            return [index.search(query, **asked)]
        return list(index.search_both(query, image=image, floor=floor, **asked))
    except RelanceError as error:  # what it proposes is written as an option here
        error.__notes__ = [note.replace("mode ", "--mode ").replace("and rerank ", "--rerank ")
                           for note in getattr(error, "__notes__", ())]  # fmt: skip
        raise


def _merged(terminal: Terminal, texts: list[dict[str, Any]], media: list[dict[str, Any]], *, first: int) -> None:
    """Print texts and media as one list: their scores can be compared. A page has so many of each."""
    if not texts and not media:
        terminal.hits([])
    ways = [(hit, terminal.hits) for hit in texts] + [(hit, terminal.media_hits) for hit in media]
    for place, (hit, shown) in enumerate(sorted(ways, key=lambda each: -each[0]["score"]), start=first):
        shown([hit], first=place)


def _outside(like: str) -> bool:
    """Whether something that the index does not have is a file or an address."""
    return like.startswith(("http://", "https://")) or Path(like).expanduser().is_file()


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
        "reranked": _reranked(told) if told["rerank"] else "",
        "floor": f"{told['floor']:g} × standard deviation, {told['cut']:,} left out" if told["floor"] else "",
        "seconds": " · ".join(f"{step} {seconds:.3f}" for step, seconds in told["seconds"].items()),
    }
    terminal.pairs(f"{escape(told['mode'])} search", {name: value for name, value in rows.items() if value})


def _reranked(told: dict[str, Any]) -> str:
    """Say what reranking took; of texts and media together it is said with the texts."""
    who = f"{told['reranked']} by {told['rerank']}"
    if told["together"] and not told["tokens"]:
        return f"{who}, together with the texts"
    cost = "" if told["cost_usd"] is None else f", ${told['cost_usd']:.6f}"
    return f"{who}, {counted(told['tokens'], 'token')}{cost}{', texts and media together' if told['together'] else ''}"
