"""How well an index answers questions whose answers are known.

The measures are those of BEIR (Thakur et al. 2021), which takes nDCG and recall from trec_eval: over documents, of
which the best chunk counts; gains are the grades as they are, discounted by log2(rank + 1).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relance.errors import ConfigurationError, InputError
from relance.search import MAX_HITS, Mode

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Answer", "Evaluation", "Qrels", "Queries", "evaluate", "ndcg", "read_dataset", "recall", "reciprocal_rank"]

Queries = Mapping[str, str]
Qrels = Mapping[str, Mapping[str, int]]

_CHUNKS_A_DOCUMENT = 5  # asked for at first; more where the best ones crowd in fewer documents


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k` documents, 0 to 1."""
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    ideal = _gain(best[:k])
    return _gain([max(0, grades.get(uri, 0)) for uri in ranking[:k]]) / ideal if ideal else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Share of the relevant documents that are among the first `k`, 0 to 1."""
    relevant = {uri for uri, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """One divided by the place of the first relevant document; 0 if it is not among the first `k`."""
    return next((1 / rank for rank, uri in enumerate(ranking[:k], start=1) if grades.get(uri, 0) > 0), 0.0)


@dataclass(slots=True, frozen=True)
class Answer:
    """What one question found: uris, best first, and how good they are."""

    id: str
    query: str
    found: list[str]
    ndcg: float
    recall: float
    mrr: float
    latency_ms: float


@dataclass(slots=True)
class Evaluation:
    """The means over all questions that have a relevant document.

    Attributes:
        k: documents looked at for each question.
        missing: relevant documents that the index does not have; no search can find them.
        latency_ms_p50: of embedding the question and searching, one question at a time.
        table_version: of the table that was asked, as `fingerprint` its vector space.
    """

    index: str
    mode: Mode
    k: int
    queries: int
    ndcg: float
    recall: float
    mrr: float
    latency_ms_p50: float
    latency_ms_p95: float
    missing: int
    fingerprint: str
    table_version: int
    answers: list[Answer] = field(default_factory=list)

    def as_dict(self, *, answers: bool = False) -> dict[str, Any]:
        """Return plain values; every answer only if asked for."""
        values = asdict(self)
        return values if answers else {name: value for name, value in values.items() if name != "answers"}


def evaluate(index: Index, queries: Queries, qrels: Qrels, *, mode: Mode = "hybrid", k: int = 10) -> Evaluation:
    """Ask every question that has a relevant document and grade what is found; the documents' uris are the keys.

    Args:
        index: what is asked; questions may cost money.
        queries: question by id.
        qrels: for each question id the grades of documents, by uri, or by row id where they are rows of a table; a
            grade above 0 is relevant.
        mode: how it is searched.
        k: documents looked at.
    """
    if k < 1:
        msg = f"k must be at least 1, got {k}"
        raise InputError(msg)
    table = index.table()
    grades, missing = _resolve(table, {query: graded for query, graded in qrels.items() if query in queries})
    asked = [query for query, graded in grades.items() if any(grade > 0 for grade in graded.values())]
    if not asked:
        msg = "no question of the dataset has a relevant document; are its questions and judgements of the same set?"
        raise InputError(msg)
    _documents(index, queries[asked[0]], mode=mode, k=k)  # the first question waits for the model to be loaded
    answers = []
    for query in asked:
        began = time.perf_counter()
        found = _documents(index, queries[query], mode=mode, k=k)
        latency_ms = round((time.perf_counter() - began) * 1000, 3)
        scores = [round(score(found, grades[query], k), 6) for score in (ndcg, recall, reciprocal_rank)]
        answers.append(Answer(query, queries[query], found, *scores, latency_ms))
    latencies = sorted(answer.latency_ms for answer in answers)
    return Evaluation(
        index=index.spec.name, mode=mode, k=k, queries=len(answers),
        **{name: round(sum(getattr(answer, name) for answer in answers) / len(answers), 6)
           for name in ("ndcg", "recall", "mrr")},
        latency_ms_p50=_percentile(latencies, 50), latency_ms_p95=_percentile(latencies, 95), missing=missing,
        fingerprint=table.name.rpartition("__")[2], table_version=table.version, answers=answers,
    )  # fmt: skip


def read_dataset(path: Path | str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Read questions and judgements: a folder in BEIR format, or a YAML file of golden queries."""
    path = Path(path)
    try:
        return _read_beir(path) if path.is_dir() else _read_golden(path)
    except FileNotFoundError as error:
        msg = f"{error.filename}: there is no such file; name a YAML file of golden queries, or a folder in BEIR format"
        raise ConfigurationError(msg) from None
    except UnicodeDecodeError as error:
        msg = f"{path}: is not UTF-8 ({error.reason} at byte {error.start})"
        raise ConfigurationError(msg) from None


