"""E-books: chapters in the order of the spine, named by the table of contents, with the book's own title and facts."""

import pytest
from office_files import archive, epub, parts_of
from parsing import read, reason

TEXT = "<p>It began in the rain, and nobody in the town of Lyon remembered a spring like that.</p>"


def test_chapters_come_in_the_order_of_the_spine():
    parsed = read("a.epub", epub({"z.xhtml": f"<h1>First</h1>{TEXT}", "a.xhtml": f"<h1>Second</h1>{TEXT}"}))
    assert parsed.text.index("# First") < parsed.text.index("# Second")
    assert parsed.text.count("in the town of Lyon") == 2


def test_a_book_is_called_by_its_title_and_says_who_wrote_it():
    metadata = (
        "<dc:title>The Rain</dc:title><dc:creator>Ana</dc:creator><dc:creator>Bo</dc:creator><dc:language>fr</dc:language>"
        "<dc:subject>weather</dc:subject><dc:subject>towns</dc:subject><dc:date>2024-05-06</dc:date><dc:publisher>Rivelune</dc:publisher>"
        '<meta property="dcterms:modified">2024-05-07T08:09:10Z</meta>'
    )
    parsed = read("a.epub", epub({"c.xhtml": f"<h1>Chapter 0</h1>{TEXT}"}, metadata=metadata))
    assert parsed.title == "The Rain"
    assert parsed.metadata == {
        "author": "Ana, Bo", "language": "fr", "keywords": ["weather", "towns"], "published": "2024-05-06", "publisher": "Rivelune",
        "modified": "2024-05-07T08:09:10+00:00",
    }  # fmt: skip
    assert read("a.epub", epub({"c.xhtml": f"<h1>One</h1>{TEXT}"}, metadata="")).title == "One"


def test_a_chapter_without_a_heading_is_called_as_in_the_table_of_contents():
    point = '<navPoint><navLabel><text>The flood</text></navLabel><content src="b%20c.xhtml#top"/></navPoint>'
    ncx = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{point}</navMap></ncx>'
    made = epub({"a.xhtml": f"<h1>Rain</h1>{TEXT}", "b c.xhtml": TEXT}, **{"text/toc.ncx": ncx})
    assert [line for line in read("a.epub", made).text.splitlines() if line.startswith("#")] == [
        "# Rain",
        "# The flood",
    ]


def test_a_chapter_that_is_missing_is_said_and_a_cover_is_no_chapter():
    made = epub({"cover.xhtml": '<div><img src="cover.jpg"/></div>', "a.xhtml": TEXT, "b.xhtml": TEXT})
    assert read("a.epub", made).warnings == ()
    parts = parts_of(made)
    del parts["text/b.xhtml"]
    assert read("a.epub", archive(parts)).warnings == ("1 missing chapter not read",)


@pytest.mark.parametrize("part", ["META-INF/container.xml", "text/content.opf"])
def test_a_book_that_does_not_say_what_it_is_made_of_is_a_failure(part):
    assert reason("a.epub", epub({"a.xhtml": TEXT}, **{part: "<x"})).startswith(
        f"truncated or damaged: {part} is not well-formed XML"
    )
