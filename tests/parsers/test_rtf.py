"""Rich Text Format: every character in its encoding, lists, tables, notes, and what is hidden."""

import office_files
import pytest
from mutations import truncations
from office_files import cost
from parsing import read, reason

FONTS = (r"{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Times Cyr;}{\f2\fcharset134 SimSun;}{\f3\fcharset2 Symbol;}"
         r"{\f4\fcharset128 MS Mincho;}}")  # fmt: skip
STYLES = r"{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\s2 heading 2;}{\s9 Title;}{\*\cs10 Default;}}"


def rtf(body):
    return (rf"{{\rtf1\ansi\ansicpg1252\deff0{FONTS}{STYLES}" + body + "}").encode("latin-1")


def text(body):
    return read("a.rtf", rtf(body)).text


def kept(body):
    return office_files.kept("a.rtf", rtf(body))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (r"{\b Bold} text of an RTF with \'e9 accent.\par", "Bold text of an RTF with é accent."),
        (r"p<0.05, List<T>, a & b, 5*6*7, \{x\} C:\\temp\par", "p<0.05, List<T>, a & b, 5*6*7, {x} C:\\temp"),
        (r"\u8364?5, \u-10179?\u-8704? and {\uc0\u233} {\uc2\u233 \'c3\'a9!}\par", "€5, 😀 and é é!"),
        (r"{\f1\'cf\'f0\'e8\'e2\'e5\'f2} {\f2\'c4\'e3\'ba\'c3} {\f4\'83A\'83B}\par", "Привет 你好 アィ"),
        (r"{\f3 abg} and {\f3\u-3999?}\par", "αβγ and α"),
        (
            r"one\line two\tab three\~x\_y\-z \emdash\endash\ldblquote q\rdblquote\bullet\par",
            "one\ntwo\tthree\u00a0x\u2011yz —–“q”•",
        ),
        ("line \r\nbreaks in the \nfile\\par", "line breaks in the file"),
        (r"\pard one\par\pard two\par", "one\n\ntwo"),
        (r"{\*\unknown gone}{\pict\wmetafile8 0102}{\bin3 }{x}words{\xe index}\par", "words"),
        (r"{\upr{old}{\*\ud new}}\par", "new"),
        (r"# one\par", "\\# one"),
    ],
)
def test_every_character_stays(body, shown):
    assert text(body) == shown


def test_headings_by_style_and_by_level():
    parsed = read(
        "a.rtf",
        rtf(
            r"\pard\s9 The book\par\pard\plain\s1\b Tides\par\pard\plain Words\par{\pard\s2 High\par}\pard\outlinelevel2 Deep\par"
        ),
    )
    assert parsed.text == "# The book\n\n# Tides\n\nWords\n\n## High\n\n### Deep"
    assert parsed.title == "The book"


def test_lists_have_the_labels_that_are_shown():
    body = (r"{\listtext\pard\plain 1.\tab}\ilvl0 one\par{\listtext a)\tab}\ilvl1 inner\par{\listtext 2.\tab}\ilvl0 two\par"
            r"\pard{\pntext\f3\'b7\tab}dot\par\pard after\par")  # fmt: skip
    assert text(body) == "1. one\n  a) inner\n2. two\n- dot\n\nafter"


def test_tables_keep_their_cells_and_merges():
    head = r"\trowd\clvmgf\cellx1\cellx2\cellx3\pard\intbl North\cell 1|2\cell <3\cell\row"
    more = r"\trowd\clvmrg\cellx1\clmgf\cellx2\clmrg\cellx3\pard\intbl\cell both\cell\cell\row"
    assert text(head + more + r"\pard after\par").splitlines() == [
        "| North | 1\\|2 | <3 |", "| --- | --- | --- |", "| North | both | both |", "", "after"
    ]  # fmt: skip


def test_paragraphs_of_a_cell_stay_apart():
    assert text(r"\trowd\cellx1\cellx2\pard\intbl one\par two\cell x\cell\row").splitlines()[0] == "| one two | x |"


