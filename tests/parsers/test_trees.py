"""JSON and XML are read by their structure, and files without an extension if they are text."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import read, reason

from relance.parsers.media_types import language_of, media_type_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab "\\,:[]{}水\n', max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("ab,:", max_size=5), inner, max_size=5),
    max_leaves=40,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.booleans())
def test_broken_json_has_the_same_values(value, ascii_only):
    written = json.dumps([value, "x" * 500], ensure_ascii=ascii_only)
    assert json.loads(read("a.json", written).text) == [value, "x" * 500]


def test_json_for_machines_is_broken_into_lines():
    rows = [{"id": number, "name": "pump " * 4} for number in range(50)]
    parsed = read("a.json", json.dumps({"rows": rows, "n": 1.10, "long": 12345678901234567890123}))
    lines = parsed.text.split("\n")
    assert lines[:3] == ["{", '  "rows": [', '    {"id": 0, "name": "pump pump pump pump "},']
    assert '  "long": 12345678901234567890123' in lines
    assert parsed.syntax == "code:json"


def test_json_for_people_stays_as_it_is():
    text = '{\n    "a":   1,\n    "b": [1,2]\n}\n'
    assert read("a.json", text).text == text


def test_escaped_letters_are_letters():
    written = json.dumps({"city": "北京 😀 é", "path": "C:\\u4e2d", "line": "a\nb", "quote": "\u0022"})
    text = read("a.json", written).text
    assert "北京 😀 é" in text
    assert json.loads(text) == json.loads(written)


PROSE = """<?xml version="1.0" encoding="UTF-8"?>
<article xmlns="http://docbook.org/ns/docbook"><title>The Pump</title><!-- hidden -->
<section><title>Parts</title><para>Some <emphasis>old</emphasis> text.</para>
<programlisting language="c">int x;
  y;</programlisting>
<section><title>Small</title><para>More.</para></section></section></article>"""


def test_prose_in_xml_has_headings():
    parsed = read("a.xml", PROSE)
    assert parsed.title == "The Pump"
    assert parsed.text.split("\n\n") == [
        "# The Pump",
        "## Parts",
        "Some old text.",
        "```c\nint x;\n  y;\n```",
        "### Small",
        "More.\n",
    ]


def test_data_in_xml_are_named_values():
    text = '<catalog><book id="7"><title>XML</title><price currency="EUR">44.95</price><note>a <b>b</b> c</note></book></catalog>'
    parsed = read("a.xml", text)
    assert parsed.text == (
        "catalog:\n  book (id=7)\n    title: XML\n    price (currency=EUR): 44.95\n    note: a\n      b: b\nc\n"
    )


def test_xml_in_an_encoding_of_its_own():
    assert "名: 水泵" in read("a.xml", '<?xml version="1.0" encoding="GBK"?><名>水泵</名>'.encode("gbk")).text


@pytest.mark.parametrize(
    "text",
    ["<a><b></a>", "<a>" * 100_000, "no xml", "<a b=c/>"],
)
def test_what_is_no_xml_is_kept_as_it_is_and_said(text):
    parsed = read("a.xml", text)
    assert parsed.text == text
    assert parsed.warnings[0].startswith("it is no well-formed XML, kept as it is: ")


def test_no_entity_unfolds():
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    began = time.process_time()
    parsed = read(
        "a.xml", f'<!DOCTYPE a [<!ENTITY e0 "x">{entities}<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&e11;&f;words</a>'
    )
    assert time.process_time() - began < 2
    assert len(parsed.text) < 5_000
    assert "root:" not in parsed.text


@pytest.mark.parametrize("unit", ["[", "{", '{"a":', "1,", '"', "a", "]", "\\u4e2d", "\\", '"a":1,', " "])
def test_reading_takes_linear_time(unit):
    began = time.process_time()
    read("a.json", "1" + unit * (200_000 // len(unit)))
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("name", "media_type", "language"),
    [
        ("Jenkinsfile", "text/x-groovy", "groovy"),
        ("sub/Makefile.am", "text/x-make", "make"),
        ("Dockerfile.dev", "text/x-dockerfile", "dockerfile"),
        ("Gemfile", "text/x-ruby", "ruby"),
        ("README.de", "text/plain", ""),
        ("a.asciidoc", "text/asciidoc", ""),
        ("notes", "application/x-unnamed", ""),
        ("a.unknown", "application/octet-stream", ""),
    ],
)
def test_files_are_known_by_their_whole_name_too(name, media_type, language):
    assert media_type_of(name) == media_type
    assert language_of(media_type) == language


def test_a_file_without_an_extension_is_read_if_it_is_text():
    assert read("notes", "no extension, plain text\n").text == "no extension, plain text\n"
    assert reason("program", b"\x7fELF\x02\x01\x01" + bytes(500)) == "binary content in a file named program"
