"""What a page says about itself: its title, and typed metadata."""

import pytest
from parsing import read

BODY = "<p>The river gauge reports its level every ten minutes.</p>"


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>Mod — Docs 1.0</title><h1>Mod</h1>", "Mod"),
        ("<title>Mod — Docs 1.0</title>", "Mod — Docs 1.0"),
        ("<title>Mod | ACME</title><meta property=og:site_name content=ACME>", "Mod"),
        ("<title>ACME: Mod</title><meta property=og:site_name content=acme>", "Mod"),
        ("<title>Mod - ACME</title><meta property=og:title content='The Mod'>", "The Mod"),
        ("<title>Mod - Docs</title><h2>Mod</h2>", "Mod"),
        ("<title>SELECT</title><h1>1. Overview</h1>x<h1>2. More</h1>", "SELECT"),
        ("<title>File system | Node</title><h1>Node docs</h1><h2>File system</h2>", "File system"),
        ("<title>Module x</title><h1>The C library</h1><h2>Module x</h2>", "Module x"),
        ("<h2>Only this</h2>", "Only this"),
        ("<title>op — Docs</title><h1><code>op</code> — Operators</h1>", "op — Operators"),
        ("<svg><title>icon</title></svg>", "a"),
        ("<title>a-b test</title>", "a-b test"),
    ],
)
def test_the_title_is_that_of_the_page_and_not_of_the_site(page, title):
    assert read("a.html", page + BODY).title == title


def test_metadata_are_typed():
    page = f"""<html lang="fr"><head><title>Meta</title><meta name="Author" content="Jo"><meta name="keywords"
    content="a, b;a,，"><meta property="article:published_time" content="2024-02-03T10:00:00Z"><meta
    property="article:modified_time" content="2024-03-01"><meta name="description" content=" What  it is "><link
    rel=canonical href="https://x.example/p"><meta property="og:site_name" content="X"></head><h1>T</h1>{BODY}"""
    assert read("a.html", page).metadata == {
        "author": "Jo",
        "published": "2024-02-03T10:00:00+00:00",
        "modified": "2024-03-01",
        "keywords": ["a", "b"],
        "language": "fr",
        "canonical": "https://x.example/p",
        "description": "What it is",
        "site": "X",
    }


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("<meta name=DC.creator content=Ann><meta name=DC.date content=2020>", {"author": "Ann", "published": "2020"}),
        ("<meta name=citation_author content=A><meta name=citation_author content=B>", {"author": "A, B"}),
        ("<meta name=date content='Sat, 03 Feb 2024 10:00:00 GMT'>", {"published": "2024-02-03T10:00:00+00:00"}),
        ("<meta name=date content='February 3, 2024'>", {"published": "2024-02-03"}),
        ("<meta name=date content='2024/02/03'><meta name=date content=soon>", {"published": "2024-02-03"}),
        ("<meta name=date content=soon><meta name=keywords content=' '>", {}),
        ("<meta http-equiv=content-language content=de>", {"language": "de"}),
        ("<meta property=article:tag content=x><meta property=article:tag content=y>", {"keywords": ["x", "y"]}),
        ("<link rel=canonical href=/relative><meta property=og:url content=https://x.example/>", {"canonical": "https://x.example/"}),
        ("<meta property=article:author content=https://x.example/ann>", {}),
    ],
)  # fmt: skip
def test_the_names_that_pages_have_for_them(head, found):
    assert read("a.html", f"<head>{head}</head><body>{BODY}").metadata == found


def test_structured_data_are_read():
    data = """{"@context": "https://schema.org", "@graph": [{"@type": "Organization", "name": "X"}, {"@type":
    ["NewsArticle"], "author": [{"name": "Ann"}, {"name": "Bob"}], "datePublished": "2024-02-03", "keywords": "a,b",
    "dateModified": "2024-02-04T00:00:00+01:00"}]}"""
    page = f'<head><script type="application/ld+json">{data}</script></head><body>{BODY}'
    assert read("a.html", page).metadata == {
        "author": "Ann, Bob",
        "published": "2024-02-03",
        "modified": "2024-02-04T00:00:00+01:00",
        "keywords": ["a", "b"],
    }


@pytest.mark.parametrize(
    "data", ["{", "[" * 5000, "null", '[1, "a", null]', '{"@type": "Article", "author": 3}', '{"@graph": 1}']
)
def test_structured_data_that_are_broken_cost_nothing(data):
    page = f'<script type="application/ld+json">{data}</script><p>x</p>{BODY}'
    assert read("a.html", page).metadata == {}


def test_authors_and_dates_that_are_marked_in_the_text():
    page = f"<article><h1>T</h1><p>by <a rel=author href=/ann>Ann</a>, <time datetime=2024-02-03>today</time></p>{BODY}</article>"
    assert read("a.html", page).metadata == {"author": "Ann", "published": "2024-02-03"}
