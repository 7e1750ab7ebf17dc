"""How well questions find drawn scenes (`scenes.py`), as `quality.py` prints it: all vectors are the emulator's.

The emulator sees colours, silhouettes and the ground, and makes words of them (`relance_emulator.outlines`); so these
figures compare ways to search, and say nothing of what a model of the service sees.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scenes import Question, Scene, alike, questions, relevance, scenes, write

from relance.config import IndexSpec
from relance.evaluation.bootstrap import intervals
from relance.evaluation.measures import MEASURES
from relance.index import Index
from relance_emulator import EmulatorConfig, running

__all__ = ["measure_pictures"]

RERANK = "dashscope/qwen3-vl-rerank"
CANDIDATES = 20
# Questions that no scene has anything to do with.
UNRELATED = ("how are invoices paid", "quarterly tax return", "the parliament voted against the budget",
             "side effects of penicillin", "install the package with pip", "who won the chess championship",
             "mortgage interest rates", "the grammar of Latin verbs", "recipe for lentil soup", "password reset",
             "minutes of the board meeting", "symphony in D minor")  # fmt: skip
FLOORS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
Find = Callable[[Index, str], list[str]]


def measure_pictures(folder: Path) -> str:
    """Draw the scenes, index them in three ways, ask, and return the tables as Markdown."""
    known = scenes()
    write(folder, known)
    with running(EmulatorConfig(files=folder)) as url:
        plain, bare, fused = (_index(folder, url, known, name) for name in ("plain", "bare", "fused"))
        asked = questions(known)
        parts = [_words(plain, bare, fused, asked, known), _pictures(bare, fused, known),
                 _mixed(_mixture(folder, url, known), asked, known), _floors(plain, bare, asked, known)]  # fmt: skip
    return "\n\n".join(parts)


def _index(folder: Path, url: str, known: list[Scene], name: str) -> Index:
    """Index all scenes: `plain` has captions, `bare` has none, `fused` has one vector of picture and caption."""
    _table(folder / f"{name}.csv", url, known, caption=name != "bare")
    rows = {"url": "url", "title": "id"} | ({} if name == "bare" else {"caption": "caption"})
    source = {"type": "files", "root": str(folder), "include": [f"{name}.csv"], "rows": rows}
    return _made(folder, url, name, [source], fuse=name == "fused")


def _mixture(folder: Path, url: str, known: list[Scene]) -> Index:
    """Index every second scene as a picture without a caption, the others as a note of their caption."""
    _table(folder / "mixed.csv", url, known[::2], caption=False)
    (folder / "notes").mkdir(exist_ok=True)
    for scene in known[1::2]:
        (folder / "notes" / f"{scene.id}.txt").write_text(f"{scene.caption}\n", encoding="utf-8")
    sources = [{"type": "files", "root": str(folder), "include": ["mixed.csv"], "rows": {"url": "url"}},
               {"type": "files", "root": str(folder), "include": ["notes/*.txt"]}]  # fmt: skip
    return _made(folder, url, "mixed", sources, fuse=False)


def _made(folder: Path, url: str, name: str, sources: list[dict[str, Any]], *, fuse: bool) -> Index:
    at = {"region": "beijing", "base_url": f"{url}/api/v1", "api_key": "sk-emulator"}
    media = {"model": "dashscope/qwen3-vl-embedding", "fuse": fuse, "requests_per_minute": 1_000_000,
             "tokens_per_minute": 1_000_000_000}  # fmt: skip
    spec = {
        "name": name, "sources": sources, "folder": folder, "store": {"uri": str(folder / "lancedb")},
        "embedding": {"model": "dashscope/text-embedding-v4"} | at,
        "media": {"embedding": media | at, "fetch": {"allow": ["127.0.0.1"]}},
        # A busy machine shows the emulator forty pictures in seconds.
        "search": {"rerank": {"model": RERANK, "candidates": CANDIDATES, "timeout_s": 600} | {name: at[name] for name
                   in ("region", "base_url")}},
    }  # fmt: skip
    index = Index(IndexSpec.model_validate(spec))
    index.ingest(approved=True)
    return index


def _table(path: Path, url: str, known: list[Scene], *, caption: bool) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "url", "caption"])
        rows.writerows([each.id, f"{url}/files/pictures/{each.id}.png", each.caption if caption else ""]
                       for each in known)  # fmt: skip


def _words(plain: Index, bare: Index, fused: Index, asked: list[Question], known: list[Scene]) -> str:
    """Words find pictures."""
    systems: dict[str, tuple[Index, Find]] = {
        "pictures alone, dense": (bare, _by("dense")),
        "pictures alone, dense, reranked": (bare, _by("dense", rerank=RERANK)),
        "captions, full-text": (plain, _by("full-text")),
        "pictures and captions, hybrid": (plain, _by("hybrid")),
        "the same, reranked": (plain, _by("hybrid", rerank=RERANK)),
        "caption fused into the vector, dense": (fused, _by("dense")),
        "caption fused into the vector, hybrid": (fused, _by("hybrid")),
    }
    lines = ["| words → picture | English nDCG@10 | Recall@10 | Chinese nDCG@10 | Recall@10 |", "|---|---|---|---|---|"]
    for name, (index, find) in systems.items():
        cells = []
        with index:
            for language in ("en", "zh"):
                each = [(find(index, one.words), _grades(one, known)) for one in asked if one.language == language]
                cells += _cells(each)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _pictures(bare: Index, fused: Index, known: list[Scene]) -> str:
    """Pictures find pictures: those like one of the index, which is left out."""
    lines = ["| picture → picture | nDCG@10 | Recall@10 |", "|---|---|---|"]
    for name, index in (("pictures alone", bare), ("caption fused into the vector", fused)):
        found = []
        with index:
            for one in known[::4]:
                grades = {each.id: grade for each in known if each is not one and (grade := alike(one, each))}
                hits = index.search_media(like=f"{index.spec.name}.csv#{one.id}", k=10, floor=0)
                found.append(([hit.uri.rpartition("#")[2] for hit in hits], grades))
        lines.append(f"| {name} | {' | '.join(_cells(each for each in found if each[1]))} |")
    return "\n".join(lines)


def _mixed(index: Index, asked: list[Question], known: list[Scene]) -> str:
    """Words find notes and pictures; only a reranker that sees makes one list of them, the other is taken in turns."""
    lines = ["| words → notes and pictures | English nDCG@10 | Recall@10 |", "|---|---|---|"]
    for name, rerank in (("in turns", "none"), ("reranked together", RERANK)):
        found = []
        with index:
            for one in (each for each in asked if each.language == "en"):
                texts, media = index.search_both(one.words, k=10, floor=0, rerank=rerank)
                rows = [(hit.score, hit.uri.rpartition("/")[2].removesuffix(".txt")) for hit in texts]
                seen = [(hit.score, hit.uri.rpartition("#")[2]) for hit in media]
                turns = [each for each in chain(*zip_longest(rows, seen)) if each is not None]
                merged = turns if rerank == "none" else sorted(turns, key=lambda each: -each[0])
                found.append(([uri for _, uri in merged][:10], _grades(one, known)))
        lines.append(f"| {name} | {' | '.join(_cells(found))} |")
    return "\n".join(lines)


def _floors(plain: Index, bare: Index, asked: list[Question], known: list[Scene]) -> str:
    """What a floor cuts: of all pictures that a question has nothing to do with, and of those that answer it."""
    names = ["floor", "hybrid: unrelated cut", "partly lost", "fully lost", "left of ten", "pictures alone: cut",
             "partly lost", "fully lost", "left of ten"]  # fmt: skip
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    every, strangers = {}, {}
    for index, mode in ((plain, "hybrid"), (bare, "dense")):
        ask = partial(_deviations, index, mode=mode, k=len(known))
        with index:
            every[mode] = [(_grades(one, known), ask(one.words)) for one in asked if one.language == "en"]
            strangers[mode] = [sorted(ask(words).values())[-10:] for words in UNRELATED]
    for floor in FLOORS:
        cells = []
        for mode, found in every.items():
            cells += [f"{_cut(found, grade, floor):.1%}" for grade in (0, 1, 2)]
            cells.append(f"{fmean(sum(out >= floor for out in each) for each in strangers[mode]):.1f}")
        lines.append(f"| {floor:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _deviations(index: Index, words: str, *, mode: Any, k: int) -> dict[str, float]:
    """Say how far every picture stands out of the list that it stands out of most."""
    hits = index.search_media(words, mode=mode, k=k, floor=0, rerank="none", explain=True)
    return {hit.uri.rpartition("#")[2]: _most(hit) for hit in hits}


def _most(hit: Any) -> float:
    return max(hit.explained.deviations.values())


def _cut(found: Sequence[tuple[Mapping[str, int], Mapping[str, float]]], grade: int, floor: float) -> float:
    """Return the share of pictures of a grade that stand out less."""
    return fmean(bool(floor) and out < floor for grades, hits in found for uri, out in hits.items()
                 if grades.get(uri, 0) == grade)  # fmt: skip


def _by(mode: Any, rerank: str = "none") -> Find:
    def find(index: Index, words: str) -> list[str]:
        return [
            hit.uri.rpartition("#")[2] for hit in index.search_media(words, mode=mode, k=10, floor=0, rerank=rerank)
        ]

    return find


def _grades(question: Question, known: list[Scene]) -> dict[str, int]:
    return {scene.id: grade for scene in known if (grade := relevance(question.wanted, scene))}


def _cells(answers: Iterable[tuple[list[str], Mapping[str, int]]]) -> list[str]:
    """Show nDCG@10 with its interval, and Recall@10."""
    scores = np.array([[MEASURES[name](found, grades, 10) for name in ("ndcg", "recall")] for found, grades in answers])
    (low, high), _ = intervals(scores)
    ndcg, recall = scores.mean(axis=0)
    return [f"{ndcg:.3f} ({low:.3f} to {high:.3f})", f"{recall:.3f}"]
