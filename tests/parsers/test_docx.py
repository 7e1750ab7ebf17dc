"""Word documents: every character, lists as they are numbered, notes, tables, and what is hidden."""

import office_files
import pytest
from office_files import CHART, DRAWING, WORD, cost, docx, level, p, r, style, with_parts
from parsing import read

STYLES = (
    style("Title", "Title")
    + style("H1", "heading 1", '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>')
    + style("H2", "heading 2", based_on="H1") .replace("</w:style>", '<w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>')
    + style("Mine", "My own", based_on="H2")
    + style("Code", "Source Code")
    + style("Secret", "Secret", "<w:rPr><w:vanish/></w:rPr>")
)  # fmt: skip
NUMBERS = (
    '<w:abstractNum w:abstractNumId="0">'
    + level(0, "decimal", "%1.") + level(1, "lowerLetter", "%1.%2)") + level(2, "bullet", "")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="1">' + level(0, "upperRoman", "Article %1") + "</w:abstractNum>"
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>'
)  # fmt: skip


def text(body, **parts):
    return read("a.docx", docx(body, **parts)).text


def kept(body, **parts):
    return office_files.kept("a.docx", docx(body, **parts))


def field(code, result):
    def mark(kind):
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    return f"{mark('begin')}<w:r><w:instrText>{code}</w:instrText></w:r>{mark('separate')}{r(result)}{mark('end')}"


@pytest.mark.parametrize(
    "words",
    ["p&lt;0.05 and a &gt; b, List&lt;String&gt;", "#include &lt;stdio.h&gt;", "5 * 6 * 7, snake_case_name, `tick`", "R&amp;D",
     "C:\\new\\table", "[x](y) ![z]", "~5 °C", "1 | 2"],
)  # fmt: skip
def test_every_character_stays(words):
    plain = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text(p(words)) == plain
    assert text(p(words, style="H1"), styles=STYLES) == f"# {plain}"


def test_a_paragraph_that_looks_like_a_heading_or_fence_is_none():
    assert text(p("# not a heading")) == "\\# not a heading"
    assert text(p("```")) == "\\```"
    assert text(p(r("Total") + "<w:r><w:br/></w:r>" + r("---"))) == "Total\n\\---"
    assert text(p("#hash tag")) == "#hash tag"


def test_headings_by_style_by_base_and_by_the_paragraph_itself():
    outline = '<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr>' + r("Deep") + "</w:p>"
    body = p("Book", style="Title") + p("One", style="H1") + p("Two", style="Mine") + outline + p("", style="H1")
    parsed = read("a.docx", docx(body, styles=STYLES))
    assert parsed.text == "# Book\n\n# One\n\n## Two\n\n### Deep"
    assert parsed.title == "Book"
    assert text(p("Words", style="Heading1")) == "# Words", "a file without styles"


def test_lists_have_the_numbers_that_are_shown():
    body = "".join(p(words, numbered=at) for words, at in (
        ("one", (1, 0)), ("inner", (1, 1)), ("inner two", (1, 1)), ("dot", (1, 2)), ("two", (1, 0)), ("again", (1, 1)),
        ("first", (2, 0)), ("second", (2, 0)), ("seven", (3, 0)), ("eight", (3, 0)), ("no such list", (9, 0)),
    ))  # fmt: skip
    assert text(body, numbering=NUMBERS).splitlines() == [
        "1. one", "  1.a) inner", "  1.b) inner two", "    - dot", "2. two", "  2.a) again", "Article I first",
        "Article II second", "7. seven", "8. eight", "", "no such list",
    ]  # fmt: skip


def test_numbers_of_headings_stand_before_them():
    assert text(p("Scope", style="H1", numbered=(1, 0)), styles=STYLES, numbering=NUMBERS) == "# 1. Scope"


def test_notes_stand_at_the_end_of_their_section():
    def mark(kind, at):
        return f'<w:r><w:{kind}Reference w:id="{at}"/></w:r>'

    notes = "".join(
        f'<w:footnote w:id="{at}" {kind}>{p(words)}</w:footnote>'
        for at, words, kind in ((0, "", 'w:type="separator"'), (2, "First note &lt;1&gt;.", ""), (5, "Second.", ""))
    )
    ends = f'<w:endnote w:id="1">{p("The end.")}</w:endnote>'
    body = (
        p("A", mark("footnote", 2), p("")[5:-6])
        + p("Next", style="H1")
        + p("B", mark("footnote", 5), mark("endnote", 1))
    )
    found = text(body, styles=STYLES, footnotes=notes, endnotes=ends)
    assert found == "A[^1]\n\n[^1]: First note <1>.\n\n# Next\n\nB[^2][^i]\n\n[^2]: Second.\n[^i]: The end."


def test_a_note_after_a_list_is_no_item_of_it():
    notes = f'<w:footnote w:id="2">{p("A note.")}</w:footnote>'
    body = p("one", '<w:r><w:footnoteReference w:id="2"/></w:r>', numbered=(1, 0))
    assert text(body, numbering=NUMBERS, footnotes=notes) == "1. one[^1]\n\n[^1]: A note."


