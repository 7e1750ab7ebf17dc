"""Another model without a gap: a retrieval set reembedded while its documents change and readers search all the time.

    uv run --group dev python benchmarks/reembed.py [--data FOLDER] [--old MODEL] [--worse MODEL] [--new MODEL]

Cranfield (1,400 abstracts, 225 questions, BEIR format) is expected in `../shared/data/cranfield`. It is indexed by the
old model, then `relance reembed` is run as a user would: with a worse model, which the gate has to hold back, with a
better one, which has to be switched to, and `--back`. Meanwhile a thread edits, adds and removes documents and ingests,
and two threads search: by one session, and by an index opened for each search. e5 takes 1,300 CPU-seconds. Ends with
exit code 1 if a search failed, found nothing or mixed two versions, or if the gate decided otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from relance.errors import IndexBusyError
from relance.index import Index

Mode = Literal["dense", "full-text", "hybrid"]
FILES, PAUSE_S = 14, 3.0


class Corpus:
    """The set as files of rows, of which some change all the time; the index over them."""

    def __init__(self, data: Path, folder: Path, documents: int) -> None:
        self.spec, self._docs, self._data = folder / "index.yaml", folder / "docs", data
        lines = (data / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
        self._rows = [json.loads(line) for line in lines[: documents or None]]
        self._docs.mkdir(parents=True)
        for number in range(FILES):
            self._write(number)

    def declare(self, model: str) -> None:
        """Write the spec with a model."""
        name, _, dimension = model.partition("@")
        rows = {"id": "_id", "title": "title", "text": ["title", "text"]}
        spec = {
            "name": "reembedded",
            "sources": [{"type": "files", "root": str(self._docs), "rows": rows}],
            "embedding": {"model": name, **({"dimension": int(dimension)} if dimension else {})},
            "gate": {"queries": str(self._data)},
            "store": {"uri": "db"},
        }
        beside = self.spec.with_suffix(".new")
        beside.write_text(yaml.safe_dump(spec), encoding="utf-8")
        beside.replace(self.spec)

    def edit(self, generation: int, rng: random.Random) -> None:
        """Change two rows of a file, and let a row come or go that nobody asks for."""
        number = generation % FILES
        for row in rng.sample(self._rows[number::FILES], 2):
            row["text"] = row["text"].split("\nedition ")[0] + f"\nedition {generation} of this abstract ."
        more = [{"_id": f"new{number}", "title": "", "text": f"remark {generation} on the library"}]
        self._write(number, more if generation // FILES % 2 == 0 else [])

    def _write(self, number: int, more: list[dict[str, str]] | None = None) -> None:
        text = "".join(json.dumps(row) + "\n" for row in [*self._rows[number::FILES], *(more or [])])
        beside = self._docs / f".{number}.new"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._docs / f"{number}.jsonl")


class Writing(threading.Thread):
    """Edits and ingests until told to stop; counts what runs did."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        self.done: Counter[str] = Counter()
        self._corpus, self._stop_asked = corpus, threading.Event()

    def run(self) -> None:
        rng, generation = random.Random(7), 0
        while not self._stop_asked.wait(PAUSE_S):
            self._corpus.edit(generation := generation + 1, rng)
            with suppress(IndexBusyError):  # kept away at the switch; the next one takes it in
                report = Index(self._corpus.spec).ingest(approved=True, wait_s=60)
                self.done.update({report.status: 1, "documents": report.changed + report.added + report.removed})
                if report.status not in {"completed", "completed with failures"}:  # two abstracts are empty
                    print(f"an ingest: {report.status}: {report.failures[:1]}")
                continue
            self.done["kept away"] += 1

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


