"""OpenDocument texts, sheets and presentations."""

import pytest
from office_files import archive, cost, flat_odf, kept, odf
from parsing import read, reason


def text(body, **more):
    return read("a.odt", odf("text", body, **more)).text


def cells(*texts):
    return "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)


def row(inner, attributes=""):
    return f"<table:table-row {attributes}>{inner}</table:table-row>"


def sheet(*rows, name="Prices", attributes=""):
    return f'<table:table table:name="{name}" {attributes}>{"".join(rows)}</table:table>'


def test_every_character_heading_and_blank_stays():
    body = (
        '<text:h text:outline-level="1">List&lt;T&gt; &amp; co</text:h><text:p>p&lt;0.05,<text:s text:c="2"/>a_b_c<text:tab/>x'
        '<text:line-break/>next <text:span>in a </text:span>span\n   wrapped</text:p><text:h text:outline-level="3"># Deep</text:h>'
    )
    assert text(body) == "# List<T> & co\n\np<0.05,  a_b_c\tx\nnext in a span wrapped\n\n### # Deep"


def test_the_title_and_properties_of_a_text():
    body = '<text:p text:style-name="P1">Tides</text:p><text:h text:outline-level="1">One</text:h>'
    styles = '<style:style style:name="P1" style:parent-style-name="Title"/><style:style style:name="Title"/>'
    meta = "<dc:title>Other</dc:title><meta:initial-creator>Ana</meta:initial-creator><dc:creator>Bo</dc:creator><meta:keyword>sea</meta:keyword><meta:creation-date>2024-05-06T07:08:09</meta:creation-date>"
    parsed = read("a.odt", odf("text", body, styles=styles, meta=meta))
    assert (parsed.title, parsed.text) == ("Tides", "# Tides\n\n# One")
    assert parsed.metadata == {"author": "Ana, Bo", "keywords": ["sea"], "created": "2024-05-06T07:08:09"}


def test_lists_have_the_numbers_that_are_shown():
    def levels(*forms):
        return "".join(
            f'<text:list-level-style-number text:level="{n}" style:num-format="{form}" style:num-suffix="." text:display-levels="{n}"/>'
            if form else f'<text:list-level-style-bullet text:level="{n}"/>'
            for n, form in enumerate(forms, 1)
        )  # fmt: skip

    styles = f'<text:list-style style:name="L1">{levels("1", "a")}</text:list-style><text:list-style style:name="L2">{levels("")}</text:list-style>'
    inner = "<text:list><text:list-item><text:p>deep</text:p></text:list-item><text:list-item><text:p>deeper</text:p></text:list-item></text:list>"
    body = (
        f'<text:list text:style-name="L1"><text:list-item><text:p>one</text:p>{inner}</text:list-item>'
        "<text:list-item><text:p>two</text:p><text:p>more of it</text:p></text:list-item></text:list><text:p>Words.</text:p>"
        '<text:list text:style-name="L1" text:continue-numbering="true"><text:list-item><text:p>three</text:p></text:list-item></text:list>'
        '<text:list text:style-name="L1"><text:list-item text:start-value="9"><text:p>nine</text:p></text:list-item></text:list>'
        '<text:list text:style-name="L2"><text:list-item><text:p>dot</text:p></text:list-item></text:list>'
    )
    assert text(body, styles=styles).splitlines() == [
        "1. one", "  1.a. deep", "  1.b. deeper", "2. two", "  more of it", "", "Words.", "", "3. three", "9. nine", "- dot"
    ]  # fmt: skip


def test_notes_comments_and_what_was_deleted():
    note = '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>See &lt;here&gt;.</text:p></text:note-body></text:note>'
    comment = "<office:annotation><dc:creator>Ana</dc:creator><text:p>Really?</text:p></office:annotation>"
    deleted = "<text:tracked-changes><text:changed-region><text:deletion><text:p>GONE</text:p></text:deletion></text:changed-region></text:tracked-changes>"
    body = f"{deleted}<text:p>Twelve{note} bar{comment}.</text:p>"
    made = odf("text", body)
    assert read("a.odt", made).text == "Twelve[^1] bar.\n\n[^1]: See <here>."
    assert read("a.odt", made).warnings == ("1 comment left out; `comments: mark` of the parser `office` keeps them",)
    assert "bar[comment by Ana: Really?]." in kept("a.odt", made)


