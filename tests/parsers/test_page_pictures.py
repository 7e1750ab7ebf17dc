"""Pages as they are: lazy loading, sizes, placeholders, previews, and the words that stand with each picture."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.parsers import Raw, Reference, installed_parsers

BLANK_GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
PLACEHOLDER = "placeholder in a page until its picture is loaded"
TRACKER = "spacer or tracking pixel of a page"
DRAWING = "drawing without pixels (SVG)"


def references(text, media_type="text/html"):
    return installed_parsers().references(Raw(text.encode(), "docs/a", media_type))


def shown(text, media_type="text/html"):
    return [each for each in references(text, media_type) if not each.ignored]


def urls(text, media_type="text/html"):
    return [each.url for each in shown(text, media_type)]


def ignored(text, media_type="text/html"):
    return {each.url: each.ignored for each in references(text, media_type) if each.ignored}


def test_a_shop_that_loads_lazily_shows_each_picture_with_its_own_caption():
    page = """<h1>Shop</h1>
<img class="lazy" src="http://a.test/pink.png" data-src="http://a.test/20.jpg" alt="Red running shoe">
<img class="lazy" src="http://a.test/pink.png" data-src="http://a.test/21.jpg" alt="Blue hiking boot">
<img class="lazy" src="http://a.test/pink.png" data-src="http://a.test/22.jpg" alt="Green sandal">
<img data-original="http://a.test/23.jpg" alt="Yellow slipper">"""
    assert [(each.url, each.alt) for each in references(page)] == [
        ("http://a.test/20.jpg", "Red running shoe"),
        ("http://a.test/21.jpg", "Blue hiking boot"),
        ("http://a.test/22.jpg", "Green sandal"),
        ("http://a.test/23.jpg", "Yellow slipper"),
    ]


@pytest.mark.parametrize(
    ("markup", "url"),
    [
        ('<img src="p.png" data-src="a.jpg">', "a.jpg"),
        ('<img src="p.png" data-original="a.jpg">', "a.jpg"),
        ('<img src="p.png" data-lazy-src="a.jpg">', "a.jpg"),
        ('<img src="p.png" data-srcset="s.jpg 300w, a.jpg 900w">', "a.jpg"),
        ('<img src="p.png" data-src="s.jpg" data-srcset="a.jpg 900w, s.jpg 300w">', "a.jpg"),
        ('<img src="p.png" data-lazy-srcset="a.jpg">', "a.jpg"),
        ('<img src="a.jpg" data-src="{{ picture.url }}">', "a.jpg"),
        ('<img src="a.jpg" data-src="">', "a.jpg"),
        ('<img data-src="//cdn.test/x_{width}x.jpg" data-widths="[180, 900, 2400]">', "//cdn.test/x_900x.jpg"),
        ('<img src="s.jpg" srcset="s.jpg 400w, a.jpg 1600w, xl.jpg 4000w" sizes="100vw">', "a.jpg"),
        ('<img src="s.jpg" srcset="xl.jpg 4000w, a.jpg 2100w">', "s.jpg"),
        ('<img srcset="xl.jpg 4000w, a.jpg 2100w">', "a.jpg"),
        ('<img src="s.jpg" srcset="s.jpg 1x, a.jpg 2x">', "a.jpg"),
        ('<img src="s.jpg" width=600 srcset="s.jpg, a.jpg 1.5x, xl.jpg 4x">', "a.jpg"),
        ('<img src="spacer.gif" srcset="a.jpg">', "a.jpg"),
        ('<img srcset="a,b.jpg 2x, c.jpg">', "a,b.jpg"),
        ('<img srcset="data:image/png;base64,iVBORw0KGgo= 1x, a.jpg 2x">', "a.jpg"),
        ('<picture><source srcset="b.avif 2x"><img src="a.jpg"></picture>', "a.jpg"),
        ('<picture><source srcset="a.webp"><img alt="x"></picture>', "a.webp"),
        ('<picture><source srcset="a.webp"><source srcset="b.webp"><img src="data:,"></picture>', "a.webp"),
        ('<picture><source type="image/avif" srcset="b.avif 9w"><source type="image/jpeg" srcset="a.jpg 9w"><img src="s.jpg">',
         "a.jpg"),
        ('<picture><source media="(max-width: 600px)" srcset="crop.jpg 1600w"><img src="a.jpg"></picture>', "a.jpg"),
        ('<picture><source data-srcset="a.jpg"><img src="' + BLANK_GIF + '"></picture>', "a.jpg"),
        ('<amp-img src="a.jpg" width=300 height=200 layout=responsive></amp-img>', "a.jpg"),
        ('<amp-anim src="a.gif"></amp-anim>', "a.gif"),
        ('<div style="color: red; background-image: url(\'a.jpg\')"></div>', "a.jpg"),
        ('<div style="background: #fff url(a.jpg) no-repeat"></div>', "a.jpg"),
        ('<div data-bg="a.jpg"></div>', "a.jpg"),
        ('<div data-bg="url(&quot;a.jpg&quot;)"></div>', "a.jpg"),
        ('<div data-background-image="a.jpg"></div>', "a.jpg"),
        ('<div data-bgset="s.jpg 200w, a.jpg 900w"></div>', "a.jpg"),
        ('<video data-src="a.mp4"></video>', "a.mp4"),
        ('<amp-video src="a.mp4"></amp-video>', "a.mp4"),
    ],
)  # fmt: skip
def test_the_best_of_what_an_element_names_is_taken(markup, url):
    assert urls(markup) == [url]


@pytest.mark.parametrize(
    "markup",
    [
        '<div style="background: linear-gradient(red, blue)"></div><img>',
        '<div style="--x: url(a.jpg)"></div><img>',
        '<div data-background="true"></div><img>',
        '<div data-bg="{{ x }}"></div><img>',
        '<img src="{{ x }}"><img srcset=", ,">',
        '<img srcset="{a} 2x">',
        '<div data-bar="a.jpg"></div><img>',
    ],
)
def test_what_is_no_address_is_none(markup):
    assert references(markup) == []


@pytest.mark.parametrize(
    ("markup", "url"),
    [
        # Which of the two is whole is not known; the one for scripts is the larger more often.
        ('<img data-src="a.jpg?w=1200" alt="A"><noscript><img src="a.jpg?w=400" alt="A"></noscript>', "a.jpg?w=1200"),
        ('<img data-src="a.jpg" alt="A"><noscript><img src="b.jpg"></noscript>', "a.jpg"),
        ('<noscript><img src="b.jpg" alt="A"></noscript><img data-src="a.jpg" alt="A">', "a.jpg"),
        ('<img src="a.jpg" alt="A"><noscript><img src="a.jpg" alt="A"></noscript>', "a.jpg"),
        (f'<img src="{BLANK_GIF}" alt="A"><noscript><img src="a.jpg" alt="A"></noscript>', "a.jpg"),
        ('<img src="data:image/jpeg;base64,/9j/blurred" alt="A"><noscript><img src="a.jpg" alt="A"></noscript>', "a.jpg"),
        (f'<picture><source data-srcset="a.jpg"><img src="{BLANK_GIF}"></picture><noscript><img src="b.jpg"></noscript>',
         "a.jpg"),
        ('<amp-img src="a.jpg"><noscript><img src="b.jpg"></noscript></amp-img>', "a.jpg"),
        ('<amp-img src="a.jpg"><amp-img placeholder src="tiny.jpg"></amp-img></amp-img>', "a.jpg"),
    ],
)  # fmt: skip
def test_a_picture_and_its_twin_for_browsers_without_scripts_are_one(markup, url):
    assert urls(markup) == [url]


def test_a_picture_beside_a_noscript_that_is_not_its_twin_stays():
    page = '<noscript><img src="a.jpg"></noscript><img data-src="b.jpg" alt="B"><noscript><img src="c.jpg" alt="C"></noscript>'
    assert urls(page) == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        (f'<img src="{BLANK_GIF}" alt="Red shoe">', PLACEHOLDER),
        ('<img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk">', PLACEHOLDER),
        ("<img src=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E\">", DRAWING),
        ('<img src="/img/logo.SVG?v=2" alt="Logo">', DRAWING),
        ('<img src="/img/spacer.gif" alt="Red shoe">', PLACEHOLDER),
        ('<img src="/img/blank.png">', PLACEHOLDER),
        ('<img src="placeholder-300.jpg" alt="Shoe">', PLACEHOLDER),
        ('<img src="loading.gif" alt="Shoe">', PLACEHOLDER),
        ('<img src="https://t.test/pixel">', TRACKER),
        ('<img src="https://t.test/pixel.gif?u=1" alt="x">', PLACEHOLDER),
        ('<img src="https://www.facebook.com/tr?id=1&ev=PageView" alt="x">', TRACKER),
        ('<img src="a.jpg" width="1" height="1">', TRACKER),
        ('<img src="a.jpg" width="2px" height="40">', TRACKER),
        ('<img src="a.jpg" height=0>', TRACKER),
        ('<img src="a.jpg" style="border:0; width: 1px">', TRACKER),
    ],
)
def test_what_is_no_picture_of_anything_is_ignored_with_a_reason(markup, reason):
    assert urls(markup) == []
    assert list(ignored(markup).values()) == [reason]


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="pixel.png" alt="A Pixel phone">',
        '<img src="a.jpg" width="100%" height="auto">',
        '<img src="a.jpg" width="30" style="width: 1.2.3px">',
        '<img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAD0lEQVR4nGP8">',
        '<img src="data:image/gif;base64,????">',
        '<img src="data:image/gif,GIF89a">',
        '<img src="data:image/jpeg;base64,/9j/4AAQ">',
        '<img src="clear-sky.jpg">',
    ],
)
def test_what_may_be_a_picture_is_not_ignored(markup):
    assert len(urls(markup)) == 1


@given(st.text(alphabet=string.printable, max_size=80))
def test_any_inline_picture_is_survived(payload):
    data = base64.b64encode(payload.encode()).decode()
    for url in (f"data:image/gif;base64,{data}", f"data:image/png;base64,{payload}".replace('"', "")):
        assert len(references(f'<img src="{url}">')) == 1


def test_the_preview_of_a_page_counts_where_it_shows_no_picture():
    head = '<head><title>Title</title><meta property="og:image" content="og.jpg"><meta property="og:title" content="Boots">'
    assert references(f"{head}</head><p>text") == [Reference("og.jpg", title="Boots")]
    assert urls(f'{head}</head><img src="a.jpg">') == ["a.jpg"]
    assert urls(f'{head}</head><img src="spacer.gif">') == ["og.jpg"]
    named = '<meta name="twitter:image" content="t.jpg"><meta name="twitter:image:alt" content="Two boots"><title>T'
    assert references(named) == [Reference("t.jpg", "Two boots", "T")]
    assert references('<link rel="image_src" href="l.jpg"><title>T</title>') == [Reference("l.jpg", title="T")]
    assert references('<meta property="og:image" content="">') == []


CARDS = """<h1>Shop</h1><ul>
<li><a href="/1"><img src="1.jpg"></a><h3>Red shoe</h3><p>30 francs</p>
<li><a href="/2"><img src="2.jpg"></a><h3>Blue boot</h3><p>40 francs</p>
<li><a href="/3" aria-label="Green sandal"><img src="3.jpg"></a>
<li><a href="/4"><img src="4.jpg"> Yellow slipper</a>
</ul>
<table><tr><td><img src="5.jpg"><td>Grey clog<td>50 francs</table>
<div style="background-image: url(6.jpg)"><b>Pink pump</b><script>no()</script></div>
<div><div><h3>Black heel</h3><img src="7.jpg"></div><div><h3>White loafer</h3><img src="8.jpg"></div></div>
<p>Delivery takes two days. <img src="9.jpg"></p>"""


def test_the_words_around_a_picture_are_its_own_card_s_and_not_the_neighbour_s():
    assert {each.url: (each.caption, each.heading_path) for each in references(CARDS)} == {
        "1.jpg": ("Red shoe", ("Shop", "Red shoe")),
        "2.jpg": ("Blue boot", ("Shop", "Blue boot")),
        "3.jpg": ("Green sandal", ("Shop",)),
        "4.jpg": ("Yellow slipper", ("Shop",)),
        "5.jpg": ("Grey clog 50 francs", ("Shop",)),
        "6.jpg": ("Pink pump", ("Shop",)),
        "7.jpg": ("Black heel", ("Shop", "Black heel")),
        "8.jpg": ("White loafer", ("Shop", "White loafer")),
        "9.jpg": ("", ("Shop",)),
    }


def test_an_author_s_words_count_before_those_around():
    page = '<li><a href="/1">In the shop<img src="a.jpg" alt="A shoe"></a></li><li><img src="b.jpg" title="B">text</li>'
    assert [(each.alt, each.title, each.caption) for each in references(page)] == [("A shoe", "", ""), ("", "B", "")]


def test_a_long_article_is_no_caption_nor_is_a_page_with_parts():
    long = f'<div><p>{"word " * 100}</p><img src="a.jpg"></div>'
    parts = '<div><h2>One</h2><p>x</p><img src="a.jpg"><h2>Two</h2></div>'
    assert [each.caption for each in references(long) + references(parts)] == ["", ""]
    assert references(parts)[0].heading_path == ("One",)


def test_a_figure_s_caption_is_that_of_the_inner_one():
    page = """<figure><figure><img src="a.jpg"><figcaption>Inner</figcaption></figure>
