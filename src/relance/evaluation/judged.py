"""What of a dataset an index can be asked: its judged documents, found among the index's texts or its media."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from relance.errors import ConfigurationError, InputError
from relance.evaluation.dataset import Qrels, Queries
from relance.search.mode import COLUMNS, Mode

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Judged", "find_judged", "offered"]


@dataclass(slots=True, frozen=True)
class Judged:
    """The questions of a dataset that have a relevant document, and the table of an index that answers them.

    Attributes:
        table: the index's texts, or its media where the judged documents are images and videos.
        grades: by question, of documents by uri.
        missing: names of relevant documents that the index does not have; no search can find them.
        copies: of media: the uri that stands for a content, by that of each further place it is at.
    """

    index: Index
    table: Any
    media: bool
    grades: Mapping[str, Mapping[str, int]]
    missing: list[str]
    copies: Mapping[str, str]


def find_judged(index: Index, queries: Queries, qrels: Qrels) -> Judged:
    """Look the judged documents up: among the texts, and what is not there among the media.

    A name is a uri, or what follows a `#` in it (the id of a row), or the address of an image or video.

    Blank questions are left out.

    Raises InputError where no question can be asked, where a name could be several documents, and where texts and
    media are mixed: they are in two tables, whose scores cannot be compared.
    """
    asked = {query: graded for query, graded in qrels.items()
             if queries.get(query, "").strip() and any(grade > 0 for grade in graded.values())}  # fmt: skip
    if not asked:
        msg = "no question of the dataset has a relevant document; are its questions and judgements of the same set?"
        raise InputError(msg)
    wanted = {name for graded in asked.values() for name in graded}
    texts, pictures = index.visible(), _media_table(index)
    copies = {} if pictures is None else _copies(pictures)
    in_texts = _one_each(_places(_names_of_texts(texts), wanted))
    left = wanted - in_texts.keys()
    in_media = {} if pictures is None else _one_each(_places(_names_of_media(pictures, copies), left))
    media = _are_media(queries, asked, in_texts, in_media)
    known = in_media if media else in_texts
    relevant = {name for graded in asked.values() for name, grade in graded.items() if grade > 0}
    return Judged(index, pictures if media else texts, media, _by_uri(asked, known),
                  sorted(relevant - known.keys()), copies if media else {})  # fmt: skip


def offered(judged: Judged, modes: Sequence[Mode]) -> list[Mode]:
    """Take the modes that were asked for, or all (none named) that the table can be searched by.

    Raises ConfigurationError for one that it has no vectors for.
    """
    absent = {mode for mode in ("dense", "sparse") if COLUMNS[mode] not in judged.table.schema.names}
    if wrong := sorted(absent.intersection(modes)):
        what = "the media of index" if judged.media else "index"
        there = ", ".join(mode for mode in get_args(Mode) if mode not in absent)
        msg = f"mode {wrong[0]}: {what} {judged.index.spec.name!r} has no such vectors; it can be searched by {there}"
        raise ConfigurationError(msg)
    return list(modes) or [mode for mode in get_args(Mode) if mode not in absent]


def _media_table(index: Index) -> Any | None:
    """Open the table of media; None where there is none, or none yet."""
    if index.spec.media is not None:
        with contextlib.suppress(ConfigurationError):
            return index.visible(media=True)
    return None


def _names_of_texts(table: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield every document's uri with all it may be called by: its own uri first."""
    for uri in {uri for (uri,) in _rows(table, "uri")}:
        yield uri, _names(uri)


def _names_of_media(table: Any, copies: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    for uri, url in _rows(table, "uri", "url"):
        yield copies.get(uri, uri), [*_names(uri), url]


def _names(uri: str) -> list[str]:
    return [uri, *(uri[at + 1 :] for at, letter in enumerate(uri) if letter == "#")]


def _copies(table: Any) -> dict[str, str]:
    """Let one place stand for all that have the same content: a search shows it once."""
    by_content: dict[str, list[str]] = {}
    for uri, content in _rows(table, "uri", "content_hash"):
        by_content.setdefault(content, []).append(uri)
    return {uri: min(uris) for uris in by_content.values() if len(uris) > 1 for uri in uris}


def _rows(table: Any, *columns: str) -> Iterator[tuple[str, ...]]:
    for batch in table.search().where("active").select(list(columns)).limit(None).to_batches():
        yield from zip(*(batch[column].to_pylist() for column in columns), strict=True)


def _places(documents: Iterable[tuple[str, list[str]]], wanted: set[str]) -> dict[str, set[str]]:
    """Collect the documents that each name could mean; a whole uri means its own alone."""
    whole: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for uri, names in documents:
        for name in wanted.intersection(names):
            (whole if name == names[0] else found).setdefault(name, set()).add(uri)
    return found | whole


def _one_each(places: Mapping[str, set[str]]) -> dict[str, str]:
    for name, found in places.items():
        if len(found) > 1:
            some = ", ".join(sorted(found)[:2])
            msg = f"the id {name!r} of the dataset names {len(found)} documents ({some}, …); name them by uri"
            raise InputError(msg)
    return {name: next(iter(found)) for name, found in places.items()}


def _are_media(queries: Queries, asked: Qrels, in_texts: Mapping[str, str], in_media: Mapping[str, str]) -> bool:
    """Tell which of the two the questions are about; InputError where it is both."""
    first: dict[bool, tuple[str, str]] = {}
    for query, graded in asked.items():
        for media, known in ((False, in_texts), (True, in_media)):
            if name := next((name for name in graded if name in known), ""):
                first.setdefault(media, (query, name))
        if len(first) > 1:
            (one, text), (other, picture) = first[False], first[True]
            msg = (
                f"question {one} ({queries[one]!r}) is answered by a text ({text}), question {other} "
                f"({queries[other]!r}) by an image or video ({picture}); their scores cannot be compared: write two "
                "datasets, and evaluate the index with each"
            )
            raise InputError(msg)
    return True in first


def _by_uri(asked: Qrels, known: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Turn names into uris; a document named twice, by uri and by id, has the better grade."""
    grades: dict[str, dict[str, int]] = {query: {} for query in asked}
    for query, graded in asked.items():
        for name, grade in graded.items():
            uri = known.get(name, name)
            grades[query][uri] = max(grade, grades[query].get(uri, grade))
    return grades
