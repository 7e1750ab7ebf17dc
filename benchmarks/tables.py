"""How well cells deep in long tables are found: by the chunk that holds the row, for each format and way to search.

    uv run --group dev python benchmarks/tables.py [--model local/wordllama] [--questions 40] [--max-tokens 256]
        [--formats md]

The tables are made here, the same at every run: registers of 12 towns as Markdown, HTML and CSV, with 150 rows a table.
Names of rows come again in every town, so that heading, header and row are needed together; in CSV, which has no
headings, a row has its town in its name. A question names a town, a row and a column; right is only the chunk with that
row.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from relance.config import IndexSpec
from relance.index import Index
from relance.search import Mode

TOWNS = ["Lyon", "Nantes", "Basel", "Hangzhou", "Porto", "Graz", "Turku", "Leeds", "Gdansk", "Bergen", "Izmir", "Quito"]
STREETS = ["Quai", "Harbour Lane", "Mill Road", "Rue Haute", "Bridge Street", "Canal Walk", "Old Wharf", "Station Road"]
PEOPLE = ["Moreau", "Lindqvist", "Okafor", "Tanaka", "Novak", "Silva", "Haddad", "Keller", "Varga", "Brennan"]
KINDS = {
    "Pump": {"Pressure": "bar", "Flow": "cubic metres per hour", "Inspector": "", "Street": ""},
    "Gauge": {"Range": "metres", "Battery voltage": "volts", "Firmware": "", "Inspector": ""},
}
ASKED = {
    "Pressure": "What pressure does {name} in {town} have?",
    "Flow": "How large is the flow of {name} in {town}?",
    "Inspector": "Who is the inspector of {name} in {town}?",
    "Street": "In which street is {name} of {town}?",
    "Range": "What is the range of {name} in {town}?",
    "Battery voltage": "Battery voltage of {name} in {town}",
    "Firmware": "Which firmware does {name} in {town} run?",
}
ROWS = 150
FORMATS = ["md", "html", "csv"]


@dataclass(frozen=True)
class Question:
    """What is asked, the document that answers, and a text that only the chunk with the answer has."""

    text: str
    uri: str
    row: str


def main() -> None:
    """Print a row for each way to search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="local/wordllama")
    parser.add_argument("--questions", type=int, default=40, help="questions a format")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--formats", nargs="*", default=FORMATS, choices=FORMATS)
    parser.add_argument("--context", nargs="*", default=[], help="chunking.context")
    arguments = parser.parse_args()
    chunking = {"max_tokens": arguments.max_tokens, "context": arguments.context}
    formats = arguments.formats
    print("| | " + " | ".join(f"{name} MRR@10 | found@10" for name in formats) + " |")
    print("|---|" + "---|---|" * len(formats))
    with tempfile.TemporaryDirectory(prefix="relance-tables-") as folder:
        asked = {name: make(Path(folder, name), name, arguments.questions) for name in formats}
        indexes = {name: open_index(Path(folder, name), name, arguments.model, chunking) for name in formats}
        for mode in get_args(Mode):
            if mode != "sparse":
                figures = [measure(indexes[name], mode, asked[name]) for name in formats]
                print(f"| {mode} | " + " | ".join(f"{mrr:.3f} | {found:.3f}" for mrr, found in figures) + " |")
        chunks = ", ".join(f"{name} {index.table().count_rows()}" for name, index in indexes.items())
    print(f"\nChunks: {chunks}")


def open_index(folder: Path, name: str, model: str, chunking: dict[str, object]) -> Index:
    """Build the index of one format."""
    index = Index(IndexSpec.model_validate({
        "name": name, "folder": folder, "sources": [{"type": "files", "root": str(folder / "docs")}],
        "chunking": chunking, "embedding": {"model": model}, "store": {"uri": str(folder / "db")},
    }))  # fmt: skip
    report = index.ingest()
    assert not report.failed, report
    return index