class Reading(threading.Thread):
    """Searches until told to stop, by an index opened for each search or by one for all.

    Attributes:
        wrong: a sentence for each search that failed, found nothing or mixed two tables.
        tables: how many searches were answered by which table.
    """

    scores: dict[tuple[str, str, str], float] = {}  # noqa: RUF012  # shared on purpose: what all readers saw

    def __init__(self, spec: Path, questions: list[str], *, session: bool) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.tables: Counter[str] = Counter()
        self.slowest_s = 0.0
        self._spec, self._questions, self._session = spec, questions, session
        self._stop_asked, self._rng = threading.Event(), random.Random(session)

    def run(self) -> None:
        if not self._session:
            while not self._stop_asked.wait(0.05):
                self._ask(Index(self._spec))
            return
        with Index(self._spec) as index:
            while not self._stop_asked.wait(0.05):
                self._ask(index)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def _ask(self, index: Index) -> None:
        question, mode = self._rng.choice(self._questions), self._rng.choice(get_args(Mode))
        began = time.perf_counter()
        try:
            hits = index.search(question, mode=mode, k=10, explain=True)
            assert len(hits) == 10, f"{len(hits)} hits of 10"
            assert hits.explanation is not None
            table = hits.explanation.table
            for hit in hits if mode == "dense" else []:
                # Equal texts have equal cosines in one table; vectors of another model would not.
                known = self.scores.setdefault((table, question, hit.text), hit.score)
                assert abs(known - hit.score) < 1e-3, f"{table}: a score of {hit.score}, which was {known}"
            self.tables[table] += 1
        except Exception as error:
            self.wrong.append(f"{mode}: {type(error).__name__}: {str(error)[:300]}")
        self.slowest_s = max(self.slowest_s, time.perf_counter() - began)


def reembed(spec: Path, *flags: str) -> dict[str, Any]:
    """Run the command; returns what it prints as JSON, with its exit code."""
    command = [sys.executable, "-m", "relance", "reembed", str(spec), "--json", "--wait", "600", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1} or not done.stdout.strip():
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    outcome = json.loads(done.stdout) | {"code": done.returncode}
    total = outcome["total"]
    print(f"{' '.join(flags) or 'reembed'}: {outcome['status']} (exit code {done.returncode}): {outcome['told']}\n"
          f"  {outcome['seconds']:.1f} s, of them {outcome['switch_s']:.2f} s with ingests kept away; "
          f"{len(outcome['reports'])} rounds, {total['chunks']:,} chunks, {total['embedded']:,} embedded, "
          f"{total['reused']:,} reused", flush=True)  # fmt: skip
    return outcome


def main() -> None:
    """Reembed beside readers and writers, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "cranfield")
    for name, model in {
        "old": "local/wordllama",
        "worse": "fake/hash@64",
        "new": "local/multilingual-e5-small",
    }.items():
        parser.add_argument(f"--{name}", default=model)
    parser.add_argument("--documents", type=int, default=0, help="of the set; 0: all")
    given = parser.parse_args()
    questions = [json.loads(line)["text"] for line in (given.data / "queries.jsonl").read_text().splitlines()]
    with tempfile.TemporaryDirectory(prefix="relance-reembed-") as folder:
        corpus = Corpus(given.data.absolute(), Path(folder), given.documents)
        corpus.declare(given.old)
        first = Index(corpus.spec).ingest(approved=True)
        print(f"{given.old}: {first.added:,} documents, {first.chunks:,} chunks", flush=True)
        writing = Writing(corpus)
        readers = [Reading(corpus.spec, questions, session=session) for session in (True, False)]
        for each in [writing, *readers]:
            each.start()
        try:
            corpus.declare(given.worse)
            worse = reembed(corpus.spec)
            corpus.declare(given.new)
            better = reembed(corpus.spec)
            time.sleep(2 * PAUSE_S)
            back = reembed(corpus.spec, "--back")
            time.sleep(2 * PAUSE_S)
        finally:
            for each in [writing, *readers]:
                each.stop()
            wrong = [sentence for each in readers for sentence in each.wrong]
            tables = sum((each.tables for each in readers), Counter[str]())
            slowest_s = max(each.slowest_s for each in readers)
            print(f"{tables.total():,} searches, by table {dict(tables)}; {len(wrong)} failed, empty or mixed; "
                  f"the slowest took {slowest_s:.1f} s; runs beside: {dict(writing.done)}")  # fmt: skip
            for sentence, count in Counter(wrong).most_common(10):
                print(f"  {count} x {sentence}")
        decided = [each["status"] for each in (worse, better, back)] == ["held back", "switched", "switched back"]
        sys.exit(not decided or bool(wrong) or len(tables) < 2)


if __name__ == "__main__":
    main()
