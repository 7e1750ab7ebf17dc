"""Pages made to hang a parser: time that grows with their size, and text or a reason."""

import time

import pytest
from mutations import mutations, truncations
from parsing import read

from relance.errors import DocumentError

SIZE = 1 << 14
MAKERS = {
    "angles": lambda n: "<" * n,
    "ampersands": lambda n: "&" * n,
    "blanks": lambda n: "<p>a" + " " * n + "b",
    "unclosed": lambda n: "<p>x" * (n // 4),
    "unclosed attribute": lambda n: '<a href="' * (n // 9),
    "comments": lambda n: "<p>x" + "<!--" * (n // 4),
    "items in items": lambda n: "<ul><li>" * 900 + "<h2>x</h2><p>y" * (n // 14),
    "quotations": lambda n: "<blockquote>" * 1500 + "<p>x" * (n // 4),
    "tables in tables": lambda n: "<table><tr><td colspan=50>" * 600 + "x " * (n // 2),
    "spans of rows": lambda n: "<table><tr>" + "<td rowspan=60000 colspan=1000>x" * 100 + "<tr><td>x" * (n // 9),
    "spans of columns": lambda n: "<table>" + "<tr><td colspan=1000000>value" * (n // 29),
    "cells": lambda n: "<table><tr>" + "<td>x" * (n // 5),
    "menus": lambda n: "<div class='menu cookie'>" * 1500 + "<a href=x>y</a> " * (n // 16),
    "hidden": lambda n: "<div aria-hidden=true>" * 1500 + ". " * (n // 2) + "x",
    "code": lambda n: "<code>" * 1500 + "x " * (n // 2),
    "bold": lambda n: "<b>" * 1500 + "x " * (n // 2),
    "fences": lambda n: "<pre>" + "`" * n,
    "names": lambda n: "<p class='" + "menu " * (n // 5) + "'>x",
    "xhtml": lambda n: "<?xml version='1.0'?><p>" + "<a b" * (n // 4),
    "title": lambda n: "<title>" + " - x" * (n // 4) + "</title><h2>x</h2>",
    "metadata": lambda n: "<meta name=author content=x>" * (n // 28) + "<p>x",
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_time_and_text_grow_with_the_page_and_no_faster(make):
    seconds, lengths = [], []
    for size in (SIZE, 8 * SIZE):
        begun = time.process_time()
        try:
            lengths.append(len(read("a.html", make(size)).text))
        except DocumentError:  # no text in it
            lengths.append(0)
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 24 * max(seconds[0], 0.03)  # 64 times would be the square
    assert lengths[1] < 30 * 8 * SIZE


@pytest.mark.parametrize("tag", ["div", "b", "ul><li", "table><tr><td", "svg", "math"])
def test_a_page_nested_deeper_than_any_real_one_is_a_failure_that_names_the_limit(tag):
    with pytest.raises(DocumentError, match=r"nested deeper than 2,048 levels"):
        read("a.html", f"x<{tag}>" * 100_000)


def test_cells_that_cannot_all_be_repeated_are_said():
    table = "<table><tr><th>a<th>b" + "<tr><td colspan=1000 rowspan=60000>" + "x" * 500 + "<tr><td>y" * 500
    parsed = read("a.html", table)
    assert "cells that span many rows or columns" in parsed.warnings[0]
    assert "| y |" in parsed.text


def test_a_page_that_ends_in_the_middle_is_said_to():
    whole = "<html><head><title>T</title></head><body><p>It moves water.</p><p>It moves air.</p></body></html>"
    assert read("a.html", whole).warnings == ()
    assert read("a.html", whole.replace("</body></html>", "</HTML>")).warnings == ()
    assert "cut short" in read("a.html", whole[:70]).warnings[0]
    assert read("a.html", "<title>T</title><p>It moves water.").warnings == ()


PAGE = """<!doctype html><html lang=en><head><meta charset=utf-8><title>Pump | ACME</title><meta name=keywords content=a,b>
<script type="application/ld+json">{"@type": "Article", "datePublished": "2024-02-03"}</script></head><body>
<nav><a href=/>Home</a></nav><main><h1>Pump<a class=headerlink href=#x>¶</a></h1><p>It moves <b>water</b> &amp; air — 10<sup>6</sup>
litres.</p><ul><li>one<ol><li>two</ol></ul><table><thead><tr><th rowspan=2>a<th colspan=2>b<tr><th>c<th>d</thead><tr>
<td rowspan=2>1<td>2<td><table><tr><td>3</table><tr><td>4</table><pre><code class=language-c>int x;
</code></pre><dl><dt>t<dd>d</dl><details><summary>Why?</summary>So.</details><figure><img src=a.png alt=Pump><figcaption>Fig.
1</figcaption></figure><form><select><option>S<option>M</select><button>Send</button></form></main></body></html>"""


@pytest.mark.parametrize("damaged", [*mutations(PAGE.encode(), 60), *truncations(PAGE.encode(), 10)])
def test_a_damaged_page_is_text_or_a_failure_in_one_sentence(damaged):
    try:
        assert read("a.html", damaged).text.strip()
    except DocumentError as error:
        assert "\n" not in error.reason  # noqa: PT017  # either outcome is right
        assert "cannot be parsed" not in error.reason  # noqa: PT017
