"""What documents say is shown and never obeyed: no script, no markup, no address but of the web."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from tests.explore.conftest import Page, Visitor

from relance.config import IndexSpec
from relance.documents import document_id
from relance.explore.blocks import marked
from relance.explore.reading import UNSEEN, flowing, plain
from relance.explore.templates import link
from relance.index import Index

BAD = "<script>alert(1)</script><img src=x onerror=alert(2)>"
NAME = "<svg onload=alert(3)>\"'.md"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(4)</script></svg>'
MARKDOWN = f"""---
title: "{BAD}"
year: 2020
home: "javascript:alert(5)"
link: "https://example.org/?a=1&b=2"
evil: "https://user@evil.example/"
data: "data:text/html,{BAD}"
tags: ["{BAD}"]
---
# {BAD}

water [click](javascript:alert(6)) {BAD}

<iframe src="javascript:alert(7)"></iframe><base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example">

{{{{ 7 * 7 }}}} {{% raw %}} &lt;script&gt; </main></html>
"""
KNOWN = {
    "html", "head", "meta", "title", "link", "body", "a", "header", "svg", "rect", "path", "circle", "span", "nav", "ul",
    "ol", "li", "form", "label", "input", "main", "footer", "p", "h1", "h2", "h3", "section", "div", "details", "summary",
    "fieldset", "legend", "select", "option", "datalist", "code", "button", "mark", "strong", "article", "aside", "dl", "dt",
    "dd", "table", "thead", "tbody", "tr", "th", "td", "time", "pre", "figure", "figcaption", "img", "video", "caption",
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, emulator_server: Any) -> Index:
    """An index of documents, names, captions and pictures that attack whoever shows them."""
    from PIL import Image, PngImagePlugin

    emulator_server.reset()  # another test may have left faults in it
    folder = tmp_path_factory.mktemp("hostile")
    docs = folder / "docs"
    docs.mkdir()
    (docs / NAME).write_text(MARKDOWN)
    (docs / "page.html").write_text(f"<title>{escape(BAD)}</title><h1>water</h1><p>{escape(BAD)} water {BAD}</p>")
    (docs / "plain.txt").write_text(f"water {BAD}")
    (docs / "broken<img src=x onerror=alert(8)>.docx").write_bytes(b"x")
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", BAD)
    stream = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(stream, "PNG", pnginfo=info)
    (docs / "<b>red.png").write_bytes(stream.getvalue() + BAD.encode())
    (docs / "drawing.svg").write_text(SVG)
    (docs / "lie.png").write_text(SVG)
    row = {
        "id": BAD,
        "url": "<b>red.png",
        "caption": f"red {BAD}",
        "text": f"water {BAD}",
        "note": "javascript:alert(9)",
    }
    (docs / "rows.jsonl").write_text(json.dumps(row))
    embedding = {"base_url": f"{emulator_server.url}/api/v1", "model": "dashscope/tongyi-embedding-vision-plus"}
    index = Index(
        IndexSpec.model_validate(
            {
                "name": "hostile",
                "description": BAD,
                "sources": [
                    {
                        "type": "files",
                        "root": str(docs),
                        "rows": {
                            "id": "id",
                            "url": "url",
                            "text": ["text"],
                            "caption": "caption",
                            "metadata": ["note"],
                        },
                    }
                ],
                "embedding": {"model": "fake/hash"},
                "media": {"embedding": embedding},
                "store": {"uri": str(folder / "db")},
                "folder": folder,
            }
        )
    )
    index.ingest()
    return index


@pytest.fixture(scope="module")
def target(open_page: Callable[[Index], Visitor], hostile: Index) -> Visitor:
    return open_page(hostile)


def pages(target: Visitor, index: Index) -> list[str]:
    """Name every page that shows anything of a document."""
    uris = [row["uri"] for row in index.table().search().where("active").select(["uri"]).limit(None).to_list()]
    media = [
        row["uri"] for row in index.table(media=True).search().where("active").select(["uri"]).limit(None).to_list()
    ]
    assert len(uris) >= 4
    assert len(media) >= 2
    texts = [f"/documents/{document_id(uri)}" for uri in uris]
    run = index.runs()[0].run_id
    query = str(
        target.client.build_request("GET", "/", params={"q": f"water {BAD}", "explain": "1"}).url.raw_path, "ascii"
    )
    like = str(target.client.build_request("GET", "/", params={"like": f"docs/{NAME}"}).url.raw_path, "ascii")
    bad = str(
        target.client.build_request("GET", "/", params={"q": BAD, "filter": BAD, "type": BAD}).url.raw_path, "ascii"
    )
    find = str(target.client.build_request("GET", "/documents", params={"find": BAD}).url.raw_path, "ascii")
    return ["/", query, like, bad, find, "/?q=red&kind=media", "/documents", "/documents?kind=media", "/failures",
            f"/failures?find={BAD}", f"/runs/{run}", "/status", "/map", f"/{BAD}", *texts,
            *(f"/media/{document_id(uri)}" for uri in media)]  # fmt: skip


def test_no_page_has_an_element_of_a_document(target: Visitor, hostile: Index) -> None:
    for path in pages(target, hostile):
        response = target.get(path)
        assert response.status_code in {200, 400, 404}, path
        page = Page(response.text)
        assert {tag for tag, _ in page.elements} <= KNOWN, path
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on")], (path, tag)
            assert "style" not in attributes, (path, "the policy would not let it work")
            for name in ("href", "src", "action", "formaction", "poster", "data"):
                address = attributes.get(name)
                assert address is None or address.startswith(("/", "#", "https://example.org/")), (path, tag, address)
            if (attributes.get("href") or "").startswith("http"):
                assert attributes["rel"] == "noopener noreferrer nofollow"
        assert "49" not in response.text.partition("7 * 7")[0][-5:], "nor is it a template"
        refresh = [meta for meta in page.all("meta") if meta.get("http-equiv")]
        assert not refresh, path


def test_what_is_hostile_is_shown_as_words(target: Visitor) -> None:
    page = target.page(f"/documents/{document_id('docs/' + NAME)}")
    assert "<script>alert(1)</script>" in page.words
    assert "{{ 7 * 7 }}" in page.words
    assert "javascript:alert(5)" in page.words
    assert "https://example.org/?a=1&b=2" in page.links()


def test_a_drawing_is_never_sent_as_one(target: Visitor, hostile: Index) -> None:
    reasons = {failure.uri: failure.reason for failure in hostile.failures()}
    assert "docs/lie.png" in reasons
    media = hostile.table(media=True).search().where("active").select(["uri"]).limit(None).to_list()
    for row in media:
        response = target.get(f"/media/{document_id(row['uri'])}/picture")
        assert response.headers["content-type"] == "image/webp"
        assert b"script" not in response.content
        assert "sandbox" in response.headers["content-security-policy"]
    for name in ("drawing.svg", "lie.png"):
        for kind in ("documents", "media"):
            for what in ("", "/file", "/picture", "/video"):
                assert target.get(f"/{kind}/{document_id('docs/' + name)}{what}").status_code == 404


def test_a_picture_that_became_a_drawing_is_not_sent(target: Visitor, hostile: Index) -> None:
    path = Path(hostile.spec.path("docs/<b>red.png"))
    doc_id, before = document_id("docs/<b>red.png"), path.read_bytes()
    try:
        path.write_text(SVG)
        assert target.get(f"/media/{doc_id}/picture").status_code == 404
        assert target.get(f"/media/{doc_id}/video").status_code == 404
        response = target.get(f"/media/{doc_id}/file")
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"].startswith("attachment")
    finally:
        path.write_bytes(before)


def test_a_download_is_kept_and_never_shown(target: Visitor) -> None:
    for name in (NAME, "page.html", "plain.txt"):
        response = target.get(f"/documents/{document_id('docs/' + name)}/file")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"].startswith("attachment; filename")
        assert "\n" not in response.headers["content-disposition"]
        assert "sandbox" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x",
     "vbscript:x", "file:///etc/passwd", "//evil.example", "/status", "", "https:", "http://", "https://[", "ftp://a/b",
     "https://a b/", 'https://a/"onclick="x', "https://user:pass@evil.example/", "https:\\\\evil.example", 5, None],
)  # fmt: skip
def test_only_addresses_of_the_web_are_links(value: Any) -> None:
    assert link(value) == ""


def test_an_address_of_the_web_is_a_link() -> None:
    for address in ("https://example.org/a?b=1#c", "http://localhost:8000/", "https://例え.jp/水"):
        assert link(address) == address


@given(st.text())
def test_a_link_begins_with_http(text: str) -> None:
    assert link(text) in ("", text)
    assert link("javascript:" + text) == ""


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)


@given(st.text(max_size=50), spans, st.none() | st.tuples(st.integers(0, 30), st.integers(0, 60)))
def test_marking_escapes_everything_and_loses_nothing(
    text: str, found: list[tuple[int, int]], window: tuple[int, int] | None
) -> None:
    html = str(marked(text, sorted(found), window))
    start, end = window or (0, len(text))
    plain = html.replace("<mark>", "").replace("</mark>", "")
    assert plain.removeprefix("… " if start > 0 else "").removesuffix(" …" if end < len(text) else "") == str(
        escape(text[start:end])
    )
    assert html.count("<mark>") == html.count("</mark>")


def test_marks_stand_where_they_belong() -> None:
    assert str(marked("a<b>c", [(0, 1), (2, 3)])) == "<mark>a</mark>&lt;<mark>b</mark>&gt;c"
    assert str(marked("one two three", [(0, 3), (4, 7), (8, 13)], (4, 7))) == "… <mark>two</mark> …"


@given(st.text(alphabet="ab 水\n#|-`<1.[]:", max_size=80))
def test_flowing_text_is_as_long_and_has_the_same_words(text: str) -> None:
    flowed = flowing(text, "text/markdown")
    assert len(flowed) == len(text)
    strip = {ord(sign): None for sign in " \n\u200b"}
    assert flowed.translate(strip) == text.translate(strip)
    assert flowing(text, "text/plain") == text
    assert len(plain(text, "text/markdown")) == len(text)
    assert plain(text, "text/plain") == plain(text, "text/x-python") == text


def test_signs_of_markdown_are_hidden_in_excerpts() -> None:
    text = plain("## Why\n\n**Because** of #1", "text/html")
    assert text.replace("\u2060", "") == "   Why\n\nBecause of #1"


def test_of_a_picture_in_a_text_only_its_words_are_shown() -> None:
    text = "See ![a red boat](../pictures/boat.png) and ![](x_(1).png). `a[i](boat)`"
    hidden = plain(text, "text/markdown")
    assert len(hidden) == len(text)
    assert hidden.replace(UNSEEN, "") == "See a red boat and . `a[i](boat)`"
    spans = [(found.start(), found.end()) for found in re.finditer("boat", text)]
    assert str(marked(hidden, spans)).count("<mark>") == 2, "nothing that is hidden is marked"


def test_broken_lines_run_on_and_others_stay() -> None:
    text = "# One\ntwo\nthree\n\n- a\n  b\n- c\n\n| x |\n| y |\n\n```\n1\n2\n```\n水\n位"
    assert flowing(text, "text/markdown").replace("\u200b", "") == (
        "# One\ntwo three\n\n- a b\n- c\n\n| x |\n| y |\n\n```\n1\n2\n```\n水位"
    )