def test_headers_and_footers_come_once_and_without_numbers_of_pages():
    section = '<w:sectPr><w:headerReference w:type="default" r:id="rId1"/><w:footerReference w:type="default" r:id="rId2"/></w:sectPr>'
    body = f"<w:p><w:pPr>{section}</w:pPr>{r('Body.')}</w:p>{section}"
    header = f'<w:hdr xmlns:w="{WORD}">{p("Secret plan")}</w:hdr>'
    footer = f'<w:ftr xmlns:w="{WORD}">{p("Page ", field("PAGE", "3"))}{p("Rivelune GmbH")}</w:ftr>'
    parts = {"word/header1.xml": header, "word/footer1.xml": footer}
    made = with_parts(docx(body, related=(("header", "header1.xml"), ("footer", "footer1.xml"))), parts)
    assert read("a.docx", made).text == "Secret plan\n\nBody.\n\nRivelune GmbH"


def test_tables_have_merged_cells_in_every_row_they_cover():
    def tc(words, properties=""):
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(words)}</w:tc>"

    wide, begin = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>'
    table = (
        f"<w:tbl><w:tr>{tc('Region')}{tc('2023', wide)}</w:tr>"
        f"<w:tr>{tc('North', begin)}{tc('a|b')}{tc('&lt; 0.5 mg')}</w:tr>"
        f"<w:tr>{tc('', '<w:vMerge/>')}{tc('3')}{tc('4')}</w:tr></w:tbl>"
    )
    assert text(table).splitlines() == [
        "| Region | 2023 | 2023 |", "| --- | --- | --- |", "| North | a\\|b | < 0.5 mg |", "| North | 3 | 4 |"
    ]  # fmt: skip


def test_a_table_in_a_cell_keeps_its_words_apart_and_a_frame_is_none():
    def row(*cells):
        return f"<w:tr>{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"

    inner = f"<w:tbl>{row(p('12'), p('34'))}</w:tbl>"
    assert text(f"<w:tbl>{row(p('a'), p('b') + inner)}</w:tbl>").splitlines()[0] == "| a | b 12 34 |"
    assert text(f"<w:tbl>{row(p('Head', style='H1') + p('Body'))}</w:tbl>", styles=STYLES) == "# Head\n\nBody"


HIDDEN = p("Limit ", r("OLD ", "").replace("<w:r>", "<w:del><w:r>").replace("w:t ", "w:delText ").replace("</w:t></w:r>", "</w:delText></w:r></w:del>"),
           "<w:ins>" + r("NEW ") + "</w:ins>", r("for my eyes", "<w:vanish/>"), r(" bar", '<w:vanish w:val="0"/>'))  # fmt: skip


def test_hidden_text_is_left_out_and_counted():
    parsed = read("a.docx", docx(HIDDEN + p("All of it", style="Secret"), styles=STYLES))
    assert parsed.text == "Limit NEW  bar"
    assert [warning.partition(" left out")[0] for warning in parsed.warnings] == [
        "1 passage of deleted text", "2 passages of hidden text"
    ]  # fmt: skip


def test_hidden_text_can_be_marked():
    found = kept(HIDDEN + p("All of it", style="Secret"), styles=STYLES)
    assert found == "Limit [deleted text: OLD] NEW [hidden text: for my eyes] bar\n\n[hidden text: All of it]"


def test_a_paragraph_whose_end_was_deleted_goes_on():
    assert text(p("one ", mark="<w:del/>") + p("line")) == "one line"


def test_deleted_rows_are_left_out():
    def row(words, properties=""):
        return f"<w:tr><w:trPr>{properties}</w:trPr><w:tc>{p(words)}</w:tc><w:tc>{p('x')}</w:tc></w:tr>"

    table = f"<w:tbl>{row('a')}{row('b', '<w:del/>')}{row('c')}</w:tbl>"
    assert text(table).splitlines() == ["| a | x |", "| --- | --- |", "| c | x |"]
    assert "| [deleted row] b | x |" in kept(table)


def test_comments_are_left_out_or_marked():
    comments = f'<w:comment w:id="4" w:author="Ana">{p("Is this right?")}</w:comment>'
    body = p("Twelve bar", '<w:r><w:commentReference w:id="4"/></w:r>', ".")
    parsed = read("a.docx", docx(body, comments=comments))
    assert parsed.text == "Twelve bar."
    assert parsed.warnings == ("1 comment left out; `comments: mark` of the parser `office` keeps them",)
    assert kept(body, comments=comments) == "Twelve bar[comment by Ana: Is this right?]."


def test_fields_show_their_results():
    assert text(p("See ", field("REF _x \\h", "Figure 3"), ".")) == "See Figure 3."
    nested = field('IF "' + "</w:instrText></w:r>" + field("AUTHOR", "Jo") + '<w:r><w:instrText>"', "yes")
    assert text(p(nested)) == "yes"
    box = '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="1"/></w:checkBox></w:ffData></w:fldChar></w:r>'
    assert text(p(box, '<w:r><w:fldChar w:fldCharType="end"/></w:r>', " agreed")) == "☒ agreed"