def _read_beir(folder: Path) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Read `queries.jsonl` and `qrels/test.tsv`."""
    queries: dict[str, str] = {}
    for where, line in _lines(folder / "queries.jsonl"):
        try:
            row = json.loads(line)
            queries[str(row["_id"])] = str(row["text"])
        except (ValueError, TypeError, KeyError):
            msg = f'{where}: is no question; write {{"_id": "1", "text": "…"}}'
            raise ConfigurationError(msg) from None
    qrels: dict[str, dict[str, int]] = {}
    for where, line in _lines(folder / "qrels" / "test.tsv"):
        query, _, rest = line.partition("\t")
        document, _, grade = rest.partition("\t")
        try:
            qrels.setdefault(query, {})[document] = int(grade)
        except ValueError:
            if where.endswith(":1"):  # the names of the columns
                qrels.clear()
                continue
            msg = f"{where}: is no judgement; write a question's id, a document's id and a grade, with tabs between"
            raise ConfigurationError(msg) from None
    return queries, qrels


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"{path}:{number}", line.strip("\r\n")


def _read_golden(path: Path) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Read `[{query: …, documents: [uri, …]}]`; the place in the list is the question's id."""
    import yaml

    try:
        items = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        msg = f"{where}: is no YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigurationError(msg) from None
    if not isinstance(items, list) or not items:
        msg = f"{path}: is no list of golden queries; write [{{query: …, documents: [uri, …]}}]"
        raise ConfigurationError(msg)
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, item in enumerate(items, start=1):
        query, documents = (item.get(key) for key in ("query", "documents")) if isinstance(item, dict) else (None, None)
        named = isinstance(documents, list) and documents and all(isinstance(uri, str) for uri in documents)
        if not (isinstance(query, str) and query.strip() and named and set(item) == {"query", "documents"}):
            msg = f"{path}: query {number} is not of the form {{query: text, documents: [uri, …]}}"
            raise ConfigurationError(msg)
        queries[str(number)] = query
        qrels[str(number)] = dict.fromkeys(documents, 1)
    return queries, qrels


def _resolve(table: Any, qrels: Qrels) -> tuple[dict[str, dict[str, int]], int]:
    """Turn the documents' names into uris; returns with them how many relevant ones the index does not have."""
    wanted = {name for graded in qrels.values() for name in graded}
    uris: dict[str, list[str]] = {}
    batches = table.search().where("active").select(["uri"]).limit(None).to_batches()
    for uri in {uri for batch in batches for uri in batch["uri"].to_pylist()}:
        for name in wanted.intersection([uri, *(uri[at + 1 :] for at, letter in enumerate(uri) if letter == "#")]):
            uris.setdefault(name, []).append(uri)
    for name, found in uris.items():
        if len(found) > 1 and name not in found:
            some = ", ".join(sorted(found)[:2])
            msg = f"the id {name!r} of the dataset names {len(found)} documents ({some}, …); name them by uri"
            raise InputError(msg)
    known = {name: name if name in found else found[0] for name, found in uris.items()}
    resolved = {query: {known.get(name, name): grade for name, grade in graded.items()}
                for query, graded in qrels.items()}  # fmt: skip
    relevant = {name for graded in qrels.values() for name, grade in graded.items() if grade > 0}
    return resolved, len(relevant - known.keys())


def _documents(index: Index, query: str, *, mode: Mode, k: int) -> list[str]:
    """Find the `k` best documents: each is as good as its best chunk."""
    chunks = k * _CHUNKS_A_DOCUMENT
    while True:
        hits = index.search(query, k=min(chunks, MAX_HITS), mode=mode)
        found = list(dict.fromkeys(hit.uri for hit in hits))
        if len(found) >= k or len(hits) < min(chunks, MAX_HITS) or chunks >= MAX_HITS:
            return found[:k]
        chunks *= 4


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Take the smallest value that so many percent do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
