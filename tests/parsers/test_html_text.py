"""The text of a page is what a browser shows of it."""

import pytest
from parsing import read


def text_of(body, **options):
    return read("a.html", f"<html><body>{body}</body></html>", **options).text


def test_cards_keep_their_headings_and_their_words_apart():
    cards = "".join(
        f"<div class=card><h3>Person {n}</h3><span>room {n + 100}</span><a href='tel:{n}'>phone {n + 5000}</a></div>"
        for n in range(30)
    )
    parsed = read("a.html", f"<title>Contacts</title><body><h1>Contacts</h1>{cards}")
    assert parsed.title == "Contacts"
    assert parsed.text.startswith("# Contacts\n\n### Person 0\n\nroom 100 phone 5000\n\n### Person 1")
    assert parsed.text.count("\n### ") == 30


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<ul><li>one<li>two<ul><li>deep</ul><li><p>three</p><p>more</p></ul>after", "- one\n- two\n  - deep\n- three\n\n  more\n\nafter"),
        ("<ol start=3><li>c<li value=9>i<li>j</ol>", "3. c\n9. i\n10. j"),
        ("<ol type=a><li>x<li>y</ol><ol type=I start=4><li>z</ol>", "a. x\nb. y\nIV. z"),
        ("<ol reversed><li>x<li>y</ol>", "2. x\n1. y"),
        ("<ul><li><input type=checkbox checked> done<li><input type=checkbox> open</ul>", "- [x] done\n- [ ] open"),
        ("<ul><li><h3>Item</h3><p>words</p></ul>", "### Item\n\nwords"),
        ("<dl><dt>pump<dt>motor<dd>moves water<dd>or air</dl>", "pump\nmotor\n: moves water\n\n: or air"),
        ("<blockquote><p>said</p><p>again</p></blockquote>", "> said\n\n> again"),
        ("<pre>a\n  b\n</pre>", "```\na\n  b\n```"),
        ("<pre><code class='language-sh'>a &lt; b</code></pre>", "```sh\na < b\n```"),
        ("<div class='highlight-python3 notranslate'><div><pre>x</pre></div></div>", "```python3\nx\n```"),
        ("<pre>one<br>two ```</pre>", "```\none\ntwo ```\n```"),
        ("<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"),
        ("<p>one<br>two</p>three<p>four", "one\ntwo\n\nthree\n\nfour"),
        ("<p>use <code>a  b</code> or <code>`c`</code>", "use `a b` or `` `c` ``"),
        ("<p><b>Why?</b><br>Because <b>so</b>.", "**Why?**\nBecause so."),
        ("<p># 1 is no heading<br>---<br>#tag", "\\# 1 is no heading\n\\---\n#tag"),
        ("<details><summary>Why?</summary><p>Because.</p></details>", "**Why?**\n\nBecause."),
        ("<p>extra&shy;ordi&shy;nary max_<wbr>tokens a&nbsp;b", "extraordinary max_tokens a b"),
        ("<p>10<sup>6</sup> cells, 20 m<sup>2</sup>, the 1<sup>st</sup>, H<sub>2</sub>O, in 2020<sup><a href=#f>1</a></sup>", "10^6 cells, 20 m2, the 1st, H2O, in 2020[1]"),
        ("<p>was <del>20 €</del> 15 €, he said <q>no</q>", "was ~~20 €~~ 15 €, he said “no”"),
        ("<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢(kan)字"),
        ("<p>re<b>lan</b>ce <i>x</i><i>y</i>", "relance xy"),
        ("<h2><div>Part</div> <div>One</div></h2>x<h1>A<br>title</h1>", "## Part One\n\nx\n\n# A title"),
        ("<h1>Title<p>text<p>more", "# Title\n\ntext\n\nmore"),
        ("<h2>Two<h3>Three</h3></h2>x", "## Two\n\n### Three\n\nx"),
        ("<h2># 1</h2>x<h2>Uses <code>a|b</code></h2>", "## # 1\n\nx\n\n## Uses `a|b`"),
        ("<p>a<sup>\u2003</sup>b", "a b"),
        ("<ul><li><span>Soup</span><span>8 €</span><li><span>Trout</span><span>Dish of the day</span></ul>", "- Soup 8 €\n- Trout Dish of the day"),
        ("<p><span>Th</span><span>is</span> <code><span>x</span><span>1</span></code>", "This `x1`"),
        ("<a href=/a>one</a><a href=/b>two</a>", "one two"),
        ("<span role=heading aria-level=3>x</span><div role=heading aria-level=2>Title</div><p>y", "### x\n\n## Title\n\ny"),
        ("<form><p>The number is on the lid.</p><label>Name <input value=Jo></label><select><option>S<option>M</select><textarea>Hi</textarea><button>Send</button></form>",
         "The number is on the lid.\n\nName Jo S, M\n\nHi\n\nSend"),
        ("<p>see <math><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></math>", "see $x^2$"),
        ("<svg><text>Valve</text><text>Pump</text></svg><p>x", "Valve Pump\n\nx"),
        ("<p>before</body></html><p>after", "before\n\nafter"),
        ("<p>1 < 2 & 3 &lt; 4", "1 < 2 & 3 < 4"),
        ("<my-card><p>a</p></my-card><my-card>b</my-card>", "a\n\nb"),
    ],
)  # fmt: skip
def test_what_is_shown_is_written(body, text):
    assert text_of(body) == text


