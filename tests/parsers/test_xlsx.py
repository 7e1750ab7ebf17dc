"""Workbooks: cells as they are shown, tables under the names of their sheets, and what is hidden or far away."""

import pytest
from office_files import cell, cost, kept, rows, xlsx
from parsing import read, reason

from relance.parsers.office.number_format import show_number

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def sheet(*lines):
    return f"<sheetData>{''.join(f'<row>{line}</row>' for line in lines)}</sheetData>"


def text(inner, **more):
    return read("a.xlsx", xlsx({"S": inner}, **more)).text.removeprefix("## S\n\n")


def test_each_sheet_is_a_table_under_its_name_and_an_empty_one_is_none():
    made = xlsx(
        {
            "Prices &amp; more": rows(("Item", "Price"), ("<T>".replace("<", "&lt;"), "5*6*7")),
            "Sheet2": rows(),
            "B": rows(("x", "y_z"), ("1", "a|b")),
        }
    )
    assert read("a.xlsx", made).text == (
        "## Prices & more\n\n| Item | Price |\n| --- | --- |\n| <T> | 5*6*7 |\n\n## B\n\n| x | y_z |\n| --- | --- |\n| 1 | a\\|b |"
    )


def test_values_are_those_that_the_file_stores():
    shared = '<sst xmlns="x"><si><t>one</t></si><si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>no</t></rPh></si></sst>'
    line = (
        cell("A1", "1", kind="s") + cell("B1", "1", kind="b") + cell("C1", "#DIV/0!", kind="e")
        + '<c r="D1"><f>A1*2</f><v>0.30000000000000004</v></c>' + cell("E1", "_x0041_b") + cell("F1", "12345678901234567", kind="n")
        + cell("G1", "1E-7", kind="n") + '<c r="H1" t="str"><f>A1</f><v>text</v></c>'
    )  # fmt: skip
    more = {"xl/sharedStrings.xml": shared, "xl/_rels/workbook.xml.rels": RELATED}
    assert (
        text(sheet(line), **more).splitlines()[0]
        == "| rich | TRUE | #DIV/0! | 0.3 | Ab | 12345678901234567 | 1E-07 | text |"
    )


RELATED = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="a/worksheet" Target="worksheets/sheet1.xml"/>'
    '<Relationship Id="rId2" Type="a/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
)


def test_a_formula_without_a_value_is_written_and_said():
    parsed = read("a.xlsx", xlsx({"S": sheet(cell("A1", "sum") + '<c r="B1"><f>SUM(C1:C9)</f></c>')}))
    assert "| sum | =SUM(C1:C9) |" in parsed.text
    assert parsed.warnings == (
        "1 formula without a stored value, written as in the cell; save the file in a spreadsheet program",
    )


def test_formats_of_cells_are_applied():
    line = (
        cell("A1", "45322", style=1)
        + cell("B1", "0.155", style=2)
        + cell("C1", "1234.5", style=3)
        + cell("D1", "45322", kind="n")
    )
    formats = ("yyyy-mm-dd", "0.0%", "#,##0.00 [$€-407]")
    assert text(sheet(line), formats=formats).splitlines()[0] == "| 2024-01-31 | 15.5% | 1,234.50 € | 45322 |"


