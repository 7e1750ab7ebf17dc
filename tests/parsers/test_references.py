"""Documents name their images and videos, in order, with what is said about them."""

from __future__ import annotations

import base64
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.errors import DocumentError, InputError
from relance.media.addresses import data_url, resolve
from relance.parsers import Raw, Reference, installed_parsers

PIECES = """![ ]( ) a.png # <img src= ' " > <figure> </figure> <figcaption> <![x[ <!-- <video> <source src=b>
</h1> <h1> <picture> <script> &#0; [a]: | </template> <template>""".split()


def references(text, media_type, uri, encoding=""):
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return installed_parsers().references(Raw(data, uri, media_type, encoding))


def markdown(text, encoding=""):
    return references(text, "text/markdown", "docs/a.md", encoding)


def html(text, encoding=""):
    return references(text, "text/html", "docs/a.html", encoding)


def urls(found):
    return [reference.url for reference in found]


def test_markdown_images_come_in_order_with_alt_title_and_headings():
    text = """---
title: Journal
cover: none.png
---
![before](zero.png)

# The *farm*

A barn: ![A red *barn*](pictures/barn.png "In winter").

Winter
------

![the barn][barn] and ![sheep] and [![linked](thumb.png)](large.png)

### `code` and [a link](x.md)

| a | b |
|---|---|
| ![in a table](table.png) | ![again](pictures/barn.png) |

# Next

> - ![in a list in a quote](deep.png)

```
![in code](no.png)
```
`![in code](no.png)` \\![escaped](no.png)

[barn]: pictures/barn-2.png 'By the wood'
[sheep]: <pictures/white sheep.png>
"""
    assert markdown(text) == [
        Reference("zero.png", "before"),
        Reference("pictures/barn.png", "A red barn", "In winter", heading_path=("The farm",)),
        Reference("pictures/barn-2.png", "the barn", "By the wood", heading_path=("The farm", "Winter")),
        Reference("pictures/white sheep.png", "sheep", heading_path=("The farm", "Winter")),
        Reference("thumb.png", "linked", heading_path=("The farm", "Winter")),
        Reference("table.png", "in a table", heading_path=("The farm", "Winter", "code and a link")),
        Reference("deep.png", "in a list in a quote", heading_path=("Next",)),
    ]


def test_html_inside_markdown_counts_in_its_place():
    text = """# One
text <img src="a.png" alt="first"> ![](b.png)

<h2>Two</h2>

<figure>
  <img src="c.png" alt="third">
  <figcaption>A <b>bold</b>
  caption</figcaption>
</figure>

<figure>

![](d.png)

<figcaption>Written *in* Markdown</figcaption>
</figure>

![](e.png)

<video src="clip.mp4" poster="f.png"></video>
![](other.webm)
"""
    assert markdown(text) == [
        Reference("a.png", "first", heading_path=("One",)),
        Reference("b.png", heading_path=("One",)),
        Reference("c.png", "third", caption="A bold caption", heading_path=("One", "Two")),
        Reference("d.png", caption="Written *in* Markdown", heading_path=("One", "Two")),
        Reference("e.png", heading_path=("One", "Two")),
        Reference("clip.mp4", heading_path=("One", "Two"), kind_hint="video"),
        Reference("f.png", heading_path=("One", "Two")),
        Reference("other.webm", heading_path=("One", "Two"), kind_hint="video"),
    ]