def measure(index: Index, mode: Mode, questions: list[Question]) -> tuple[float, float]:
    """Ask all; return the mean of 1 / place of the right chunk, and how often it was among the first ten."""
    ranks = []
    for question in questions:
        hits = index.search(question.text, mode=mode, k=10)
        found = (hit.uri == question.uri and question.row in hit.text for hit in hits)
        right = (place for place, is_right in enumerate(found, start=1) if is_right)
        ranks.append(next(right, math.inf))
    return sum(1 / rank for rank in ranks) / len(ranks), sum(rank < math.inf for rank in ranks) / len(ranks)


def make(folder: Path, form: str, questions: int) -> list[Question]:
    """Write the documents of a format; return questions about rows of the later three quarters of their tables."""
    choose = random.Random(form)  # the same at every run
    (folder / "docs").mkdir(parents=True)
    made = []
    for town in TOWNS:
        tables = {kind: list(rows(choose, kind, town if form == "csv" else "")) for kind in KINDS}
        for path, part in write(folder / "docs", form, town, tables):
            for kind, table in part.items():
                for row in choose.sample(table[ROWS // 4 :], questions):
                    column, name = choose.choice(list(KINDS[kind])), row[0]
                    said = name if form != "csv" else name.removeprefix(f"{town} ")
                    text = ASKED[column].format(name=said, town=town)
                    made.append(Question(text, f"docs/{path.name}", marker(form, row)))
    return choose.sample(made, questions)


def marker(form: str, row: list[str]) -> str:
    """Write the beginning of a row as it stands in the text of its document."""
    return f"{row[0]},{row[1]}" if form == "csv" else f"| {row[0]} | {row[1]} |"


def rows(choose: random.Random, kind: str, town: str) -> Iterator[list[str]]:
    """Make the rows of a table."""
    for number in range(1, ROWS + 1):
        name = " ".join(filter(None, (town, kind, str(number))))
        yield [name, *(value(choose, column) for column in KINDS[kind])]


def value(choose: random.Random, column: str) -> str:
    """Make a value."""
    if column in {"Inspector", "Street"}:
        return choose.choice(PEOPLE if column == "Inspector" else STREETS)
    if column == "Firmware":
        return f"{choose.randint(1, 9)}.{choose.randint(0, 30)}.{choose.randint(0, 9)}"
    return f"{choose.uniform(1, 400):.1f}"


def write(folder: Path, form: str, town: str, tables: dict[str, list[list[str]]]) -> Iterator[tuple[Path, dict]]:
    """Write a town's tables, in one document or, as CSV, in one each; yields paths and what they hold."""
    heads = {kind: ["Name", *(f"{name} ({unit})" if unit else name for name, unit in KINDS[kind].items())]
             for kind in tables}  # fmt: skip
    path = folder / f"{town.lower()}.{form}"
    if form == "csv":
        for kind, table in tables.items():
            path = folder / f"{town.lower()}-{kind.lower()}.csv"
            path.write_text("\n".join(",".join(row) for row in [heads[kind], *table]) + "\n", encoding="utf-8")
            yield path, {kind: table}
        return
    if form == "html":
        parts = [f"<h2>{kind}s</h2><p>All {kind.lower()}s of the depot.</p><table><thead><tr>"
                 + "".join(f"<th>{cell}</th>" for cell in heads[kind]) + "</tr></thead><tbody>"
                 + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in table)
                 + "</tbody></table>" for kind, table in tables.items()]  # fmt: skip
        title = f"Register of {town}"
        path.write_text(
            f"<html><head><title>{title}</title></head><body><main><h1>{title}</h1>{''.join(parts)}</main></body></html>"
        )
    else:
        parts = [f"# Register of {town}\n"]
        for kind, table in tables.items():
            lines = [f"| {' | '.join(row)} |" for row in table]
            parts += [f"## {kind}s\n", f"| {' | '.join(heads[kind])} |", "|---" * len(heads[kind]) + "|", *lines, ""]
        path.write_text("\n".join(parts), encoding="utf-8")
    yield path, tables


if __name__ == "__main__":
    main()
