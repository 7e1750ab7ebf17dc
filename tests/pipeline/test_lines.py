"""A chunk says which lines of its file it is, or nothing: never the wrong ones."""

import pytest
from files import put
from hypothesis import given
from hypothesis import strategies as st

from relance.pipeline.lines import first_line, lines_of


@pytest.mark.parametrize(
    ("data", "text", "line"),
    [
        (b"one\ntwo\n", "one\ntwo\n", 1),
        (b"one\ntwo", "one\ntwo\n", 1),
        (b"\n\n\none", "one", 4),
        (b"---\ntitle: x\n---\n\n# One\n", "# One\n", 5),
        (b"one\r\ntwo\r\n", "one\ntwo\n", 1),
        ("\ufeffone\ncaf\u0065\u0301\n".encode(), "one\ncaf\u00e9\n", 1),
        (b"one\rtwo\n", "one\ntwo\n", 0),  # a lone carriage return: hosts and editors do not agree on it
        ("one\u2028two\n".encode(), "one\ntwo\n", 0),
        (b"<p>one</p>", "one", 0),
        ("中文\n".encode("gb18030"), "中文\n", 0),
        (b"one\n\x1b[1mtwo\n", "one\ntwo\n", 0),
        (b"one\ntwo\nthree", "one\ntwo", 0),
        (b"   \n", "   \n", 0),
        (b"", "", 0),
    ],
)
def test_a_text_has_lines_where_the_file_ends_with_it(data, text, line):
    assert first_line(data, text) == line


@given(st.text("ab\n", max_size=40), st.integers(1, 9), st.data())
def test_lines_are_those_of_the_words_in_a_span(text, first, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    spans = [(start, data.draw(st.integers(start, len(text)))) for start in cuts]
    rows = text.split("\n")
    for (start, end), (line, last) in zip(spans, lines_of(text, first, spans), strict=True):
        words = text[start:end].strip()
        if not words:
            assert line == last
            continue
        assert line is not None
        assert last is not None
        held = "\n".join(rows[line - first : last - first + 1])
        assert words in held
        assert held.count("\n") == words.count("\n")


def test_a_document_without_lines_has_none_in_any_chunk():
    assert lines_of("one\ntwo", 0, [(0, 3), (4, 7)]) == [(None, None)] * 2


def test_hits_of_files_say_their_lines(make_index, docs):
    put(
        docs / "a.md",
        "---\ntitle: River\n---\n\n# Gauge\n\nThe gauge tells how high the river stands.\n\n# Ferry\n\nThe ferry leaves at noon.\n",
    )
    put(docs / "code.py", "import os\n\n\ndef ferry():\n    return 'noon'\n")
    put(docs / "page.html", "<h1>Ferry</h1>\n<p>The ferry of the page.</p>")
    put(docs / "rows.jsonl", '{"id": 1, "text": "The ferry of a row."}\n')
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}], chunking={"max_tokens": 16})
    index.ingest()
    found = index.search("ferry", k=20)
    lines = {(hit.uri.removeprefix("docs/"), hit.line, hit.line_end) for hit in found}
    assert ("page.html", None, None) in lines
    assert ("rows.jsonl#1", None, None) in lines
    whole = {name: (docs / name).read_text().split("\n") for name in ("a.md", "code.py")}
    for hit in found:
        if (name := hit.uri.removeprefix("docs/")) in whole:
            assert "\n".join(whole[name][hit.line - 1 : hit.line_end]) == hit.text.strip()
            assert hit.link == ""
    assert {hit.uri for hit in found if hit.line} == {"docs/a.md", "docs/code.py"}
    assert found.to_list()[0].keys() >= {"line", "line_end", "link"}