@pytest.mark.parametrize(
    ("stored", "code", "shown"),
    [
        ("1234567.891", "General", "1234567.891"), ("1E+30", "General", "1E+30"), ("-0.1", "General", "-0.1"), ("0", "General", "0"),
        ("1234567.891", "#,##0.00", "1,234,567.89"), ("-1234", "#,##0;[Red](#,##0)", "(1,234)"), ("0", '#,##0;-#,##0;"-"', "-"),
        ("2.5", "0", "3"), ("-2.5", "0", "-3"), ("1.005", "0.00", "1.01"), ("0.5", "#.##", ".5"), ("0.5", "0.##", "0.5"), ("3", "0.00#", "3.00"),
        ("12", "000", "012"), ("5551234", "000-0000", "555-1234"), ("1234567", '0.0,,"M"', "1.2M"), ("12345", "0,", "12"),
        ("0.155", "0%", "16%"), ("0.155", "0.00%", "15.50%"), ("12345", "0.00E+00", "1.23E+04"), ("0.000123", "0.0E-0", "1.2E-4"),
        ("12345", "##0.0E+0", "12.3E+3"), ("1.25", "# ?/?", "1 1/4"), ("0.5", "?/8", "4/8"), ("3", "# ?/?", "3"),
        ("5", '0 "kg"', "5 kg"), ("5", "0\\ \\m", "5 m"), ("5", '"EUR" 0.00', "EUR 5.00"), ("5", "_-* #,##0.00_-", "5.00"),
        ("150", '[>=100]0" high";0" low"', "150 high"), ("50", '[>=100]0" high";0" low"', "50 low"), ("5", 'General" pcs"', "5 pcs"),
        ("7", "@", "7"), ("7", ";;;", ""), ("abc", "0.00", "abc"), ("1E400", "0", "1E400"), ("", "0", ""),
        ("45322.5625", "d/m/yy h:mm", "31/1/24 13:30"), ("45322.5625", "h:mm AM/PM", "1:30 PM"), ("45322", "dddd, mmmm d, yyyy", "Wednesday, January 31, 2024"),
        ("45322", "[$-F800]dddd", "2024-01-31"), ("1.5", "[h]:mm", "36:00"), ("0.0001", "mm:ss.0", "00:08.6"),
        ("45322", 'yyyy"年"m"月"d"日"', "2024年1月31日"), ("45322", "mmm-yy", "Jan-24"), ("59", "yyyy-mm-dd", "1900-02-28"), ("61", "yyyy-mm-dd", "1900-03-01"),
        ("-1", "yyyy-mm-dd", "-1"), ("99999999", "yyyy-mm-dd", "99999999"), ("45322", "m/d", "1/31"), ("0.5", '0.0 "days"', "0.5 days"),
        ("3", "0 [$USD]", "3 USD"), ("1234.5", "[$-409]#,##0.0", "1,234.5"), ("0", "0;-0;;@", ""),
    ],
)  # fmt: skip
def test_numbers_are_shown_as_spreadsheets_show_them(stored, code, shown):
    assert show_number(stored, code) == shown


def test_workbooks_from_old_macs_count_days_from_1904():
    assert show_number("43860", "yyyy-mm-dd", since_1904=True) == "2024-01-31"


def test_merged_cells_stand_in_every_row_they_cover():
    inner = rows(("Region", "Rain", ""), ("North", "1", "2"), ("", "3", "4")) + (
        '<mergeCells><mergeCell ref="B1:C1"/><mergeCell ref="A2:A3"/></mergeCells>'
    )
    assert text(inner).splitlines() == [
        "| Region | Rain | Rain |",
        "| --- | --- | --- |",
        "| North | 1 | 2 |",
        "| North | 3 | 4 |",
    ]


def test_titles_remarks_and_tables_of_one_sheet_are_kept_apart():
    inner = rows(("Rain of 2024",), ("",), ("Month", "mm"), ("May", "60"), ("",), ("June", "55"), ("",), ("Source: DWD",), ("",),
                 ("Station", "Owner"), ("Lyon", "Jo"))  # fmt: skip
    assert text(inner) == (
        "Rain of 2024\n\n| Month | mm |\n| --- | --- |\n| May | 60 |\n| June | 55 |\n\nSource: DWD\n\n"
        "| Station | Owner |\n| --- | --- |\n| Lyon | Jo |"
    )


def hidden():
    inner = '<cols><col min="2" max="2" hidden="1"/></cols>' + rows(
        ("a", "b", "c"), ("1", "2", "3"), ("4", "5", "6")
    ).replace('<row r="2">', '<row r="2" hidden="1">')
    return xlsx({"S": inner, "T": rows(("x",)), "U": rows(("y",))}, states={"T": "hidden", "U": "veryHidden"})


def test_hidden_sheets_rows_and_columns_are_left_out_and_counted():
    parsed = read("a.xlsx", hidden())
    assert parsed.text == "## S\n\n| a | c |\n| --- | --- |\n| 4 | 6 |"
    assert [warning.partition(" left")[0] for warning in parsed.warnings] == [
        "1 hidden row",
        "1 hidden column",
        "2 hidden sheets",
    ]