<img src="b.jpg"><figcaption>Outer</figcaption></figure>"""
    assert [each.caption for each in references(page)] == ["Inner", "Outer"]


def test_of_an_address_that_is_shown_twice_the_one_with_words_counts():
    assert references('<img src="a.jpg"><p>x</p><img src="a.jpg" alt="A">') == [Reference("a.jpg", "A")]
    assert ignored('<img src="a.jpg" width=1><img src="a.jpg">') == {}


def test_markdown_has_embeds_of_obsidian():
    text = """# Notes
![[picture.png|300]] ![[maps/old map.jpg|A map|300x200]] ![[clip.mp4#t=3]] ![[another note]] [[link.png]]
`![[code.png]]`

| a |
|---|
| ![[table.png\\|200]] |
""".replace("\\\\", "\\")
    assert references(text, "text/markdown") == [
        Reference("picture.png", heading_path=("Notes",), by_name=True),
        Reference("maps/old%20map.jpg", "A map", heading_path=("Notes",), by_name=True),
        Reference("clip.mp4", heading_path=("Notes",), kind_hint="video", by_name=True),
        Reference("table.png", heading_path=("Notes",), by_name=True),
    ]


def test_markdown_is_prose_where_html_would_swallow_it():
    text = "the <title> tag, List<String>, <script>\n\n![a](a.png)\n\n<style>\nx\n\n![b](b.png)\n\n</style>\n\n![c](c.png)\n\n<title>\n\n![d](d.png)"
    assert urls(text, "text/markdown") == ["a.png", "c.png", "d.png"]


def test_what_markdown_s_authors_write_is_not_taken_for_a_spacer():
    assert urls("![](pixel.gif) ![](blank.png) ![](logo.svg)", "text/markdown") == ["pixel.gif", "blank.png"]
    assert ignored("![](logo.svg)", "text/markdown") == {"logo.svg": DRAWING}
    assert ignored('<img src="a.png" width="1" height="1">', "text/markdown") == {"a.png": TRACKER}
