"""Questions with known answers: sets in BEIR format, and golden queries a person writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from relance.config.yaml_files import parse_yaml, utf8
from relance.errors import ConfigurationError

__all__ = ["Qrels", "Queries", "read_dataset"]

Queries = Mapping[str, str]
Qrels = Mapping[str, Mapping[str, int]]


_SPLIT = "test"


def read_dataset(path: Path | str, *, split: str = _SPLIT) -> tuple[Queries, Qrels]:
    """Read questions and judgements: a folder in BEIR format, or a YAML file of golden queries.

    `split` says which judgements of a folder are read: those of `qrels/<split>.tsv`. A question may be blank: real sets
    have some, and an evaluation skips and counts them.
    """
    path = Path(path)
    if not path.is_dir() and split != _SPLIT:
        msg = f"{path}: golden queries have no split {split!r}; only a folder in BEIR format has splits"
        raise ConfigurationError(msg)
    try:
        with utf8(path):
            return _read_beir(path, split) if path.is_dir() else _read_golden(path)
    except FileNotFoundError as error:
        msg = f"{error.filename}: there is no such file; name a YAML file of golden queries, or a folder in BEIR format"
        raise ConfigurationError(msg) from None


def _read_beir(folder: Path, split: str) -> tuple[Queries, Qrels]:
    """Read `queries.jsonl` and `qrels/<split>.tsv`."""
    queries: dict[str, str] = {}
    for where, line in _lines(folder / "queries.jsonl"):
        try:
            row = json.loads(line)
            queries[str(row["_id"])] = "" if row["text"] is None else str(row["text"])
        except (ValueError, TypeError, KeyError):
            msg = f'{where}: is no question; write {{"_id": "1", "text": "…"}}'
            raise ConfigurationError(msg) from None
    qrels: dict[str, dict[str, int]] = {}
    judgements = folder / "qrels" / f"{split}.tsv"
    if there := [] if judgements.is_file() else sorted(path.stem for path in (folder / "qrels").glob("*.tsv")):
        msg = f"{judgements}: there is no such file; of this set there are the splits {', '.join(there)}"
        raise ConfigurationError(msg)
    for where, line in _lines(judgements):
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


def _read_golden(path: Path) -> tuple[Queries, Qrels]:
    """Read `[{query: …, documents: [uri, …]}]`, or grades by uri; the place in the list is the question's id."""
    try:
        items = parse_yaml(path)
    except ConfigurationError as error:  # in braces a question mark, a comma or a colon says something to YAML
        msg = f'{error}; a question stands in quotes: - {{query: "how?", documents: [a.md]}}'
        raise ConfigurationError(msg) from None
    if not isinstance(items, list) or not items:
        msg = f'{path}: is no list of golden queries; write [{{query: "…", documents: [uri, …]}}]'
        raise ConfigurationError(msg)
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, item in enumerate(items, start=1):
        query, documents = (item.get(key) for key in ("query", "documents")) if isinstance(item, dict) else (None, None)
        grades = _grades(documents)
        known = isinstance(item, dict) and set(item) == {"query", "documents"}
        query = "" if query is None else query
        if not (known and isinstance(query, str) and grades):
            form = '{query: "…", documents: [uri, …]}, or with grades {query: "…", documents: {uri: 2, …}}'
            raise ConfigurationError(f"{path}: query {number} is not of the form {form}")
        queries[str(number)] = query
        qrels[str(number)] = grades
    return queries, qrels


def _grades(documents: Any) -> dict[str, int]:
    """Read a list of uris (each of grade 1) or a mapping of grades by uri; empty where it is neither."""
    grades = dict.fromkeys(documents, 1) if _are_names(documents) else documents
    whole = isinstance(grades, dict) and all(type(grade) is int for grade in grades.values())  # bool is no grade
    return grades if whole and _are_names(list(grades)) else {}


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(uri, str) for uri in value)