def test_hidden_sheets_rows_and_columns_can_be_marked():
    found = kept("a.xlsx", hidden())
    assert "| [hidden row] 1 | [hidden column] 2 | 3 |" in found
    assert "## [hidden sheet] T\n\nx" in found


def test_comments_stand_with_their_cells_if_wanted():
    comments = (
        '<comments xmlns="x"><authors><author>Ana</author></authors><commentList>'
        '<comment ref="B2" authorId="0"><text><r><t>Check &lt;this&gt;</t></r></text></comment></commentList></comments>'
    )
    made = xlsx(
        {"S": rows(("k", "v"), ("a", "1"))},
        related=(("comments", "../comments1.xml"),),
        **{"xl/comments1.xml": comments},
    )
    assert read("a.xlsx", made).warnings == ("1 comment left out; `comments: mark` of the parser `office` keeps them",)
    assert "| a | 1 [comment by Ana: Check <this>] |" in kept("a.xlsx", made)


def test_boxes_of_a_sheet_are_read():
    drawing = f'<wsDr xmlns:a="{DRAWING}"><sp><txBody><a:p><a:r><a:t>Mind the gap</a:t></a:r></a:p></txBody></sp><pic><cNvPr descr="A map"/></pic></wsDr>'
    made = xlsx(
        {"S": rows(("k", "v"))}, related=(("drawing", "../drawings/d1.xml"),), **{"xl/drawings/d1.xml": drawing}
    )
    assert read("a.xlsx", made).text.endswith("| k | v |\n| --- | --- |\n\nMind the gap\n\nA map")


def test_pronunciation_marks_are_no_text_and_names_may_be_chinese():
    assert read("a.xlsx", xlsx({"工作表1": rows(("键", "值"), ("一", "二"))})).text.startswith(
        "## 工作表1\n\n| 键 | 值 |"
    )


def test_a_workbook_without_its_sheet_says_so():
    made = xlsx({"S": rows(("a",)), "T": rows(("b",))}, **{"xl/_rels/workbook.xml.rels": RELATED})
    assert read("a.xlsx", made).warnings == ("1 missing sheet not read",)


FAR = "".join(
    f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>h{n}</t></is></c><c r="XFD{n}"><v>1</v></c></row>'
    for n in range(1, 3001)
)
DIAGONAL = "".join(
    f'<row r="{n}"><c r="{chr(65 + n // 676 % 26)}{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}{n}"><v>1</v></c></row>'
    for n in range(1, 8001)
)
LONG = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 5001))
SHARED = f'<sst xmlns="x"><si><t>{"word " * 20000}</t></si></sst>'


@pytest.mark.parametrize(
    ("name", "inner", "most"),
    [
        ("far columns", f"<sheetData>{FAR}</sheetData>", 100_000),
        ("a diagonal", f"<sheetData>{DIAGONAL}</sheetData>", 200_000),
        ("the last cell", "<sheetData><row r='1048576'><c r='XFD1048576'><v>1</v></c></row></sheetData>", 100),
        ("empty rows", "<sheetData>" + "<row/>" * 50_000 + "<row><c r='A50001'><v>1</v></c></row></sheetData>", 100),
        ("merged all over", rows(*[("a", "b")] * 500) + "<mergeCells>" + '<mergeCell ref="A1:XFD1048576"/>' * 3000 + "</mergeCells>", 1_000_000),
        ("hidden columns", "<cols>" + '<col min="1" max="16384" hidden="1"/>' * 500 + "</cols>" + rows(("a", "b")) , 100),
    ],
)  # fmt: skip
def test_cells_far_away_cost_no_more_than_what_stands_in_them(name, inner, most):
    seconds, length = cost("a.xlsx", xlsx({"S": inner}))
    assert length < most
    assert bool(length) == (name != "hidden columns")
    assert seconds < 4


def test_a_long_text_that_every_cell_names_is_a_bomb():
    made = xlsx(
        {"S": f"<sheetData>{LONG}</sheetData>"},
        **{"xl/sharedStrings.xml": SHARED, "xl/_rels/workbook.xml.rels": RELATED},
    )
    assert len(made) < 100_000
    assert reason("a.xlsx", made) == "its text is longer than 128 million characters; a bomb?"