def test_html_images_and_videos_come_in_order_with_what_is_said_about_them():
    text = """<!doctype html><head><title>x</title></head><body>
<img src="logo.png" alt="Logo">
<h1>The <em>coast</em></h1>
<p><img src="boat.jpg" alt=" A
 boat " title="At noon"></p>
<h2>Film</h2>
<figure><figcaption>Sunrise &amp; sea</figcaption>
<video poster="first.jpg" aria-label="The sun rises"><source src="sun.mp4"><source src="sun.webm"></video></figure>
<video title="Waves" src="waves.mov"></video>
<h3>Detail</h3><img src="detail.png">
<h2>Lazy</h2>
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" data-src="lazy.png">
<img srcset="small.png 1x, large.png 2x">
<picture><source srcset="wide.avif 2x"><img src="wide.jpg" alt="wide"></picture>
<picture><source srcset="only.webp"><img alt="only"></picture>
<audio><source src="sound.mp3"></audio>
<script>document.write('<img src="no.png">')</script>
<template><img src="no.png"></template>
<!-- <img src="no.png"> -->
<noscript><img src="noscript.png"></noscript>
<img src="boat.jpg" alt="again"><img><img src="  ">
"""
    film = ("The coast", "Film")
    lazy = ("The coast", "Lazy")
    assert html(text) == [
        Reference("logo.png", "Logo"),
        Reference("boat.jpg", "A boat", "At noon", heading_path=("The coast",)),
        Reference("sun.mp4", "The sun rises", caption="Sunrise & sea", heading_path=film, kind_hint="video"),
        Reference("first.jpg", "The sun rises", caption="Sunrise & sea", heading_path=film),
        Reference("waves.mov", "Waves", "Waves", heading_path=film, kind_hint="video"),
        Reference("detail.png", heading_path=("The coast", "Film", "Detail")),
        Reference("lazy.png", heading_path=lazy),
        Reference("large.png", heading_path=lazy),
        Reference("wide.jpg", "wide", heading_path=lazy),
        Reference("only.webp", "only", heading_path=lazy),
        Reference("noscript.png", heading_path=lazy),
    ]


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("https://a.test/x/", "y.png", "https://a.test/x/y.png"),
        ("https://a.test/x/", "//b.test/y.png", "//b.test/y.png"),
        ("/assets/", "y.png", "/assets/y.png"),
        ("assets/", "y.png", "assets/y.png"),
        ("https://a.test/", "https://b.test/y.png", "https://b.test/y.png"),
        ("https://[", "y.png", "y.png"),
    ],
)
def test_a_base_is_respected(base, url, joined):
    found = html(f'<img src="{url}"><base href="{base}"><base href="https://second.test/">')
    if joined.startswith("//"):
        joined = "https:" + joined  # the base decides the scheme
    assert urls(found) == [joined]


def test_what_an_author_has_written_is_not_rewritten():
    written = ["a b.png", "ä%20b.png?x=1&y=2#z", "javascript:alert(1)", "HTTP://A.test/%7Ex.png"]
    assert urls(markdown("".join(f"![](<{url}>)\n" for url in written))) == written
    assert urls(html('<img src="x.png?a=1&amp;b=2"><img src="\nx\ty.png ">')) == ["x.png?a=1&b=2", "xy.png"]


def test_the_declared_and_the_given_encoding_count():
    page = '<meta charset="gb2312"><h1>水库</h1><img src="水.png" alt="红色的谷仓">'
    assert html(page.encode("gbk")) == [Reference("水.png", "红色的谷仓", heading_path=("水库",))]
    assert markdown("![été](é.png)".encode("cp1252"), "cp1252")[0].alt == "été"
    with pytest.raises(DocumentError, match=r"docs/a\.md"):
        markdown(b"![](a.png)\xff", "utf-8")


@pytest.mark.parametrize(
    "text", ["", "no picture", "<h1>x</h1>", "![", "![]()", "![]", "<img", "<img>", "<video>", "<!"]
)
def test_a_document_without_pictures_has_none(text):
    assert markdown(text) == []
    assert html(text) == []


def test_other_documents_have_none():
    assert references("![](a.png)", "text/plain", "a.txt") == []


@settings(max_examples=150, deadline=2_000)
@given(
    st.lists(
        st.sampled_from([*PIECES, "\n\n", " "]),
        max_size=40,
    )
)
def test_any_markup_is_survived_and_no_address_comes_twice(pieces):
    for found in (markdown("".join(pieces)), html("".join(pieces))):  # no nesting is that deep
        assert all(urls(found))
        assert len(set(urls(found))) == len(found)


@pytest.mark.parametrize(
    "text",
    [
        "<figure><img src=a>" * 3_000 + "<figcaption>x",
        "<img src=a>" + "<!--" * 10_000,
        "<img src=a><a b='" + "<a b='" * 5_000,
        "<img src=a>" + "<![x[" * 3_000,
        "<img src=a>" + "<h1>" * 5_000,
        "![](a)" + "![a](" * 4_000,
    ],
)
def test_hostile_pages_take_no_more_time_than_others(text):
    began = time.perf_counter()
    for read in (html, markdown):
        with suppress(DocumentError):  # nested too deep
            read(text)
    assert time.perf_counter() - began < 6  # quadratic work would take minutes


