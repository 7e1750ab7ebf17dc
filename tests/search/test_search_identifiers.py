"""Full-text search finds identifiers by their parts, and leads and headings, without taking whole words apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relance.index import Index
from relance.search import Mode
from relance.store.search_words import parts_of, search_words

Make = Callable[..., Index]

TEXTS = {
    "a.txt": "Call numpy.zeros to make an empty array of pumps.",
    "b.txt": "Set server.port=8080 in application.properties please.",
    "c.py": "import valve\nvalve.open_valve(30)\nself.max_tokens = 5\n",
    "d.txt": "He said don’t use O’Brien; or see example.com/path/file-name.tar.gz v1.2.3",
    "e.txt": "getUserName returns what HTTPServer2 knows.",
    "f.txt": "The value is 3.77 here.",
    "g.txt": "There are 77 of 3 kinds here, and max is one of the tokens.",
    "h.txt": "水位传感器的数据质量_2024",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("identifiers")
    (folder / "docs").mkdir()
    for name, text in TEXTS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    rows = "".join(f"| Pump {i} | {i}01 |\n" for i in range(60))
    (folder / "docs" / "t.md").write_text(f"# Equipment\n\n## Lyon\n\n| Name | Pressure |\n|---|---|\n{rows}")
    (folder / "index.yaml").write_text(
        "name: identifiers\nsources: [{type: files, root: docs}]\nchunking: {max_tokens: 64}\n"
        "embedding: {model: fake/hash}\nstore: {uri: db}\n"
    )
    index = Index(folder / "index.yaml")
    index.ingest()
    return index


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("zeros", ["a.txt"]),
        ("numpy.zeros", ["a.txt"]),
        ("open_valve", ["c.py"]),
        ("max_tokens", ["c.py"]),
        ("properties", ["b.txt"]),
        ("1.2.3", ["d.txt"]),
        ("v1.2.3", ["d.txt"]),
        ("Brien", ["d.txt"]),
        ("user", ["e.txt"]),
        ("server", ["b.txt", "e.txt"]),
        ("3.77", ["f.txt"]),
        ("77", ["g.txt"]),
        ("tokens", ["c.py", "g.txt"]),
        ("数据质量", ["h.txt"]),
    ],
)
def test_an_identifier_is_found_by_its_parts_and_a_number_as_a_whole(
    index: Index, query: str, found: list[str]
) -> None:
    hits = index.search(query, mode="full-text")
    assert sorted(Path(hit.uri).name for hit in hits) == found
    for hit in hits:
        assert hit.highlights, "what was found is marked"


def test_what_continues_a_table_is_found_by_its_header_and_its_headings(index: Index) -> None:
    for query in ("pressure pump 55", "Lyon pump 55"):
        best = index.search(query, mode="full-text")[0]
        assert "Pump 55" in best.text
        assert best.lead == "| Name | Pressure |\n|---|---|"


@pytest.mark.parametrize("mode", ["full-text", "hybrid"])
def test_a_filter_and_a_page_work_as_before(index: Index, mode: Mode) -> None:
    hits = index.search("pump pressure zeros", mode=mode, k=50, filter="seq > 0")
    assert min(hit.seq for hit in hits) == 1
    again = [index.search("pump pressure zeros", mode=mode, k=5, offset=at, filter="seq > 0") for at in (0, 5)]
    assert [hit.id for page in again for hit in page] == [hit.id for hit in hits[:10]]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("self.max_tokens", ["self", "max_tokens", "max", "tokens"]),
        ("std::vector<int>", ["std", "vector"]),
        ("getUserName", ["get", "User", "Name"]),
        ("l'eau, O’Brien, don't", ["eau", "Brien"]),
        ("v1.2.3 3.14 12:30 1.5 1.8x10", ["1.2.3"]),
        ("__init__ _x", ["init"]),
        ("plain words, e.g. these. And 中文。", []),
        ("使用numpy.zeros来", ["numpy", "zeros"]),
        ("x" * 300 + "_y", []),
        ("Pump 31,24.5,7 1,234.5 1,000,000 3,14", ["31", "24.5", "7"]),
    ],
)
def test_the_parts_of_a_word(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts


def test_what_stands_above_a_chunk_is_there_once() -> None:
    assert search_words("Text", headings=["Equipment", "Lyon"]) == "Lyon\nText", "prose by the nearest"
    table = "# Lyon\n\n| a |\n|---|\n| 1 |"
    assert search_words(table, headings=["Equipment", "Lyon"]) == f"Equipment\n{table}", "a table by all, each once"
    assert search_words("max_size", "| lead |", ["H"]) == "H\n| lead |\nmax_size\nmax size"
    assert search_words("plain") is None, "the writer knows the text"