def test_links_show_their_text_and_where_they_lead_if_wanted():
    related = (("hyperlink", "https://example.org/a"),)
    body = p(
        "See ",
        f'<w:hyperlink r:id="rId1">{r("the manual")}</w:hyperlink>',
        ", ",
        field('HYPERLINK "https://b.org"', "b"),
    )
    assert text(body, related=related) == "See the manual, b"
    assert kept(body, related=related) == "See the manual (https://example.org/a), b (https://b.org)"


def test_boxes_content_controls_and_alternatives_are_read_once():
    box = f"<w:txbxContent>{p('In a box', style='H1')}{p('words')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    control = f"<w:sdt><w:sdtContent>{p('In a control')}</w:sdtContent></w:sdt>"
    assert (
        text(p("Before", f"<w:r>{both}</w:r>") + control, styles=STYLES)
        == "Before\n\n# In a box\n\nwords\n\nIn a control"
    )


def test_alternative_texts_stand_where_the_picture_is():
    def picture(alt):
        return f'<w:r><w:drawing><docPr descr="{alt}"/></w:drawing></w:r>'

    assert text(p("Press ", picture("the red button"), " now")) == "Press  the red button  now"
    assert text(p("Press", picture("image1.png"))) == "Press"


def test_charts_are_tables_under_their_titles():
    def series(name, *values):
        points = "".join(f'<c:pt idx="{n}"><c:v>{value}</c:v></c:pt>' for n, value in enumerate(values))
        names = "".join(f'<c:pt idx="{n}"><c:v>{year}</c:v></c:pt>' for n, year in enumerate((2023, 2024)))
        return f'<c:ser><c:tx><c:strRef><c:strCache><c:pt idx="0"><c:v>{name}</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat>{names}</c:cat><c:val>{points}</c:val></c:ser>'

    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>Rain &lt;mm&gt;</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    chart = f'<c:chartSpace xmlns:c="{CHART}" xmlns:a="{DRAWING}"><c:chart>{title}<c:plotArea><c:barChart>{series("Lyon", 1, 2)}{series("Oslo", 3)}</c:barChart></c:plotArea></c:chart></c:chartSpace>'
    body = p("Figure", '<w:r><w:drawing><c:chart r:id="rId1"/></w:drawing></w:r>')
    made = with_parts(docx(body, related=(("chart", "charts/chart1.xml"),)), {"word/charts/chart1.xml": chart})
    assert read("a.docx", made).text.splitlines() == [
        "Figure", "", "Rain <mm>", "", "|  | Lyon | Oslo |", "| --- | --- | --- |", "| 2023 | 1 | 3 |", "| 2024 | 2 |  |"
    ]  # fmt: skip


def test_formulas_symbols_and_breaks_are_text():
    formula = "<m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>"
    odd = '<w:r><w:sym w:font="Symbol" w:char="F061"/><w:noBreakHyphen/><w:t>b</w:t><w:tab/><w:softHyphen/><w:t>c</w:t><w:br/><w:t>d</w:t></w:r>'
    assert text(p(formula, " ", odd)) == "(a+b)/2x^2 α\u2011b\tc\nd"


def test_code_is_fenced_with_its_blanks():
    assert text(p("if a &lt; b:", style="Code") + p("    return", style="Code") + p("Done."), styles=STYLES) == (
        "```\nif a < b:\n    return\n```\n\nDone."
    )


def test_what_cannot_be_read_is_counted():
    body = p("Words", "<w:r><w:object><o:OLEObject xmlns:o='x'/></w:object></w:r>") + '<w:altChunk r:id="rId9"/>'
    assert set(read("a.docx", docx(body)).warnings) == {"1 embedded object not read", "1 embedded document not read"}


ROW = "<w:tr>{}<w:tc><w:tcPr>{}</w:tcPr>" + p("x") + "</w:tc><w:tc>" + p("y") + "</w:tc></w:tr>"


@pytest.mark.long
@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: docx(p("x") * n),
        lambda n: docx(p("") * n + p("x")),
        lambda n: docx(p("x"), styles="".join(style(f"s{at}", f"s{at}", based_on=f"s{at - 1}") for at in range(n))),
        lambda n: docx(p("x", style=f"s{n - 1}"), styles="".join(style(f"s{at}", f"s{at}", based_on=f"s{at + 1}") for at in range(n))),
        lambda n: docx(p(*["<w:r><w:fldChar w:fldCharType='begin'/></w:r>"] * n) + p("x")),
        lambda n: docx("".join(p("x", numbered=(1, at % 9)) for at in range(n)), numbering=NUMBERS),
        lambda n: docx("<w:tbl>" + ROW.format("<w:trPr><w:gridBefore w:val='16000'/></w:trPr>", "") * (n // 4) + "</w:tbl>"),
        lambda n: docx("<w:tbl>" + ROW.format("", "<w:gridSpan w:val='999999999'/>") * (n // 4) + "</w:tbl>"),
    ],
    ids=["paragraphs", "empty", "styles", "chain", "fields", "items", "far", "wide"],
)  # fmt: skip
def test_hostile_documents_cost_no_more_than_their_length(hostile):
    assert cost("a.docx", hostile(8_000))[0] < 4
