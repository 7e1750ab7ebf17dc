"""Real retrieval sets as files of rows: all in, nothing twice, and good answers."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from relance.index import Index
from relance.search import Mode

Make = Callable[..., Index]
Log = Callable[[], list[str]]

DOCUMENTS = {"cranfield": 1400, "cmrc-zh": 848}
# Two rows of cranfield have neither title nor text; there is nothing in them to index, and the run says so.
BLANK = {"cranfield": {"471", "995"}, "cmrc-zh": set[str]()}

# Share of questions with a known answer among the first ten, at least.
BARS: dict[Mode, float] = {"dense": 0.5, "full-text": 0.6, "hybrid": 0.6}


def declare(make_index: Make, docs: Path, dataset: Path, model: str) -> Index:
    shutil.copy(dataset / "corpus.jsonl", docs / "corpus.jsonl")
    (docs / "corpus.jsonl").chmod(0o644)
    rows = {"id": "_id", "title": "title", "text": ["title", "text"]}
    source = {"type": "files", "root": str(docs), "include": ["*.jsonl", "*.md"], "rows": rows}
    return make_index(sources=[source], chunking={"max_tokens": 256}, embedding={"model": model})


def test_the_whole_set_is_in_and_stays_in_sync(make_index: Make, docs: Path, dataset: Path, log: Log) -> None:
    index = declare(make_index, docs, dataset, "fake/hash")
    blank = BLANK[dataset.name]
    report = index.ingest()
    assert report.added == DOCUMENTS[dataset.name] - len(blank)
    assert {failure.uri.rpartition("#")[2] for failure in index.failures()} == blank
    assert index.status().documents == report.added
    version, paid = index.table().version, len(log())
    assert len(log()) == len(set(log()))

    again = index.ingest()
    assert (again.unchanged, again.requests) == (report.added, 0)
    assert (index.table().version, len(log())) == (version, paid)

    path = docs / "corpus.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    edited = json.loads(lines[10])
    edited["text"] += " One more sentence at the very end."
    gone = json.loads(lines.pop(20))["_id"]
    lines[10] = json.dumps(edited, ensure_ascii=False)
    path.write_text("\n".join(lines), encoding="utf-8")
    report = index.ingest()
    assert (report.changed, report.removed) == (1, 1)
    assert len(log()) - paid == report.embedded <= 1
    assert index.table().count_rows(f"uri = 'docs/corpus.jsonl#{gone}'") == 0

    path.rename(docs / "renamed.jsonl")
    paid = len(log())
    report = index.ingest(approved=True)
    assert report.added == report.removed == DOCUMENTS[dataset.name] - len(blank) - 1
    assert len(log()) == paid, "a renamed file is not embedded again"


def test_known_answers_are_found(make_index: Make, docs: Path, dataset: Path) -> None:
    """Enough of the known answers are among the first ten; the bar is well below what was measured."""
    index = declare(make_index, docs, dataset, "local/wordllama")
    index.ingest()
    lines = (dataset / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = {query["_id"]: query["text"] for query in map(json.loads, lines)}
    relevant: dict[str, set[str]] = {}
    for line in (dataset / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, set()).add(document)
    asked = sorted(relevant)[:40]
    found: Counter[Mode] = Counter()
    for mode in BARS:
        for query in asked:
            hits = {hit.uri.rpartition("#")[2] for hit in index.search(queries[query], k=10, mode=mode)}
            found[mode] += bool(hits & relevant[query])
    assert all(found[mode] / len(asked) >= bar for mode, bar in BARS.items()), found