def test_pictures_stay_with_what_they_say_and_their_captions():
    body = (
        "<p>Before.</p><figure><img src=a.png alt='A pump'><figcaption>Fig. 1: the pump</figcaption></figure><p>After "
        "<img src=b.png alt=''>all.</p>"
    )
    assert text_of(body) == "Before.\n\nA pump\nFig. 1: the pump\n\nAfter all."


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>secret</p>",
        "<div style='color:red; display: none'><p>secret</p></div>",
        "<p style='visibility:hidden'>secret</p>",
        "<template><p>secret</p></template>",
        "<script>secret</script><style>secret{}</style><noscript>secret</noscript>",
        "<!-- secret --><dialog>secret</dialog>",
        "<span class='sr-only'>secret</span>",
        "<video src=a.mp4>secret</video><iframe src=x>secret</iframe>",
        "<input type=hidden value=secret><input type=password value=secret>",
    ],
)
def test_what_is_hidden_is_not_in_the_text(hidden):
    assert text_of(f"<p>seen</p>{hidden}tail<p>too</p>") == "seen\n\ntail\n\ntoo"


@pytest.mark.parametrize(
    "anchor",
    [
        '<a class="headerlink" href="#x" title="Link">¶</a>',
        '<a href="#x">#</a>',
        '<a class="anchor" href="#x">§</a>',
        '<a class="hash-link" href="/page#x" aria-hidden="true"></a>',
        '<a class="header-anchor" href="#x">Permalink</a>',
        '<a class="anchor" href="#x"><svg><path d="M4"/></svg></a>',
        '<button id="copy-path"><img src="c.svg" alt="Copy item path"></button>',
        '<span class="mw-editsection">[<a href="?edit">edit</a>]</span>',
    ],
)
def test_anchors_of_headings_are_no_text(anchor):
    parsed = read("a.html", f"<h1>Mod{anchor}</h1><h2 id=x>{anchor}Functions{anchor}</h2><p>words")
    assert parsed.text == "# Mod\n\n## Functions\n\nwords"
    assert parsed.title == "Mod"


def test_what_rustdoc_folds_is_there_and_its_handle_is_not():
    page = (
        "<title>HashMap in std - Rust</title><main><h1 class=fqn>Struct std::<wbr>HashMap</h1>"
        "<details class='rustdoc-toggle top-doc' open><summary class=hideme><span>Expand description</span></summary>"
        "<div class=docblock><p>A hash map.</p></div></details></main>"
    )
    parsed = read("a.html", page)
    assert (parsed.title, parsed.text) == ("Struct std::HashMap", "# Struct std::HashMap\n\nA hash map.")