def test_hidden_text_and_links():
    styles = '<style:style style:name="T1"><style:text-properties text:display="none"/></style:style>'
    body = '<text:p>Open <text:span text:style-name="T1">secret</text:span> end <text:a xlink:href="https://x.org">link</text:a></text:p><text:section text:display="none"><text:p>whole</text:p></text:section>'
    made = odf("text", body, styles=styles)
    assert read("a.odt", made).text == "Open  end link"
    assert read("a.odt", made).warnings[0].startswith("2 passages of hidden text left out")
    assert kept("a.odt", made) == "Open [hidden text: secret] end link (https://x.org)\n\n[hidden text: whole]"


def test_tables_boxes_and_alternative_texts():
    spans = '<table:table-cell table:number-columns-spanned="2"><text:p>Rain</text:p></table:table-cell><table:covered-table-cell/>'
    table = f"<table:table><table:table-header-rows>{row(cells('Month') + spans)}</table:table-header-rows>{row(cells('May', 'a|b', '3'))}</table:table>"
    box = "<text:p>Before<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame></text:p>"
    picture = "<text:p><draw:frame><draw:image/><svg:desc>A barn</svg:desc></draw:frame></text:p>"
    assert text(table + box + picture).splitlines() == [
        "| Month | Rain | Rain |", "| --- | --- | --- |", "| May | a\\|b | 3 |", "", "Before", "", "In a box", "", "A barn"
    ]  # fmt: skip


def test_headers_and_footers_come_once():
    masters = "".join(
        f"<style:master-page><style:header><text:p>Rivelune</text:p></style:header><style:footer><text:p>Page <text:page-number>{n}</text:page-number></text:p></style:footer></style:master-page>"
        for n in (1, 2)
    )
    assert text("<text:p>Body</text:p>", masters=masters) == "Rivelune\n\nBody"


def test_sheets_show_their_values_and_repeats():
    far = '<table:table-cell table:number-columns-repeated="16000"/>' + cells("far")
    same = '<table:table-cell table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell>'
    body = sheet(
        row(cells("Item", "Price", "&lt;T&gt;")),
        row('<table:table-cell office:value-type="float" office:value="0.155"><text:p>15.5 %</text:p></table:table-cell>' + same),
        row(cells("a", "b", "c"), 'table:number-rows-repeated="2"'),
        row('<table:table-cell table:number-columns-repeated="16384"/>', 'table:number-rows-repeated="1048000"'),
    ) + sheet(row(far), row(far), name="Far") + sheet(name="Empty")  # fmt: skip
    parsed = read("a.ods", odf("spreadsheet", body))
    assert parsed.text.splitlines() == [
        "## Prices", "", "| Item | Price | <T> |", "| --- | --- | --- |", "| 15.5 % | x | x |", "| a | b | c |", "| a | b | c |", "",
        "## Far", "", "| far |", "| --- |", "| far |",
    ]  # fmt: skip


def test_hidden_sheets_rows_and_columns():
    styles = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    columns = '<table:table-column/><table:table-column table:visibility="collapse"/><table:table-column/>'
    body = sheet(
        columns,
        row(cells("a", "b", "c")),
        row(cells("1", "2", "3"), 'table:visibility="filter"'),
        row(cells("4", "5", "6")),
    )
    made = odf(
        "spreadsheet", body + sheet(row(cells("secret")), name="H", attributes='table:style-name="ta2"'), styles=styles
    )
    parsed = read("a.ods", made)
    assert parsed.text == "## Prices\n\n| a | c |\n| --- | --- |\n| 4 | 6 |"
    assert [warning.partition(" left")[0] for warning in parsed.warnings] == [
        "1 hidden row",
        "1 hidden column",
        "1 hidden sheet",
    ]
    assert "## [hidden sheet] H\n\nsecret" in kept("a.ods", made)


