"""Rows of workbooks are documents: cells as they are stored, far ones and empty ones bounded."""

import io
import time
import zipfile

import pytest
from collections_of import documents_in, problems_in, rows_in
from mutations import mutations, truncations
from workbooks import ods, sheet, xlsx

from relance.errors import DocumentError

HEADER = "<row><c>id</c><c>text</c></row>"


def value_of(cell, **book):
    data = xlsx({"A": sheet("<row><c>id</c><c>text</c><c>v</c></row>", f"<row><c>1</c><c>x</c>{cell}</row>")}, **book)
    (row,) = documents_in("t.xlsx", data, metadata=["v"], sheet="A").values()
    return row.metadata["v"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("<c><v>5</v></c>", 5),
        ("<c><v>5.0</v></c>", 5),
        ("<c><v>0.1</v></c>", 0.1),
        ("<c><v>1E+3</v></c>", 1000),
        ("<c><v>123456789012345678901</v></c>", 123456789012345678901),
        ('<c t="b"><v>1</v></c>', True),
        ('<c t="str"><v>a &lt; b</v></c>', "a < b"),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c s="1"><v>45351</v></c>', "2024-02-29"),
        ('<c s="2"><v>45351.5</v></c>', "2024-02-29T12:00:00"),
        ('<c s="2"><v>45351.123456</v></c>', "2024-02-29T02:57:46.598000"),
        ('<c s="3"><v>1.5</v></c>', 129600.0),
        ('<c s="4"><v>1.5</v></c>', 1.5),
        ('<c s="5"><v>45351</v></c>', "2024-02-29"),
        ('<c s="6"><v>0.75</v></c>', "18:00:00"),
        ('<c s="1"><v>1</v></c>', "1900-01-01"),
        ('<c t="d"><v>2024-02-29T10:00:00</v></c>', "2024-02-29T10:00:00"),
        ('<c t="inlineStr"><is><r><t>rich </t></r><r><t>text</t></r><rPh><t>spoken</t></rPh></is></c>', "rich text"),
        ('<c t="inlineStr"><is><t>two_x000A_lines</t></is></c>', "two\nlines"),
        ("<c/>", None),
    ],
)
def test_a_cell_has_its_value_and_type(cell, value):
    found = value_of(cell)
    assert (found, type(found)) == (value, type(value))


def test_dates_count_from_1904_where_the_workbook_says_so():
    assert value_of('<c s="1"><v>43889</v></c>', since_1904=True) == "2024-02-29"


def test_shared_texts_are_found():
    data = xlsx({"A": sheet(HEADER, '<row><c t="s"><v>1</v></c><c t="s"><v>0</v></c></row>')},
                shared="<si><t>p&lt;0.05</t></si><si><t>k</t></si>")  # fmt: skip
    assert documents_in("t.xlsx", data, sheet="A")["k"].text == "p<0.05"


def test_a_formula_that_was_never_calculated_is_said():
    data = xlsx({"A": sheet(HEADER, "<row><c>1</c><c r='B2'><f>1+1</f></c></row>")})
    assert problems_in("t.xlsx", data, sheet="A") == {
        "t.xlsx#1": "column 'text' holds a formula that was never calculated; open and save the file in a spreadsheet program"
    }


def test_all_visible_sheets_are_read_and_name_their_rows():
    rows = sheet(HEADER, "<row><c>1</c><c>one</c></row>")
    book = xlsx({"A": rows, "B": rows, "Off": rows, "Empty": ""}, hidden=("Off",))
    assert list(documents_in("t.xlsx", book)) == ["A/1", "B/1"]
    assert list(documents_in("t.xlsx", book, sheet="B")) == ["1"]
    assert list(documents_in("t.xlsx", book, sheet="Off")) == ["1"]
    assert problems_in("t.xlsx", book, sheet="C") == {"t.xlsx": "no sheet 'C' in it; it has: A, B, Off, Empty"}


def test_a_sheet_without_the_columns_stops_no_other():
    book = xlsx(
        {"Notes": sheet("<row><c>Written</c><c>by</c></row>"), "B": sheet(HEADER, "<row><c>1</c><c>one</c></row>")}
    )
    found = rows_in("t.xlsx", book)
    assert [row.name for row in found if not isinstance(row, DocumentError)] == ["B/1"]
    assert problems_in("t.xlsx", book) == {
        "t.xlsx#line-Notes/1": "no column 'text' in it; it has: Written, by; "
        "if this sheet has no rows, set `sheet` below `rows`"
    }


def test_the_header_stands_below_titles():
    rows = sheet("<row><c>Prices of 2024</c></row>", "<row/>", HEADER, "<row><c>1</c><c>one</c></row>")
    assert list(documents_in("t.xlsx", xlsx({"A": rows}))) == ["A/1"]
    deep = sheet(*["<row><c>id</c><c>text</c></row>"] * 2, "<row><c>1</c><c>one</c></row>")
    assert list(documents_in("t.xlsx", xlsx({"A": deep}), header=2)) == ["A/1"]
    assert "no column 'text'" in problems_in("t.xlsx", xlsx({"A": rows}), header=1)["t.xlsx#line-A/1"]


