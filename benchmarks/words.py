"""How full-text search finds names, parts of names and numbers in source code: three ways to take words apart.

    uv run --group dev python benchmarks/words.py [--questions 120]

The texts are the modules of the Python library that runs this. Asked are names that stand behind a dot wherever they
are (`open_valve` of `valve.open_valve`), with and without an underscore, and numbers with a point; each is in at most
five modules, which are right. Answers are modules, by their best chunk.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import FTS
from lancedb.query import MatchQuery

from relance.chunkers import chunk_document
from relance.config import ChunkingSpec
from relance.documents import Document
from relance.embedding.tokenizers import open_tokenizer
from relance.store.search_words import search_words

MODULES = 260
RARE = 5
WAYS = [("text", "icu"), ("text", "icu/split"), ("words", "icu")]


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=120, help="of each kind")
    arguments = parser.parse_args()
    library = Path(sysconfig.get_path("stdlib"))
    paths = sorted([*library.glob("*.py"), *library.glob("[a-z]*/[a-z]*.py")])
    paths = [path for path in paths if "packages" not in path.parts[-2]][:MODULES]
    modules = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in paths}
    questions = asked(modules, arguments.questions)
    rows = chunks(modules)
    began = time.process_time()
    words = [search_words(text, lead) or text for _, text, lead in rows]
    seconds = time.process_time() - began
    print("| | " + " | ".join(f"{kind} ({len(some)})" for kind, some in questions.items()) + " | index s |")
    print("|---|" + "---|" * (len(questions) + 1))
    with tempfile.TemporaryDirectory(prefix="relance-words-") as folder:
        data = pa.table({"module": [row[0] for row in rows], "text": [row[1] for row in rows], "words": words})
        table = lancedb.connect(folder).create_table("chunks", data)
        for column, tokenizer in WAYS:
            began = time.perf_counter()
            table.create_index(column, config=FTS(base_tokenizer=tokenizer, remove_stop_words=False))
            made = time.perf_counter() - began
            cells = " | ".join(f"{ndcg(table, column, some):.3f}" for some in questions.values())
            print(f"| {column}, {tokenizer} | {cells} | {made:.1f} |")
    size = sum(len(row[1]) for row in rows)
    more = sum(map(len, words)) / size - 1
    print(
        f"\n{len(rows):,} chunks, {size / 1e6:.1f} MB; words add {more:.0%}, at {size / 1e6 / seconds:.0f} MB a CPU-s"
    )


def chunks(modules: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Split all modules; returns module, text and lead of each chunk."""
    tokenizer, found = open_tokenizer("words"), []
    for name, text in modules.items():
        document = Document(name, text, "text/x-python", "", syntax="code:python")
        some = chunk_document(document, ChunkingSpec(), tokenizer)
        found += [(name, text[each.start : each.end], each.lead) for each in some]
    return found


def asked(modules: Mapping[str, str], most: int) -> dict[str, list[tuple[str, set[str]]]]:
    """Choose questions of each kind, with the modules that answer."""
    everywhere: defaultdict[str, set[str]] = defaultdict(set)
    behind: defaultdict[str, set[str]] = defaultdict(set)
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for module, text in modules.items():
        for name in re.findall(r"\w+", text):
            everywhere[name].add(module)
        for name in re.findall(r"(?<=\w\.)[A-Za-z]\w{4,}", text):
            behind[name].add(module)
        for number in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", text):
            numbers[number].add(module)
    names = {name: found for name, found in behind.items() if len(found) <= RARE and found == everywhere[name]}
    kinds = {
        "max_tokens": {name: found for name, found in names.items() if "_" in name},
        "zeros": {name: found for name, found in names.items() if "_" not in name},
        "3.14": {number: found for number, found in numbers.items() if len(found) <= RARE},
    }
    choose = random.Random(1)  # the same at every run
    return {kind: choose.sample(sorted(some.items()), min(most, len(some))) for kind, some in kinds.items()}


def ndcg(table: Any, column: str, questions: list[tuple[str, set[str]]]) -> float:
    """Return the mean nDCG@10."""
    total = 0.0
    for words, right in questions:
        hits = (
            table.search(MatchQuery(words, column), query_type="fts").select(["module", "_score"]).limit(60).to_list()
        )
        found = list(dict.fromkeys(hit["module"] for hit in hits))[:10]
        best = sum(1 / math.log2(place + 2) for place in range(min(10, len(right))))
        total += sum(1 / math.log2(place + 2) for place, module in enumerate(found) if module in right) / best
    return total / len(questions)


if __name__ == "__main__":
    main()
