"""Documents that say the same, in the same words or nearly.

Vectors find the candidates: every document is compared with every other, in blocks, from a temporary file, so that
memory is bounded; time grows with the square (100,000 documents of 1024 dimensions: three minutes on two cores). Words
decide: the share of common runs of five characters (Broder 1997), because two readings of one gauge are as near as
copies to a model and are none to a reader.
"""

from __future__ import annotations

import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from relance.analysis.points import count_points, selection, stream_points
from relance.analysis.results import write_results
from relance.errors import InputError
from relance.store.points import ID

if TYPE_CHECKING:
    from relance.analysis.points import Level
    from relance.index import Index

__all__ = ["Blocks", "Duplicate", "DuplicateGroup", "Duplicates", "find_duplicates", "overlap_of", "shingles"]

Kind = Literal["exact", "text", "vector"]

_SHINGLE = 5  # characters
_ALMOST = 0.999999  # the same runs in another order are not the same text
_MOSTLY = 0.5  # of the text in common: it is the words that are alike


@dataclass(slots=True, frozen=True, kw_only=True)
class Blocks:
    """How much is compared at once, so that memory is bounded; the result is the same.

    Attributes:
        vectors: compared with so many others at once.
        links: of one document to later ones, the nearest: enough to hold a group of any size together.
        pairs: whose texts are in memory at once.
    """

    vectors: int = 2_048
    links: int = 32
    pairs: int = 250


_BLOCKS = Blocks()


@dataclass(slots=True, frozen=True)
class Duplicate:
    """A document and how like its group's representative it is.

    Attributes:
        similarity: cosine of both.
        overlap: share of common runs of five characters, 0 to 1; of media 0.
        kind: exact (the same text but for blanks and case) | text (much of the same text) | vector (the same meaning).
    """

    id: str
    uri: str
    similarity: float
    overlap: float
    kind: Kind


@dataclass(slots=True, frozen=True)
class DuplicateGroup:
    """Documents that say the same.

    Attributes:
        representative: uri of the one most others are linked to.
        members: that one first, then the others.
    """

    representative: str
    members: list[Duplicate]


@dataclass(slots=True, frozen=True)
class Duplicates:
    """What was found, the largest group first.

    Attributes:
        compared: documents looked at; `redundant` of them could go, and each group would keep its representative.
    """

    index: str
    level: Level
    compared: int
    redundant: int
    table: str
    groups: list[DuplicateGroup] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def find_duplicates(index: Index, *, level: Level = "documents", filter: str | None = None,  # noqa: A002  # as in search
                    where: str | None = None, similarity: float = 0.95, overlap: float = 0.7,
                    blocks: Blocks = _BLOCKS) -> Duplicates:  # fmt: skip
    """Group the documents of an index that say the same, into the results table `<index>__duplicates`.

    Args:
        index: what is looked at.
        level: documents, chunks or media.
        filter: what people write to limit it (docs/search.md).
        where: SQL condition on the columns of the table.
        similarity: cosine two documents need.
        overlap: share of common runs of five characters they need besides; 0: none, as for media always.
        blocks: how much is compared at once.
    """
    if not 0 < similarity <= 1 or not 0 <= overlap <= 1:
        msg = f"similarity and overlap must be between 0 and 1, got {similarity:g} and {overlap:g}"
        raise InputError(msg)
    where = selection(index, level, filter=filter, where=where)
    overlap = 0.0 if level == "media" else overlap
    table = index.visible(media=level == "media")
    expected, dimension = count_points(index, level=level, where=where), table.schema.field("vector").type.list_size
    with tempfile.TemporaryFile(prefix="relance-") as file:
        vectors = np.memmap(file, np.float32, "w+", shape=(max(expected, 1), dimension))
        ids: list[str] = []
        uris: list[str] = []
        for points in stream_points(index, level=level, where=where):
            n = min(len(points), expected - len(ids))  # a run may have added some since they were counted
            vectors[len(ids) : len(ids) + n] = points.vectors[:n]
            ids += points.ids[:n]
            uris += points.uris[:n]
        texts = _Texts(table, ids, level, blocks.pairs)
        links = list(_pairs(vectors[: len(ids)], similarity, blocks))
        if overlap:
            links = [pair for pair, common in texts.overlaps(links) if common >= overlap]
        linked = Counter(place for pair in links for place in pair)
        groups = []
        for group in _components(links):
            first = min(group, key=lambda place: (-linked[place], len(uris[place]), uris[place]))
            members = [first, *(place for place in group if place != first)]
            alike = [0.0] * len(members)  # captions tell nothing of pictures
            if level != "media":
                alike = [common for _, common in texts.overlaps([(place, first) for place in members])]
            found = [_duplicate(ids[place], uris[place], float(vectors[place] @ vectors[first]), common)
                     for place, common in zip(members, alike, strict=True)]  # fmt: skip
            groups.append((first, found))
        del vectors
    groups.sort(key=lambda group: (-len(group[1]), uris[group[0]]))
    found = [DuplicateGroup(uris[first], members) for first, members in groups]
    name = write_results(index, "duplicates", _rows(found), {"similarity": str(similarity), "overlap": str(overlap)})
    redundant = sum(len(group.members) - 1 for group in found)
    return Duplicates(index.spec.name, level, len(ids), redundant, name, found)


