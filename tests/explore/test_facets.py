"""What stands over and beside the hits: counts, time, facets, and what to try where nothing was found."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from tests.explore.conftest import Visitor

from relance.config import IndexSpec
from relance.config.plugins import loaded_plugins
from relance.explore.facets import Facets
from relance.explore.type_names import type_name
from relance.index import Index
from relance.parsers.media_types import UNKNOWN, UNNAMED


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, open_page: Callable[[Index], Visitor]) -> Visitor:
    """Somebody who looks at an index of thirty notes on rivers."""
    folder = tmp_path_factory.mktemp("facets")
    for place in ("docs", "more"):
        (folder / place).mkdir()
    for n in range(30):
        said = f"year: {2019 + n % 3}\nnumber: {n}\ntags: [river, {'flood' if n % 2 else 'drought'}]\ndate: {2020 + n // 15}-01-0{1 + n % 9}\nfinal: {n < 3}"
        said += '\n"odd key": \'a "b" \\ c\'' if n < 4 else ""
        (folder / ("docs" if n < 20 else "more") / f"n{n}.md").write_text(
            f"---\n{said}\n---\n# Note {n}\n\nGauge {n} of the river.\n"
        )
    (folder / "docs" / "plain.txt").write_text("Another gauge.")
    spec = {
        "name": "facets",
        "sources": [{"type": "files", "root": "docs"}, {"type": "files", "root": "more"}],
        "embedding": {"model": "fake/hash"},
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(spec))
    assert index.ingest().added == 31
    return open_page(index)


def chosen(visitor: Visitor, path: str) -> dict[str, str]:
    """Return the address of each value of a facet, by its filter."""
    links = [link for link in visitor.page(path).links() if "only=" in link]
    return {parse_qs(urlsplit(link).query)["only"][-1]: link for link in links}


def said(visitor: Visitor, path: str) -> str:
    return " ".join(visitor.page(path).words.split())


def test_the_number_of_documents_and_the_time_stand_over_the_hits(visitor: Visitor) -> None:
    assert "31 documents ranked · " in said(visitor, "/?q=gauge")
    assert "30 passages with words of the question, in 30 documents · " in said(visitor, "/?q=river&mode=full-text")
    assert "1 passage with words of the question, in 1 document · " in said(visitor, "/?q=another&mode=full-text")
    assert "10 of 31 documents pass the filters, ranked" in said(visitor, "/?q=gauge&filter=year = 2020")


@pytest.mark.parametrize(
    ("condition", "count"),
    [('uri ~ "docs/*"', 21), ('uri ~ "more/*"', 10), ('media_type = "text/plain"', 1), ("meta.year = 2019", 10),
     ('meta.tags = "flood"', 15), ('meta.tags = "river"', 30), ("meta.final = true", 3), ('meta.date ~ "2021*"', 15),
     ('meta."odd key" = "a ""b"" \\ c"', 4)],
)  # fmt: skip
def test_a_value_of_a_facet_leaves_as_many_documents_as_it_says(visitor: Visitor, condition: str, count: int) -> None:
    text = visitor.get("/?q=gauge").text
    link = chosen(visitor, "/?q=gauge")[condition]
    assert f'<span class="n">{count}</span>' in text.partition(link.replace("&", "&amp;"))[2][:300]
    assert f"{count} of 31 documents pass" in said(visitor, link)
    assert any("only=" not in each and each.startswith("/?q=gauge") for each in visitor.page(link).links()), "removed"


def test_values_are_counted_among_what_passes_the_other_filters(visitor: Visitor) -> None:
    link = chosen(visitor, "/?q=gauge")['uri ~ "more/*"']
    both = chosen(visitor, link)["meta.year = 2019"]
    passing = said(visitor, both).partition(" of 31 documents pass")[0].rpartition(" ")[2]
    assert f'<span class="n">{passing}</span>' in visitor.get(link).text
    assert 0 < int(passing) < 10


def test_a_key_with_a_value_for_each_document_is_no_facet(visitor: Visitor) -> None:
    assert not [each for each in chosen(visitor, "/?q=gauge") if each.startswith(("meta.number", "meta.path"))]
    assert "number" in visitor.page("/?q=gauge").words


def test_what_excludes_everything_is_named_and_left_out_by_one_link(visitor: Visitor) -> None:
    path = "/?q=gauge&filter=year = 2019&only=meta.year = 2020&folder=docs"
    words = said(visitor, path)
    assert "The filters leave none of the 31 documents." in words
    assert "Without year = 2019 there are 7." in words
    assert "Without meta.year = 2020 there are 7." in words
    assert "Without uri" not in words, "that would not help"
    links = [link for link in visitor.page(path).links() if "filter=" not in link and "folder=" in link]
    assert "7 of 31 documents pass" in said(visitor, links[0])


def test_a_misspelt_key_is_recognized(visitor: Visitor) -> None:
    path = "/?q=gauge&filter=yaer >= 2020"
    assert "No document has the metadata key yaer. Did you mean year?" in said(visitor, path)
    link = next(each for each in visitor.page(path).links() if "filter=year" in each)
    assert "20 of 31 documents pass" in said(visitor, link)
    assert "No document has the metadata key zzz." in said(visitor, "/?q=gauge&filter=zzz = 1")


def test_another_mode_is_proposed_where_no_word_is_found(visitor: Visitor) -> None:
    assert "No document has a word of the question." in said(visitor, "/?q=xylophone&mode=full-text")
    assert "/?q=xylophone" in visitor.page("/?q=xylophone&mode=full-text").links()


def test_what_cannot_be_a_facet_is_refused(visitor: Visitor) -> None:
    assert visitor.get("/?q=gauge&only=year >").status_code == 400
    assert visitor.client.get("/", params={"q": "gauge", "only": [f"n = {n}" for n in range(17)]}).status_code == 400


def test_counts_of_many_documents_are_bounded() -> None:
    n = 20_000
    rows = pa.table(
        {
            "doc_id": [f"{each:032}" for each in range(n)],
            "uri": [f"folder{each % 100}/{each}.md" for each in range(n)],
            "media_type": ["text/markdown"] * n,
            "metadata": [json.dumps({"year": each % 5, f"key{each % 900}": 1, "id": each, "deep": {"a": 1}}) for each in range(n)],
            "updated_at": pa.array([dt.datetime(2026, 12, 31, tzinfo=dt.UTC)] * n, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    facets = Facets(rows)
    counted = facets.counted()
    years = next(facet for facet in counted if facet.name == "year")
    assert [(value.label, value.count) for value in years.values] == [(str(year), n // 5) for year in range(5)]
    assert len(facets.keys) == 300
    assert len(counted) <= 30
    assert {"id", "deep", "uri"} <= set(facets.many)
    some = facets.counted(pa.array([f"{each:032}" for each in range(7)]))
    assert sum(value.count for facet in some if facet.name == "year" for value in facet.values) == 7


def test_values_of_one_key_may_be_of_several_types_and_shapes() -> None:
    said = [{"v": 1}, {"v": True}, {"v": 1.0}, {"v": "1"}, {"v": [1, 1, "x"]}, {"v": None}, {"v": []}, {"v": 0}] * 2
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    texts = [
        *map(json.dumps, said),
        json.dumps({"Source": "a\ud800", "deep": deep}),
        json.dumps({"Source": "b"}),
        "",
        None,
    ]
    rows = pa.table(
        {
            "doc_id": [f"{n:032}" for n in range(len(texts))],
            "uri": ["s3://bucket/deep/a.md", "docs/b.md", "alone.md", "docs/c.md#1"] * (len(texts) // 4),
            "media_type": [None, "", "text/plain", "text/plain"] * (len(texts) // 4),
            "metadata": pa.array(texts, pa.string()),
            "updated_at": pa.array([dt.datetime(2025, 12, 31, 23, 59, tzinfo=dt.UTC), None] * (len(texts) // 2)),
        }
    )
    facets = Facets(rows)
    found = [(facet.name, {value.condition: value.count for value in facet.values}) for facet in facets.counted()]
    assert found == [
        ("Source", {'uri ~ "docs/*"': 10, 'uri ~ "s3://bucket/*"': 5}),
        ("Type", {'media_type = "text/plain"': 10}),
        ("Indexed in", {"updated_at >= 2025-12-01 and updated_at < 2026-01-01": 10}),
        ("v", {"meta.v = 0": 2, "meta.v = 1": 4, "meta.v = 1.0": 2, 'meta.v = "1"': 2, "meta.v = true": 2, 'meta.v = "x"': 2}),
    ]  # fmt: skip
    assert (facets.keys, facets.many) == (["Source", "deep", "v"], ["deep"])


def test_types_and_lists_in_a_text_are_written_as_people_do_and_filtered_as_they_are() -> None:
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    types = [word, word, "text/x-python", "application/x-rare"]
    rows = pa.table(
        {
            "doc_id": [f"{n:032}" for n in range(4)],
            "uri": [f"docs/{n}" for n in range(4)],
            "media_type": types,
            "metadata": [json.dumps({"colours": each}) for each in ('["red", "blue", 3]', '["red", "blue", 3]', "[red", '[["a"]]')],
            "updated_at": pa.array([None] * 4, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    found = {facet.name: {value.label: value.condition for value in facet.values} for facet in Facets(rows).counted()}
    assert found["Type"] == {"Word document": f'media_type = "{word}"', "application/x-rare": 'media_type = "application/x-rare"',
                             "python code": 'media_type = "text/x-python"'}  # fmt: skip
    assert list(found["colours"]) == ["red, blue, 3", '[["a"]]', "[red"]
    assert found["colours"]["red, blue, 3"] == 'meta.colours = "[""red"", ""blue"", 3]"'


def test_every_type_that_a_parser_of_ours_reads_has_a_name() -> None:
    read = {kind for parser in loaded_plugins("parsers").values() for kind in parser.media_types if "*" not in kind}
    assert {kind for kind in read if type_name(kind) == kind} <= {UNKNOWN, UNNAMED}