def test_two_columns_of_one_name_are_a_failure_where_they_are_wanted():
    rows = sheet("<row><c>id</c><c>text</c><c>text</c><c>x</c><c>x</c></row>", "<row><c>1</c><c>a</c><c>b</c></row>")
    assert problems_in("t.xlsx", xlsx({"A": rows})) == {"t.xlsx": "its header has 'text' twice; rename one of the two"}
    assert "'x' twice" in problems_in("t.xlsx", xlsx({"A": rows.replace("text", "t", 1)}), metadata=["x"])["t.xlsx"]


def test_cells_far_away_cost_nothing_and_rows_without_a_wanted_cell_are_none():
    rows = [HEADER, '<row r="2"><c>1</c><c>one</c><c r="XFD2"><v>7</v></c></row>']
    rows += [f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(3, 6000)]
    rows += ['<row r="1048576"><c r="A1048576"><v>2</v></c><c>last</c><c r="XFD1048576"><v>7</v></c></row>']
    began = time.process_time()
    found = documents_in("t.xlsx", xlsx({"A": sheet(*rows)}), sheet="A")
    assert time.process_time() - began < 3
    assert {name: row.text for name, row in found.items()} == {"1": "one", "2": "last"}


@pytest.mark.parametrize("reference", ["XFE1", "AAAA1", "A0x"])
def test_a_cell_outside_every_sheet_is_damage(reference):
    book = xlsx({"A": sheet(HEADER) + f'<row><c r="{reference}"><v>1</v></c></row>'})
    assert problems_in("t.xlsx", book)["t.xlsx"] == f"damaged: {reference!r} is no cell of a sheet"


def test_what_is_no_workbook_says_so():
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 40_000_000)
    reasons = {
        b"": "truncated or damaged: not a readable zip archive",
        b"PK\3\4": "truncated or damaged: not a readable zip archive",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(99): "encrypted, or an old Excel file under a new name; save it as .xlsx without password",
        bomb.getvalue(): "a zip bomb?",
    }
    for data, reason in reasons.items():
        assert problems_in("t.xlsx", data)["t.xlsx"].endswith(reason)


ODS_ROWS = """<table:table-row><table:table-cell office:value-type="string"><text:p>id</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>text</text:p></table:table-cell><table:table-cell><text:p>v</text:p></table:table-cell></table:table-row>
<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>
<table:table-row><table:table-cell office:value-type="float" office:value="7"><text:p>7,00</text:p></table:table-cell>
<table:table-cell><text:p>a<text:s text:c="2"/><text:span>b</text:span></text:p><text:p>c</text:p></table:table-cell>%s</table:table-row>
<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>"""


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('office:value-type="float" office:value="0.5"', 0.5),
        ('office:value-type="percentage" office:value="0.5"', 0.5),
        ('office:value-type="boolean" office:boolean-value="true"', True),
        ('office:value-type="date" office:date-value="2024-02-29"', "2024-02-29"),
        ('office:value-type="date" office:date-value="2024-02-29T10:30:00"', "2024-02-29T10:30:00"),
        ('office:value-type="time" office:time-value="PT18H30M00S"', "18:30:00"),
        ('office:value-type="time" office:time-value="PT30H00M00S"', 108000.0),
        ('table:number-columns-repeated="9999"', None),
    ],
)
def test_cells_of_open_documents_have_their_values(cell, value):
    data = ods({"A": ODS_ROWS % f"<table:table-cell {cell}/>"})
    ((name, row),) = documents_in("t.ods", data, metadata=["v"]).items()
    assert (name, row.text, row.metadata) == ("A/7", "a  b\nc", {"v": value})


def test_hidden_sheets_of_open_documents_are_left_out():
    rows = ODS_ROWS % ""
    assert list(documents_in("t.ods", ods({"A": rows, "Off": rows}, hidden=("Off",)))) == ["A/7"]
    assert list(documents_in("t.ods", ods({"A": rows, "Off": rows}, hidden=("Off",)), sheet="Off")) == ["7"]


def test_rows_without_end_are_damage():
    more = '<table:table-row table:number-rows-repeated="999999999"><table:table-cell><text:p>x</text:p></table:table-cell></table:table-row>'
    assert problems_in("t.ods", ods({"A": ODS_ROWS % "" + more}))["t.ods"].startswith("damaged: it has more rows")


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_damaged_workbooks_are_rows_or_failures_in_one_sentence(form):
    rows = sheet(HEADER, *(f"<row><c>{n}</c><c>row {n}</c></row>" for n in range(50)))
    whole = xlsx({"A": rows}) if form == "xlsx" else ods({"A": ODS_ROWS % ""})
    for data in [*mutations(whole, 60), *truncations(whole, 20)]:
        for found in rows_in(f"t.{form}", data):
            if isinstance(found, DocumentError):
                assert "\n" not in found.reason
                assert "cannot be parsed" not in found.reason
    for data in truncations(whole, 20):
        assert f"t.{form}" in problems_in(f"t.{form}", data), "what is cut off is no success"
