"""Navigation, banners and footers are no text; what looks like them and is not stays."""

import pytest
from parsing import read

from relance.parsers.html import read_page

BODY = "<p>The pump moves water from the lower to the upper tank. It has two valves, and one motor.</p>" * 12
SHOWN = "\n\n".join(["The pump moves water from the lower to the upper tank. It has two valves, and one motor."] * 12)
LINKS = "".join(f'<li><a href="/p{n}">Other page {n}</a></li>' for n in range(12))


def shown(page):
    return read("a.html", f"<html><body>{page}</body></html>").text


@pytest.mark.parametrize(
    "furniture",
    [
        f"<nav><ul>{LINKS}</ul></nav>",
        f"<div role=navigation><ul>{LINKS}</ul></div>",
        f"<div class='main-menu'><ul>{LINKS}</ul></div>",
        f"<div id=sidebar><h3>Recent</h3><ul>{LINKS}</ul></div>",
        f"<div id=left><ul>{LINKS}</ul></div>",
        "<div class=breadcrumbs><a href=/>Home</a> » <a href=/d>Docs</a></div>",
        "<div class=related><h3>Navigation</h3><ul><li><a href=n>next</a><li><a href=p>previous</a></ul></div>",
        "<div class=navheader><table><tr><th colspan=2>Pump</th></tr><tr><td><a href=a>Prev</a><td><a href=b>Next</a></table></div>",
        "<header><a href=/><img alt=Logo src=l.png></a><span>The pump company</span></header>",
        "<footer><p>© 2026 The pump company. All rights reserved.</p></footer>",
        "<div id=footer><p>© 2026 The pump company. All rights reserved.</p></div>",
        "<aside><h3>Newsletter</h3><p>Get it every week.</p></aside>",
        "<div id=cookie-banner><p>We value your privacy and use cookies.</p><button>Accept all</button></div>",
        "<div class='cc-window'><span>This website uses cookies.</span><a class=cc-btn role=button>Got it!</a></div>",
        "<div id=CybotCookiebotDialog><p>This website uses cookies.</p><a href=/c>Details</a><button>OK</button></div>",
        "<div class=breadcrumbs><a href=/>Home</a> › Pumps and other machines</div>",
        "<div class=share-buttons><a href=//t.example>Tweet</a><a href=//f.example>Share</a></div>",
        "<section class='related-posts'><h2>Related posts</h2><ul><li><a href=/1>Ten pumps compared</a></ul></section>",
        "<form role=search><input name=q><button>Search</button></form>",
        "<div class='newsletter'><p>Our best articles by mail.</p><form><input type=email><button>Subscribe</button></form></div>",
        "<a class='skip-link' href='#main'>Skip to content</a><div class=toolbar><a href=/e>Edit</a></div>",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "frame",
    ["{0}<h1>Pump</h1>{1}", "{0}<main><h1>Pump</h1>{1}</main>", "<div>{0}</div><article><h1>Pump</h1>{1}</article>{0}"],
)
def test_navigation_and_banners_are_left_out(frame, furniture):
    text = shown(frame.format(furniture, BODY))
    assert text.replace("Skip to content", "").strip() == f"# Pump\n\n{SHOWN}"


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ("<div class=menu><h2>Lunch</h2><p>Soup 4 €, fish 12 €</p></div>", "## Lunch\n\nSoup 4 €, fish 12 €"),
        ("<section id=cookies><h2>Cookies</h2><p>A cookie is set by <code>set</code>.</p></section>", "## Cookies\n\nA cookie is set by `set`."),
        ("<section id=comments><h2>Comments</h2><p>begin with a hash.</p></section>", "## Comments\n\nbegin with a hash."),
        ("<section id='method.share'><h3>share</h3><p>Shares a handle.</p></section>", "### share\n\nShares a handle."),
        ("<aside class=footnote><p>[1] As measured in May.</p></aside>", "[1] As measured in May."),
        ("<aside class='admonition note'><p>Close the valve first.</p></aside>", "Close the valve first."),
        ("<table class=related><tr><th>Related<th>Use<tr><td><a href=a>valve</a><td><a href=b>open</a></table>", "| Related | Use |\n|---|---|\n| valve | open |"),
        ("<h2>See also</h2><ul><li><a href=a>Valves</a><li><a href=b>Motors</a></ul>", "## See also\n\n- Valves\n- Motors"),
        ("<section class=notice-box><p>Privacy: the number is not stored.</p></section>", "Privacy: the number is not stored."),
    ],
)  # fmt: skip
def test_what_is_text_stays_whatever_its_name(kept, text):
    assert shown(f"<main><h1>Pump</h1>{BODY}{kept}</main>") == f"# Pump\n\n{SHOWN}\n\n{text}"


def test_a_header_with_the_title_and_an_introduction_stays():
    page = f"<header><nav><a href=/>Home</a></nav><h1>Pump</h1><p>How it works.</p></header>{BODY}"
    assert shown(page) == f"# Pump\n\nHow it works.\n\n{SHOWN}"


def test_a_title_above_the_main_part_comes_first():
    page = f"<header><a href=/>ACME</a><h1>Pump</h1></header><main>{BODY}</main>"
    assert shown(page) == f"# Pump\n\n{SHOWN}"
    assert read("a.html", page).title == "Pump"


def test_a_page_that_is_all_navigation_is_its_links():
    assert shown(f"<nav><h2>Pages</h2><ul>{LINKS}</ul></nav>").startswith("## Pages\n\n- Other page 0\n- Other page 1")


def test_an_empty_main_does_not_hide_the_page():
    assert SHOWN in shown(f"<main></main><div>{BODY}</div>")
    assert SHOWN in shown(f"<main><p>Loading</p></main><div>{BODY}</div>")


def test_several_articles_are_all_there():
    page = "".join(f"<article><h2>Day {n}</h2><p>Rain again.</p></article>" for n in range(3))
    assert shown(page).count("Rain again.") == 3


def test_a_page_of_a_book_or_mail_is_read_whole():
    page = f"<body><header>Part one</header><h1>Pump</h1>{BODY}<aside>1. As measured in May.</aside></body>"
    assert read_page(page, "a", whole=True).text == f"Part one\n\n# Pump\n\n{SHOWN}\n\n1. As measured in May."


def test_comments_of_readers_are_left_out_with_a_word():
    parsed = read(
        "a.html",
        f"<article><h1>Pump</h1>{BODY}</article><section id=comments><h2>2 comments</h2><p>Nice!</p><textarea></textarea></section>",
    )
    assert "Nice" not in parsed.text
    assert parsed.warnings == ("reader comments are left out",)
