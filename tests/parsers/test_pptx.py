"""Presentations: slides with their numbers, notes, charts, and what is hidden."""

import office_files
import pytest
from office_files import CHART, cost, pptx, relations, shape, slide
from parsing import read

TITLE, BODY = '<p:ph type="title"/>', '<p:ph idx="1"/>'


def text(*shapes, **more):
    return read("a.pptx", pptx(slide("sld", *shapes), **more)).text


def kept(*slides, **more):
    return office_files.kept("a.pptx", pptx(*slides, **more))


def pages_of(parsed):
    ends = [*parsed.pages[1:], len(parsed.text)]
    return [parsed.text[begin:end].strip() for begin, end in zip(parsed.pages, ends, strict=True)]


def test_each_slide_has_its_page_its_title_and_its_notes():
    notes = slide(
        "notes",
        shape('<p:ph type="sldImg"/>'),
        shape('<p:ph type="body"/>', "Say Ünits &lt; 5"),
        shape('<p:ph type="sldNum"/>', "1"),
    )
    parsed = read("a.pptx", pptx((slide("sld", shape(BODY, "first", "second"), shape(TITLE, "Plan A")), notes),
                                 slide("sld", shape("", "No title here")), slide("sld", shape(TITLE, "End"))))  # fmt: skip
    assert pages_of(parsed) == [
        "## Plan A\n\n- first\n- second\n\n### Notes of slide 1\n\nSay Ünits < 5", "## Slide 2\n\nNo title here", "## End"
    ]  # fmt: skip
    assert parsed.metadata["page_count"] == 3


def test_hidden_slides_keep_their_numbers_and_are_counted():
    slides = (slide("sld", shape(TITLE, "One")), slide("sld", shape(TITLE, "Secret"), attributes='show="0"'), slide("sld", shape(TITLE, "Three")),
              slide("sld", shape(TITLE, "Last secret"), attributes='show="0"'))  # fmt: skip
    parsed = read("a.pptx", pptx(*slides))
    assert pages_of(parsed) == ["## One", "", "## Three", ""]
    assert parsed.warnings == ("2 hidden slides left out; `hidden: mark` of the parser `office` keeps them",)
    assert "## [hidden slide] Secret" in kept(*slides)


@pytest.mark.parametrize(
    "picture",
    [
        '<p:pic><p:nvPicPr><p:cNvPr id="1" name="x" descr="A barn"/></p:nvPicPr><p:blipFill><a:blip r:link="rId9"/></p:blipFill></p:pic>',
        '<p:pic><p:nvPicPr><p:cNvPr id="1" name="x" descr="A barn"/></p:nvPicPr></p:pic>',
        '<p:pic><p:nvPicPr><p:cNvPr id="1" name="x" descr="A barn"/></p:nvPicPr><p:blipFill><a:blip r:embed="rId77"/></p:blipFill></p:pic>',
    ],
)
def test_a_picture_that_is_linked_missing_or_broken_costs_nothing(picture):
    assert text(shape(TITLE, "Plan"), picture, shape("", "after")) == "## Plan\n\nA barn\n\nafter"


def test_lists_have_their_levels_and_numbers():
    def line(words, properties, level=0):
        return f'<a:p><a:pPr lvl="{level}">{properties}</a:pPr><a:r><a:t>{words}</a:t></a:r></a:p>'

    numbered, letters = '<a:buAutoNum type="arabicPeriod"/>', '<a:buAutoNum type="alphaLcParenR"/>'
    lines = [line("one", numbered), line("inner", letters, 1), line("inner", letters, 1), line("two", numbered),
             line("plain", "<a:buNone/>"), line("one", numbered), line("dot", '<a:buChar char="•"/>', 1)]  # fmt: skip
    assert text(shape("", *lines)).splitlines()[2:] == [
        "1. one", "  a) inner", "  b) inner", "2. two", "", "plain", "", "1. one", "  - dot"
    ]  # fmt: skip


def test_tables_groups_and_breaks():
    def tc(words, attributes=""):
        return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></a:txBody></a:tc>"

    table = (
        "<p:graphicFrame><a:graphic><a:graphicData><a:tbl>"
         "<a:tr>" + tc("Year", 'rowSpan="2"') + tc("Rain", 'gridSpan="2"') + tc("", 'hMerge="1"') + "</a:tr>"
        + "<a:tr>" + tc("", 'vMerge="1"') + tc("mm") + tc("p&lt;0.05") + "</a:tr>"
        + "</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )  # fmt: skip
    group = f"<p:grpSp><p:nvGrpSpPr/><p:grpSpPr/>{shape('', 'deep')}</p:grpSp>"
    broken = shape("", "<a:p><a:r><a:t>one</a:t></a:r><a:br/><a:r><a:t>two</a:t></a:r></a:p>")
    assert text(table, group, broken).splitlines()[2:] == [
        "| Year | Rain | Rain |", "| --- | --- | --- |", "| Year | mm | p<0.05 |", "", "deep", "", "one", "two"
    ]  # fmt: skip


def test_charts_are_read_where_they_stand():
    chart = f'<c:chartSpace xmlns:c="{CHART}"><c:ser><c:tx><c:v>Rain</c:v></c:tx><c:cat><c:pt idx="0"><c:v>May</c:v></c:pt></c:cat><c:val><c:pt idx="0"><c:v>1.5</c:v></c:pt></c:val></c:ser></c:chartSpace>'
    frame = (
        '<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id="rId1"/></a:graphicData></a:graphic></p:graphicFrame>'
    )
    found = text(
        frame, shape("", "after"), related=(("chart", "../charts/chart1.xml"),), **{"ppt/charts/chart1.xml": chart}
    )
    assert found.splitlines()[2:] == ["|  | Rain |", "| --- | --- |", "| May | 1.5 |", "", "after"]


def test_footers_come_once_and_numbers_of_slides_never():
    def one(title):
        return slide("sld", shape(TITLE, title), shape('<p:ph type="ftr"/>', "Rivelune GmbH"), shape('<p:ph type="sldNum"/>', "7"),
                     shape('<p:ph type="dt"/>', "May 2024"))  # fmt: skip

    assert read("a.pptx", pptx(one("A"), one("B"))).text == "## A\n\nRivelune GmbH\n\n## B"


def test_comments_are_counted_or_marked():
    comments = '<p:cmLst xmlns:p="x"><p:cm authorId="0"><p:text>Really?</p:text></p:cm></p:cmLst>'
    more = {"related": (("comments", "../comments/comment1.xml"),), "ppt/comments/comment1.xml": comments}
    one = slide("sld", shape("", "Words"))
    assert read("a.pptx", pptx(one, **more)).warnings == (
        "1 comment left out; `comments: mark` of the parser `office` keeps them",
    )
    assert kept(one, **more).endswith("[comment: Really?]")


def test_a_missing_slide_is_said():
    made = pptx(
        slide("sld", shape("", "Words")), **{"ppt/_rels/presentation.xml.rels": relations(("slide", "slides/gone.xml"))}
    )
    with pytest.raises(Exception, match="no text in it"):
        read("a.pptx", made)


def test_a_deck_that_names_one_slide_a_thousand_times_reads_it_once():
    listed = '<p:sldId id="256" r:id="rId1"/>' * 5000
    names = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    deck = f"<p:presentation {names}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    seconds, length = cost("a.pptx", pptx(slide("sld", shape("", "Words")), **{"ppt/presentation.xml": deck}))
    assert length == len("## Slide 1\n\nWords")
    assert seconds < 2