def plain(text: str) -> str:
    """Write a text without the differences that make none: case, and how much blank there is."""
    return " ".join(text.casefold().split())


def shingles(text: str) -> set[int]:
    """Hash every run of five characters of a plain text."""
    runs = {text[at : at + _SHINGLE] for at in range(max(1, len(text) - _SHINGLE + 1))}
    return {zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in runs}


def overlap_of(one: set[int], other: set[int]) -> float:
    """Divide what two sets have in common by what they have together (Jaccard)."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _pairs(vectors: NDArray[np.float32], similarity: float, blocks: Blocks) -> Iterator[tuple[int, int]]:
    """Yield pairs of places that are near enough; of many to one place, the nearest."""
    block = blocks.vectors
    for start in range(0, len(vectors), block):
        rows = np.asarray(vectors[start : start + block])
        best: list[list[tuple[float, int]]] = [[] for _ in rows]
        for other in range(start, len(vectors), block):
            near = rows @ np.asarray(vectors[other : other + block]).T
            at, to = np.nonzero(near >= similarity - 1e-6)
            later = to + other > at + start
            for a, b in zip(at[later].tolist(), to[later].tolist(), strict=True):
                best[a].append((float(near[a, b]), b + other))
            for a in set(at[later].tolist()):
                best[a] = sorted(best[a], reverse=True)[: blocks.links]
        for a, found in enumerate(best):
            yield from ((start + a, b) for _, b in found)


class _Texts:
    """The texts of documents, read some hundred at a time."""

    def __init__(self, table: Any, ids: list[str], level: Level, pairs: int) -> None:
        self._table, self._ids, self._pairs = table, ids, pairs
        self._key = ID[level]

    def overlaps(self, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], float]]:
        """Yield each pair with its overlap; 1 exactly for the same text."""
        for start in range(0, len(pairs), self._pairs):
            some = pairs[start : start + self._pairs]
            texts = self._read({place for pair in some for place in pair})
            runs = {place: shingles(text) for place, text in texts.items()}
            for one, other in some:
                same = texts[one] == texts[other]
                yield (one, other), 1.0 if same else min(overlap_of(runs[one], runs[other]), _ALMOST)

    def _read(self, places: set[int]) -> dict[int, str]:
        from relance.store.schemas import in_lists

        parts: dict[str, list[tuple[int, str]]] = {}
        for condition in in_lists(self._key, [self._ids[place] for place in places]):
            rows = self._table.search().where(condition).where("active").select([self._key, "seq", "text"]).limit(None)
            for row in rows.to_list():
                parts.setdefault(row[self._key], []).append((row["seq"] or 0, row["text"] or ""))
        whole = {place: "\n".join(text for _, text in sorted(parts.get(self._ids[place], []))) for place in places}
        return {place: plain(text) for place, text in whole.items()}


def _components(links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Gather what is linked, directly or not."""
    group: dict[int, int] = {}

    def root(place: int) -> int:
        while group.setdefault(place, place) != place:
            group[place] = place = group[group[place]]
        return place

    for one, other in links:
        group[root(one)] = root(other)
    found: dict[int, list[int]] = {}
    for place in sorted(group):
        found.setdefault(root(place), []).append(place)
    return list(found.values())


def _duplicate(id_: str, uri: str, cosine: float, common: float) -> Duplicate:
    kind: Kind = "exact" if common == 1 else "text" if common >= _MOSTLY else "vector"
    return Duplicate(id_, uri, round(min(cosine, 1.0), 6), round(common, 6), kind)


def _rows(groups: list[DuplicateGroup]) -> Any:
    import pyarrow as pa

    flat = [(number, each, not place) for number, group in enumerate(groups, start=1)
            for place, each in enumerate(group.members)]  # fmt: skip
    return pa.table({
        "group": pa.array([number for number, _, _ in flat], pa.int32()),
        "id": pa.array([each.id for _, each, _ in flat], pa.string()),
        "uri": pa.array([each.uri for _, each, _ in flat], pa.string()),
        "representative": pa.array([first for _, _, first in flat], pa.bool_()),
        "similarity": pa.array([each.similarity for _, each, _ in flat], pa.float32()),
        "overlap": pa.array([each.overlap for _, each, _ in flat], pa.float32()),
        "kind": pa.array([each.kind for _, each, _ in flat], pa.string()),
    })  # fmt: skip