@pytest.mark.parametrize(
    ("url", "document", "resolved"),
    [
        ("https://a.test/x.png?v=1#f", "docs/a.md", "https://a.test/x.png?v=1#f"),
        ("HTTP://a.test/x.png", "docs/a.md", "HTTP://a.test/x.png"),
        ("//a.test/x.png", "docs/a.md", "https://a.test/x.png"),
        ("x.png", "a.md", "x.png"),
        ("x.png", "docs/a.md", "docs/x.png"),
        ("./p/../x.png", "docs/a.md", "docs/x.png"),
        ("../x.png", "docs/a.md", "x.png"),
        ("/p/x.png", "docs/deep/a.md", "p/x.png"),
        ("p\\x.png", "docs/a.md", "docs/p/x.png"),
        ("white%20sheep.png?raw=true#top", "a.md", "white sheep.png"),
        ("%E7%BE%8A.png", "a.md", "羊.png"),
        ("100%.png", "a.md", "100%.png"),
        (" x.png\n", "a.md", "x.png"),
        ("data:image/png;base64,AAAA", "a.md", "data:image/png;base64,AAAA"),
        ("DATA:Image/png,x", "a.md", "DATA:Image/png,x"),
        ("x.png", "https://a.test/d/a.html?q", "https://a.test/d/x.png"),
        ("/x.png", "https://a.test/d/a.html", "https://a.test/x.png"),
        ("//b.test/x.png", "http://a.test/", "https://b.test/x.png"),
    ],
)
def test_what_can_be_fetched_is_resolved(url, document, resolved):
    assert resolve(url, document) == resolved


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "#top",
        "?x",
        ".",
        "..",
        "/",
        "../../x.png",
        "../../../etc/passwd",
        "%2e%2e/%2e%2e/x.png",
        "..\\..\\x.png",
        "/../x.png",
        "x%00.png",
        "x%0a.png",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "mailto:a@b.test",
        "file:///etc/passwd",
        "ftp://a.test/x.png",
        "data:text/html,<p>",
        "data:video/mp4;base64,AAAA",
        "C:\\x.png",
        "blob:x",
        "//",
        "//[",
        "https:",
    ],
)
def test_what_must_not_be_fetched_is_empty(url):
    expected = url if url == "https:" else ""  # no host: the client refuses it with its own words
    assert resolve(url, "docs/a.md") == expected


@pytest.mark.parametrize(
    ("url", "root", "resolved"),
    [
        ("x.png", "../docs", "../docs/deep/x.png"),
        ("../x.png", "../docs", "../docs/x.png"),
        ("../../x.png", "../docs", ""),
        ("../../docs2/x.png", "../docs", ""),
        ("/x.png", "../docs", "../docs/x.png"),
        ("/../x.png", "../docs", ""),
        ("x.png", "", ""),
    ],
)
def test_a_source_outside_the_spec_folder_has_its_own_root(url, root, resolved):
    assert resolve(url, "../docs/deep/a.md", root) == resolved


@given(st.text(alphabet="./\\%2eEfF:?#ab[]\x00", max_size=25), st.sampled_from(["a.md", "d/a.md", "d/e/a.md"]))
def test_no_path_leaves_the_root(url, document):
    resolved = resolve(url, document)
    # A file may be called ..2, which leads nowhere else.
    assert ":" in resolved or not (resolved.startswith(("/", "../")) or resolved == "..")
    assert "\x00" not in resolved


@given(st.binary(max_size=200))
def test_a_data_url_gives_its_bytes_back(data):
    encoded = base64.b64encode(data).decode()
    assert data_url("data:image/png;base64," + encoded) == data
    assert data_url("DATA:image/png;charset=x;BASE64," + encoded.rstrip("=")) == data
    assert data_url("data:;base64," + "\n".join(encoded).replace("+", "%2B")) == data


def test_a_data_url_may_be_percent_encoded():
    assert data_url("data:text/plain,a%20b,c") == b"a b,c"


@pytest.mark.parametrize("url", ["", "x.png", "data:image/png;base64", "http://a/,b"])
def test_what_is_no_data_url_is_refused(url):
    with pytest.raises(InputError, match="has the form"):
        data_url(url)


@pytest.mark.parametrize("payload", ["A", "!!!!", "AA=A", "AAA-"])
def test_damaged_base64_is_refused(payload):
    with pytest.raises(InputError, match="damaged"):
        data_url("data:image/png;base64," + payload)


def test_a_data_url_is_limited_in_length():
    url = "data:image/png;base64," + "AAAA" * 20
    assert data_url(url, max_length=len(url)) == bytes(60)
    with pytest.raises(InputError, match=f"{len(url)} characters, more than {len(url) - 1}"):
        data_url(url, max_length=len(url) - 1)