def test_slides_have_their_pages_titles_and_notes():
    def page(title, inner="", style=""):
        frame = (
            f'<draw:frame presentation:class="title"><draw:text-box><text:p>{title}</text:p></draw:text-box></draw:frame>'
            if title
            else ""
        )
        return f'<draw:page draw:style-name="{style}">{frame}{inner}</draw:page>'

    notes = '<presentation:notes><draw:frame presentation:class="notes"><draw:text-box><text:p>Say this</text:p></draw:text-box></draw:frame></presentation:notes>'
    words = "<draw:frame><draw:text-box><text:list><text:list-item><text:p>point</text:p></text:list-item></text:list></draw:text-box></draw:frame>"
    styles = (
        '<style:style style:name="dp2"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    made = odf(
        "presentation", page("Plan", words + notes) + page("Secret", style="dp2") + page("", words), styles=styles
    )
    parsed = read("a.odp", made)
    assert parsed.text == "## Plan\n\n- point\n\n### Notes of slide 1\n\nSay this\n\n## Slide 3\n\n- point"
    assert [parsed.text[at:].partition("\n")[0] for at in parsed.pages] == ["## Plan", "## Slide 3", "## Slide 3"]
    assert parsed.title == "Plan"
    assert "## [hidden slide] Secret" in kept("a.odp", made)


def test_charts_are_tables_under_their_titles():
    chart = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:chart="urn:oasis:names:tc:opendocument:xmlns:chart:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:chart>'
        f"<chart:chart><chart:title><text:p>Rain</text:p></chart:title><table:table>{row(cells('', 'mm'))}{row(cells('May', '60'))}</table:table></chart:chart></office:chart></office:body></office:document-content>"
    )
    body = '<text:p>Figure<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    found = text(body, **{"Object 1/content.xml": chart})
    assert found.splitlines() == ["Figure", "", "Rain", "", "|  | mm |", "| --- | --- |", "| May | 60 |"]
    assert read("a.odt", odf("text", body)).warnings == ("1 embedded object not read",)


def test_formulas_stand_in_the_line_and_code_in_one_fence():
    math = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac><mo>=</mo>'
        "<msup><mi>x</mi><mn>2</mn></msup><annotation>odd</annotation></math>"
    )
    formula = '<text:p>So<draw:frame><draw:object xlink:href="Formula 0/"/></draw:frame>holds.</text:p>'
    code = '<text:p text:style-name="Preformatted_20_Text">if x &lt; 1:</text:p><text:p text:style-name="Preformatted_20_Text"><text:s text:c="4"/>return</text:p>'
    parsed = read("a.odt", odf("text", formula + code, **{"Formula 0/content.xml": math}))
    assert parsed.text == "So (a+b)/2=x^2 holds.\n\n```\nif x < 1:\n    return\n```"
    assert parsed.warnings == ()


@pytest.mark.parametrize("suffix", ["fodt", "fods"])
def test_flat_files_are_read(suffix):
    made = flat_odf("text", "<text:p>Flat words</text:p>", meta="<dc:title>Flat</dc:title>")
    assert (read(f"a.{suffix}", made).text, read(f"a.{suffix}", made).title) == ("Flat words", "Flat")
    assert reason(f"a.{suffix}", made[: len(made) // 2]).startswith(
        "truncated or damaged: the file is not well-formed XML"
    )


def test_an_archive_that_lacks_its_content_is_a_failure():
    assert reason("a.odt", archive({"mimetype": "x"})) == "damaged: an archive without content.xml in it"
    assert reason("a.odt", archive({"content.xml": "<x/>"})) == "damaged: an OpenDocument file without a body"


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("a.ods", "spreadsheet", sheet(*[row('<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>', 'table:number-rows-repeated="1048576"')] * 500)),
        ("a.ods", "spreadsheet", sheet(*[row('<table:table-cell table:number-columns-spanned="999999" table:number-rows-spanned="999999"><text:p>x</text:p></table:table-cell>' + cells("y"))] * 2000)),
        ("a.odt", "text", "<table:table>" + row('<table:table-cell table:number-columns-spanned="9999" table:number-rows-spanned="9999"><text:p>x</text:p></table:table-cell>' + cells("y")) * 2000 + "</table:table>"),
        ("a.odt", "text", "<text:p/>" * 20_000 + "<text:p>x</text:p>"),
        ("a.odt", "text", "<text:p>" + '<text:s text:c="999999"/>x' * 3000 + "</text:p>"),
    ],
    ids=["repeats", "spans of a sheet", "spans of a table", "empty", "blanks"],
)  # fmt: skip
def test_hostile_documents_cost_no_more_than_their_length(name, kind, body):
    seconds, length = cost(name, odf(kind, body))
    assert 0 < length < 5_000_000
    assert seconds < 4
