"""HTML keeps its main text, in the encoding it is written in."""

import re
import unicodedata

import pytest
from parsing import read, reason

from relance.errors import DocumentError

PAGE = """<!doctype html><html lang="de"><head><meta charset="{charset}"><title>Pumpe | ACME</title>
<style>p {{ color: red }}</style><script>var secret = 1</script></head><body>
<nav><a href="/">Startseite</a> <a href="/shop">Laden</a></nav>
<main><article><h1>{heading}</h1><p>{body}</p><h2>Start</h2><p>Beide Ventile öffnen und den grünen Knopf zwei
Sekunden lang drücken, bis die Lampe leuchtet. <a href="https://example.org/long/address">Zur Zeichnung</a>.</p>
<pre><code>pump --start
  --now</code></pre><table><tr><th>Teil</th><th>Preis</th></tr><tr><td>Ventil</td><td>3</td></tr></table>
<img src="pump.png" alt="Zeichnung der Pumpe"></article></main><footer>Impressum und Cookies</footer></body></html>"""
BODY = "Die Pumpe fördert Wasser aus dem unteren in den oberen Behälter. Sie hat zwei Ventile und einen Motor."


def test_html_keeps_main_text_headings_code_and_tables_and_drops_the_rest():
    parsed = read("a.html", PAGE.format(charset="utf-8", heading="Die Pumpe", body=BODY))
    assert parsed.text.startswith(f"# Die Pumpe\n\n{BODY}\n\n## Start\n\nBeide Ventile")
    assert "pump --start\n  --now" in parsed.text
    assert re.search(r"\| Teil \| Preis \|", parsed.text)
    assert "Zeichnung der Pumpe" in parsed.text
    assert not re.search(r"Startseite|Laden|Impressum|secret|color|example\.org|pump\.png", parsed.text)
    assert (parsed.title, parsed.syntax, parsed.metadata) == ("Die Pumpe", "markdown", {"language": "de"})


@pytest.mark.parametrize(
    ("charset", "encoding", "heading", "body"),
    [
        ("gb2312", "gbk", "水泵", "水泵把水从下面的水箱抽到上面的水箱。它有两个阀门和一个电动机，需要定期检查。" * 3),
        ("big5", "big5", "水泵", "水泵把水從下面的水箱抽到上面的水箱。它有兩個閥門和一個電動機，需要定期檢查。" * 3),
        ("iso-8859-1", "cp1252", "Die “Pumpe”", BODY),
        ("koi8-r", "koi8-r", "Насос", "Насос качает воду из нижнего бака в верхний. У него два клапана." * 3),
        ("klingon", "utf-8", "Die Pumpe", BODY),
        ("gb2312", "utf-8", "水泵", "声明的编码是错的，但正文是UTF-8。" * 6),
    ],
)
def test_html_is_read_in_the_encoding_it_declares_unless_that_is_wrong(charset, encoding, heading, body):
    page = PAGE.format(charset=charset, heading=heading, body=body)
    parsed = read("a.html", page.encode(encoding, "xmlcharrefreplace"))
    assert parsed.title == heading
    assert unicodedata.normalize("NFC", body) in parsed.text


def test_a_page_too_short_to_be_judged_keeps_its_headings():
    page = (
        "<html><head><title>T</title></head><body><nav>Menu</nav><h1>A</h1>hello <b>you</b><h3>B</h3><p>two</p></body>"
    )
    parsed = read("a.html", page)
    assert parsed.text == "# A\n\nhello you\n\n### B\n\ntwo"
    assert parsed.title == "A"


def test_without_a_heading_the_title_is_that_of_the_head():
    assert read("a.html", f"<title>Pump\n manual</title><p>{BODY}</p>").title == "Pump manual"


def test_xhtml_with_an_encoding_declaration_is_read():
    html = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{BODY}</p></body></html>'
    page = f'<?xml version="1.0" encoding="UTF-8"?>{html}'
    assert BODY in read("a.xhtml", page).text


def test_empty_elements_of_xhtml_end_where_they_begin():
    page = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head><body>'
        f'<h1><a id="x"/>Pumpe</h1><div class="line"/><p>{BODY}<br/>Ende</p></body></html>'
    )
    parsed = read("a.xhtml", page)
    assert (parsed.title, parsed.text) == ("Pumpe", f"# Pumpe\n\n{BODY}\nEnde")


@pytest.mark.parametrize("page", ["<html></html>", "<!-- nothing -->", "<html><body><script>1</script></body></html>"])
def test_html_without_text_is_a_failure(page):
    assert reason("a.html", page) in {"no text in it", "no HTML in it"}


def test_html_nested_without_end_gives_text_or_a_reason():
    try:
        assert "deep" in read("a.html", "<div>" * 20_000 + "deep" + "</div>" * 20_000).text
    except DocumentError as error:
        assert "\n" not in error.reason  # noqa: PT017  # either outcome is right
