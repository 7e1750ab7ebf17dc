"""What the pages show, and what they say to what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape
from tests.explore.conftest import Page, Visitor

from relance.config import IndexSpec
from relance.documents import document_id
from relance.errors import AccountError
from relance.explore.paged_table import PagedTable
from relance.explore.suggestions import titles_of
from relance.explore.templates import dollars
from relance.index import Index

PUMP = document_id("docs/pump.md")


def test_the_front_page_leads_everywhere(visitor: Visitor) -> None:
    page = visitor.page("/")
    assert {"/documents", "/map", "/failures", "/runs", "/status"} <= set(page.links())
    assert "4 documents" in " ".join(page.words.split())
    for link in page.links():
        if link.startswith("/"):
            assert visitor.get(link).status_code == 200, link


def test_words_find_a_document_and_are_marked(visitor: Visitor) -> None:
    response = visitor.get("/?q=pump")
    assert response.status_code == 200
    assert "<mark>pump</mark>" in response.text
    assert any(link.startswith(f"/documents/{PUMP}?at=1#c0") for link in visitor.page("/?q=pump").links())


@pytest.mark.parametrize("mode", ["hybrid", "dense", "full-text"])
@pytest.mark.parametrize("show", ["documents", "passages"])
def test_every_way_to_search_answers(visitor: Visitor, mode: str, show: str) -> None:
    page = visitor.page(f"/?q=water&mode={mode}&show={show}&explain=1")
    assert any(link.startswith("/documents/") for link in page.links())


def test_titles_are_proposed_while_somebody_types(visitor: Visitor) -> None:
    page = visitor.page("/")
    (field,) = [each for each in page.all("input") if each.get("name") == "q"]
    assert field["list"] == "titles"
    assert {"Pump", "Valve"} <= {each["value"] for each in page.all("option")}
    many = titles_of([None, "x" * 81, *(f"title {n % 300}" for n in range(900))])
    assert many == [f"title {n}" for n in range(200)]


def test_a_question_in_chinese_is_answered(visitor: Visitor) -> None:
    page = visitor.page("/?q=水位传感器&mode=full-text")
    assert f"/documents/{document_id('docs/水位.txt')}?at=1#c0" in page.links()


def test_filters_leave_out_what_they_say(visitor: Visitor) -> None:
    def found(**parameters: str) -> str:
        return visitor.client.get("/", params={"q": "water", **parameters}).text.partition('class="results')[2]

    assert "docs/deep/valve.md" in found()
    assert "docs/deep/valve.md" not in found(filter="year >= 2020")
    assert "docs/pump.md" in found(filter="year >= 2020")
    assert "docs/pump.md" not in found(folder="docs/deep")
    assert "docs/deep/valve.md" in found(folder="docs/deep/")
    assert "docs/pump.md" not in found(type="text/plain")


@pytest.mark.parametrize("filter", ["year >", "(", 'year = "', "1 = 1; drop", "' or ''='", "year > 1) or (year > 2"])
def test_a_filter_that_is_wrong_is_told_beside_it(visitor: Visitor, filter: str) -> None:  # noqa: A002
    response = visitor.client.get("/", params={"q": "water", "filter": filter})
    assert response.status_code == 400
    assert 'id="filter-problem"' in response.text
    assert 'aria-invalid="true"' in response.text
    assert f"\n  {escape(filter)}\n" in response.text, "as it was typed"


def test_more_like_this_leaves_out_itself(visitor: Visitor) -> None:
    response = visitor.get("/?like=docs/pump.md")
    assert response.status_code == 200
    results = response.text.partition('class="results')[2]
    assert "docs/deep/valve.md" in results
    assert "docs/pump.md" not in results
    assert visitor.get("/?like=docs/none.md").status_code in {400, 404}


@pytest.mark.parametrize(
    "query",
    ["mode=none", "kind=none", "show=none", "page=0", "page=-1", "page=x", "page=1e3", "page=99999999", "page=٣",
     "explain=2", "mode=dense%00", "mode=vector"],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(visitor: Visitor, query: str) -> None:
    page = visitor.page(f"/?q=water&{query}", 400)
    assert query.partition("=")[0] in page.words


def test_too_long_a_question_is_refused(visitor: Visitor) -> None:
    assert visitor.client.get("/", params={"q": "a" * 5000}).status_code == 400


def test_a_page_of_answers_far_away_is_empty(visitor: Visitor) -> None:
    page = visitor.page("/?q=water&page=50")
    assert "no more answers" in page.words
    assert "/?q=water&page=49" in page.links(), "an index without pictures does not ask for texts alone"


def test_a_document_shows_its_text_in_order(visitor: Visitor) -> None:
    response = visitor.get(f"/documents/{PUMP}")
    words = visitor.page(f"/documents/{PUMP}").words
    assert words.index("The pump moves water.") < words.index("Oil it.")
    assert "2021" in words
    assert 'id="c0"' in response.text


@pytest.mark.parametrize("doc_id", ["0" * 32, "x", "0" * 31, "../../etc/passwd", "' OR true --", PUMP.upper()])
def test_what_is_not_there_is_not_found(visitor: Visitor, doc_id: str) -> None:
    for kind in ("documents", "media"):
        response = visitor.get(f"/{kind}/{doc_id}")
        assert response.status_code == 404
        assert "passwd" not in response.text


def test_a_row_is_a_document_without_a_file(visitor: Visitor) -> None:
    row = document_id("docs/table.csv#1")
    assert "A row about rivers" in visitor.page(f"/documents/{row}").words
    assert visitor.get(f"/documents/{row}/file").status_code == 404
    assert visitor.get(f"/documents/{document_id('docs/table.csv')}").status_code == 404, "the table itself is none"


def test_a_uri_leads_to_its_page(visitor: Visitor) -> None:
    assert visitor.get("/open?uri=docs/pump.md").headers["location"] == f"/documents/{PUMP}"
    assert visitor.get("/open?uri=//evil.example").status_code == 404
    assert visitor.get("/open").status_code == 400


def test_the_list_is_found_in_and_sorted(visitor: Visitor) -> None:
    assert "1 document with “VALVE”, of " in visitor.page("/documents?find=VALVE").words
    assert "No documents" in visitor.page("/documents?find=nothing%20here").words
    for order in ("uri", "updated_at", "tokens"):
        assert "1–4 of 4 documents" in visitor.page(f"/documents?order={order}").words
    assert visitor.get("/documents?order=none").status_code == 400
    assert visitor.get("/documents?kind=media").status_code == 400, "this index has none"
    assert "There is no page 9" in visitor.page("/documents?page=9").words


NAMES = [
    "年\u3000度  报告.md", " first and last .md", "two\nlines.md", "tab\tand\u00a0space.md", "a+b%20c&d=e#f?.md",
    "\u2028.md",
]  # fmt: skip


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory, open_page: Callable[[Index], Visitor]) -> Visitor:
    """An index of files whose names have spaces and signs that addresses and forms change."""
    folder = tmp_path_factory.mktemp("unusual")
    (folder / "docs").mkdir()
    for name in NAMES:
        (folder / "docs" / name).write_text(
            "---\nplace: 'a  b'\n---\n# Pump\n\nThe pump moves water.\n", encoding="utf-8"
        )
    (folder / "docs" / "plain.md").write_text("---\nplace: a b\n---\n# Plain\n\nOther water.\n")
    index = Index(
        IndexSpec.model_validate(
            {
                "name": "unusual",
                "sources": [{"type": "files", "root": str(folder / "docs")}],
                "embedding": {"model": "fake/hash"},
                "store": {"uri": str(folder / "db")},
                "folder": folder,
            }
        )
    )
    assert index.ingest().added == len(NAMES) + 1
    return open_page(index)


@pytest.mark.parametrize("name", NAMES)
def test_files_with_unusual_names_are_opened_and_are_like_others(unusual: Visitor, name: str) -> None:
    uri = f"docs/{name}"
    page = unusual.page(f"/documents/{document_id(uri)}")
    like = next(link for link in page.links() if link.startswith("/?like="))
    answer = unusual.page(like)
    assert "docs/plain.md" in answer.words
    (hidden,) = (field for field in answer.all("input") if field.get("name") == "like")
    sent = (hidden["value"] or "").replace("\n", "\r\n")  # as browsers send what a form holds
    assert unusual.client.get("/", params={"like": sent}).status_code == 200
    opened = unusual.client.get("/open", params={"uri": uri})
    assert opened.headers["location"] == f"/documents/{document_id(uri)}"


def test_a_filter_is_asked_as_it_was_typed(unusual: Visitor) -> None:
    def found(filter: str) -> str:  # noqa: A002
        response = unusual.client.get("/", params={"q": "water", "filter": filter})
        assert response.status_code == 200
        return response.text.partition('class="results')[2]

    two = found(' place = "a  b" ')
    assert "two" in two
    assert "plain.md" not in two
    one = found('place = "a b"')
    assert "plain.md" in one
    assert "two" not in one
    assert "plain.md" in found("   ")


@pytest.mark.parametrize(
    ("cost", "written"),
    [(0, "$0.00"), (0.0, "$0.00"), (0.00000001, "<$0.0001"), (0.00009, "<$0.0001"), (0.0001, "$0.0001"), (0.5, "$0.5000"),
     (1, "$1.00"), (1234.5, "$1,234.50")],
)  # fmt: skip
def test_what_costs_little_is_not_nothing(cost: float, written: str) -> None:
    assert dollars(cost) == written


def test_failures_are_told_with_their_reason(visitor: Visitor) -> None:
    page = visitor.page("/failures")
    assert "docs/broken.docx" in page.words
    assert "1 file: empty" in page.words
    assert "docs/broken.docx" not in visitor.page("/failures?find=empty").words
    assert "docs/broken.docx" not in visitor.page("/failures?stage=none").words


def test_runs_are_listed_and_shown(visitor: Visitor, notes: Index) -> None:
    run = notes.runs()[0].run_id
    assert f"/runs/{run}" in visitor.page("/runs").links()
    assert "completed with failures" in visitor.page(f"/runs/{run}").words
    assert visitor.get("/runs/none").status_code == 404


def test_the_status_says_what_the_command_says(visitor: Visitor, notes: Index) -> None:
    words, status = visitor.page("/status").words, notes.status()
    assert str(status.table) in words
    assert f"{status.tokens:,}" in words


def test_an_index_that_is_not_there_yet(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path
) -> None:
    index = make_index()
    visitor = open_page(index)
    for path in ("/", "/?q=water", "/map", "/documents", "/failures"):
        assert "relance ingest" in visitor.page(path).words
        assert "Everything is indexed" not in visitor.page(path).words
    for path in ("/runs", "/status"):
        assert visitor.get(path).status_code == 200
    assert visitor.get(f"/documents/{PUMP}").status_code == 404
    (docs / "pump.md").write_text("# Pump\n\nIt moves water.")
    index.ingest()
    assert "docs/pump.md" in visitor.page("/?q=water").words, "what is indexed later is seen"


def test_a_run_that_is_at_work_is_said_and_nothing_breaks(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path
) -> None:
    (docs / "pump.md").write_text("# Pump\n\nIt moves water.")
    index = make_index()
    index.ingest()
    visitor = open_page(index)
    from relance.store import open_store
    from relance.store.index_tables import IndexTables

    tables = IndexTables.serving(open_store(index.spec), "notes")
    assert tables is not None
    tables.mark("run-at-work")
    assert "run-at-work" in visitor.page("/status").words
    assert "docs/pump.md" in visitor.page("/?q=water").words


def test_a_changed_document_is_shown_as_it_is_now(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path
) -> None:
    (docs / "pump.md").write_text("# Pump\n\nIt moves water.")
    index = make_index()
    index.ingest()
    visitor = open_page(index)
    assert "1 document" in visitor.page("/documents").words.split("\n")
    (docs / "pump.md").write_text("# Pump\n\nIt moves oil.")
    (docs / "valve.md").write_text("# Valve")
    index.ingest()
    assert "moves oil" in visitor.page(f"/documents/{PUMP}").words
    assert "1–2 of 2 documents" in visitor.page("/documents").words
    (docs / "pump.md").unlink()
    index.ingest()
    assert visitor.get(f"/documents/{PUMP}").status_code == 404


def test_a_long_document_is_paged_and_a_passage_is_found_in_it(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path
) -> None:
    (docs / "long.md").write_text("\n\n".join(f"# Part {n}\n\n" + f"Sentence of part {n}. " * 20 for n in range(100)))
    index = make_index()
    index.ingest()
    visitor, doc_id = open_page(index), document_id("docs/long.md")
    last = index.table().count_rows("active")
    assert last > 100
    response = visitor.get(f"/documents/{doc_id}?at={last}")
    assert f'id="c{last - 1}"' in response.text
    assert "Part 99" in response.text
    assert 'id="c0"' not in response.text
    seen: list[Any] = []
    for number in range(1, 100):
        page = visitor.page(f"/documents/{doc_id}?page={number}")
        seen += [attributes["id"] for attributes in page.all("section") if "chunk" in (attributes.get("class") or "")]
        if not any(link.endswith(f"?page={number + 1}") for link in page.links()):
            break
    assert seen == [f"c{n}" for n in range(last)], "every passage once, in order"


def test_pages_of_a_roll_hold_every_row_once() -> None:
    roll = PagedTable(pa.table({"uri": [f"{n:04}" for n in range(123)], "title": [None] * 122 + ["Ünder"]}))
    pages = [roll.page(number) for number in range(1, 5)]
    assert [row["uri"] for page in pages for row in page.rows] == [f"{n:04}" for n in range(123)]
    assert [page.last for page in pages] == [3] * 4
    assert (pages[2].first_row, pages[2].last_row, pages[3].first_row) == (101, 123, 0)
    assert len(roll.having("012", ["uri"])) == 4
    assert len(roll.having("ünder 0122", ["uri", "title"])) == 1
    assert len(roll.having("%", ["uri"])) == 0, "no pattern language"


names = st.sampled_from(["q", "like", "mode", "kind", "show", "type", "folder", "filter", "explain", "page", "find", "order",
                         "stage", "at", "uri", "size", "other"])  # fmt: skip
values = st.text(max_size=20) | st.sampled_from(
    ["water", "hybrid", "dense", "full-text", "media", "2", "docs/pump.md", "year > 2000", 'uri ~ "docs/*"', "'", '"', "%", "\\", "\0"]
)  # fmt: skip


@settings(max_examples=60)
@given(
    path=st.sampled_from(
        [
            "/",
            "/documents",
            f"/documents/{PUMP}",
            f"/media/{PUMP}/picture",
            "/failures",
            "/runs",
            "/status",
            "/map",
            "/open",
        ]
    ),
    query=st.dictionaries(names, values, max_size=5),
)
def test_no_address_breaks_a_page(visitor: Visitor, path: str, query: dict[str, str]) -> None:
    response = visitor.client.get(path, params=query)
    assert response.status_code in {200, 303, 400, 404}, response.text
    assert response.status_code == 303 or len(Page(response.text).all("main")) == 1


def test_what_the_model_says_is_told(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AccountError("the account is in arrears <b>pay</b>")

    monkeypatch.setattr(Index, "search", refuse)
    response = visitor.get("/?q=water")
    assert response.status_code == 503
    assert "the account is in arrears &lt;b&gt;pay&lt;/b&gt;" in response.text
    assert visitor.get(f"/documents/{PUMP}").status_code == 200, "a document is shown without its similar ones"


def test_many_ask_at_once(visitor: Visitor) -> None:
    paths = ["/", "/?q=water", "/documents", f"/documents/{PUMP}", "/failures", "/runs", "/status"] * 6
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(visitor.get, paths))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for path, answer in zip(paths, answers, strict=True) if path == "/documents"}) == 1


def test_a_question_is_bought_once(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path, log: Callable[[], list[str]]
) -> None:
    (docs / "pump.md").write_text("# Pump\n\nIt moves water.")
    index = make_index()
    index.ingest()
    visitor = open_page(index)
    before = len(log())
    for path in ("/?q=water", "/?q=water&page=2", "/?q=water&mode=dense", "/?q=water&show=passages"):
        assert visitor.get(path).status_code == 200
    assert log()[before:] == ["water"]