def test_notes_stand_at_the_end():
    body = r"\pard Twelve{\super\chftn{\footnote\pard\chftn See <here>.}} bar{\chftn{\footnote\ftnalt The end.}}.\par\pard\s1 Next\par"
    assert text(body) == "Twelve[^1] bar[^i].\n\n[^1]: See <here>.\n[^i]: The end.\n\n# Next"


def test_headers_come_once_and_numbers_of_pages_never():
    body = r"{\header\pard Rivelune\par}{\headerr\pard Rivelune\par}{\footer\pard Page {\field{\*\fldinst PAGE}{\fldrslt 7}}\par}\pard Body\par"
    assert text(body) == "Rivelune\n\nBody"


def test_fields_links_and_boxes():
    body = r'See {\field{\*\fldinst{HYPERLINK "https://x.org"}}{\fldrslt{\ul the manual}}}.\par{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt\pard In a box\par}}}\par'
    assert text(body) == "See the manual.\n\nIn a box"


def test_hidden_and_deleted_text_is_counted_or_marked():
    body = r"Limit {\deleted OLD }{\revised NEW }{\v secret}bar\par"
    parsed = read("a.rtf", rtf(body))
    assert parsed.text == "Limit NEW bar"
    assert [warning.partition(" left")[0] for warning in parsed.warnings] == [
        "1 passage of deleted text",
        "1 passage of hidden text",
    ]
    assert kept(body) == "Limit [deleted text: OLD] NEW [hidden text: secret]bar"


def test_comments_are_counted_or_marked():
    body = r"Twelve{\*\atnid A}{\*\atnauthor Ana}\chatn{\*\annotation\pard Really?} bar\par"
    assert read("a.rtf", rtf(body)).warnings == (
        "1 comment left out; `comments: mark` of the parser `office` keeps them",
    )
    assert kept(body) == "Twelve[comment by Ana: Really?] bar"


def test_properties_are_metadata():
    info = (
        r"{\info{\title A letter}{\author Ana}{\keywords sea, tide}{\subject Water}{\creatim\yr2024\mo5\dy6\hr7\min8}}"
    )
    parsed = read("a.rtf", rtf(info + r"Words\par"))
    assert (parsed.title, parsed.text) == ("A letter", "Words")
    assert parsed.metadata == {
        "author": "Ana",
        "keywords": ["sea", "tide"],
        "subject": "Water",
        "created": "2024-05-06T07:08:00",
    }


def test_a_truncated_file_is_a_failure():
    whole = rtf(r"\pard one {\b two} three\par\trowd\cellx1\pard\intbl x\cell\row")
    for cut in truncations(whole, 40):
        assert reason("a.rtf", cut) == "truncated or damaged: it ends inside a group" or len(cut) < 6


def test_what_is_no_rtf_is_a_failure():
    assert reason("a.rtf", b"hello") == "damaged: an RTF file begins with {\\rtf"
    assert read("a.rtf", b"\xef\xbb\xbf{\\rtf1 words}\r\n\0").text == "words"


@pytest.mark.long
@pytest.mark.parametrize(
    "body",
    ["{" * 50_000 + "}" * 50_000, "\\par" * 200_000 + " x", "\\u20013?" * 60_000, "x\\cell " * 50_000 + "\\row", "\\trowd" + "\\cellx1" * 100_000 + "x\\par",
     "{\\b x}" * 40_000, "\\bin999999999 ", "\\'" * 100_000 + "x", "\\" * 100_001 + "x", "{\\footnote x}" * 10_000, "{\\listtext 1.}" * 20_000 + "x\\par",
     "\\s1" * 100_000 + "x\\par", "{\\*\\annotation x}" * 10_000 + "y\\par"],
)  # fmt: skip
def test_hostile_files_cost_no_more_than_their_length(body):
    assert cost("a.rtf", rtf(body))[0] < 4
