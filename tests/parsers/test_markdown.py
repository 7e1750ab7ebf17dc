"""Markdown is stored as its reader sees it: without comments, escapes and tags, with its structure and its code."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import read

from relance.chunkers.markdown import outline


def shown(text, name="a.md"):
    return read(name, text).text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a <!-- hidden --> b", "a  b"),
        ("<!--\n## Draft\n\n```\n-->\nb", "\nb"),
        ("a\n[//]: # (hidden)\n[comment]: <> (hidden)\n[//]: # 'x'\nb", "a\nb"),
        ("`<!-- code -->` and\n```\n<!-- code -->\n```", "`<!-- code -->` and\n```\n<!-- code -->\n```"),
        ("a <!-- never closed\nb", "a <!-- never closed\nb"),
        ("a %% note %% b 5%% c", "a  b 5%% c"),
        ("[ref]: https://a.test 'Title'", "[ref]: https://a.test 'Title'"),
    ],
)
def test_comments_go(written, text):
    assert shown("x\n" + written).strip() == ("x\n" + text).strip()


def test_a_heading_in_a_comment_is_none():
    text = shown("# Guide\n\n<!--\n## Draft\n-->\n\n## Real\n")
    assert [heading.title for heading in outline(text).headings] == ["Guide", "Real"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"a \*b\* \_c\_ snake\_case \[d\] 5 \< 6 \\ C:\dir", r"a *b* _c_ snake_case [d] 5 < 6 \ C:\dir"),
        (r"\# no heading", r"\# no heading"),
        (r"1\. no list", r"1\. no list"),
        (r"\* no list", r"\* no list"),
        (r"\*args \#tag \`x\`", r"*args #tag `x`"),
        (r"\```", r"\```"),
        (r"a 1\. b \# c \- d", r"a 1. b # c - d"),
        (r"> \- no list", r"> \- no list"),
        (r"`\*code\*` \*", r"`\*code\*` *"),
        ("``a ` \\* b`` \\*", "``a ` \\* b`` *"),
        (r"| a \| b | c\_d |", r"| a \| b | c_d |"),
        (r"# \_\_init\_\_ snake\_case \& more", r"# \_\_init\_\_ snake_case & more"),
        (r"$a\_b \{x\}$ and \$5", r"$a\_b \{x\}$ and $5"),
        ("$$\nx \\\\ \\{y\\}\n$$\n\\*a", "$$\nx \\\\ \\{y\\}\n$$\n*a"),
        ("x\n\n    code \\* <b>\n\n\\*a", "x\n\n    code \\* <b>\n\n*a"),
        ("~~~\n\\* &amp; <b>\n~~~\n\\*a", "~~~\n\\* &amp; <b>\n~~~\n*a"),
        ("- a\n\n    goes on \\*", "- a\n\n    goes on *"),
        ("AT&amp;T &copy; &lt;div&gt; &#8364;&nbsp;5 &bogus;", "AT&T © <div> € 5 &bogus;"),
        ("`&amp;` &amp;lt;", "`&amp;` &lt;"),
        ("hard\\\nbreak", "hard\nbreak"),
        ("<https://a.test/x_y> <me@a.test>", "https://a.test/x_y <me@a.test>"),
    ],
)
def test_escapes_are_undone_where_no_line_means_something_else_then(written, text):
    assert shown(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("![A barn](data:image/png;base64,iVBORw0KGgo=) red", "A barn red"),
        ("![](data:image/png;base64,AAAA)x", "x"),
        ("![q](data:image/svg+xml,%3Csvg%3E(a)%3C/svg%3E) y", "q y"),
        ('<img alt="A barn" src="data:image/png;base64,AAAA">', "A barn"),
        ("![a][p] b\n\n[p]: data:image/png;base64,AAAA\n", "![a][p] b\n\n"),
        ("![A barn](barn.png)", "![A barn](barn.png)"),
        ('<img src="barn.png" alt="A barn">', "![A barn](barn.png)"),
    ],
)
def test_a_picture_in_the_file_is_its_alt_text(written, text):
    assert shown(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('<h1 align="center">My <b>Pump</b></h1>', "# My **Pump**"),
        ("<h2>\n  Two\n  lines\n</h2>", "## Two lines"),
        ('<p>See <a href="x.md">the <em>page</em></a>.</p>', "See [the *page*](x.md)."),
        ("Vec<T>, <your-name>, a < b > c, <Foo bar>", "Vec<T>, <your-name>, a < b > c, <Foo bar>"),
        ("x<sup>2</sup>, H<sub>2</sub>O, <kbd>Ctrl</kbd>", "x^2, H2O, Ctrl"),
        ("<details><summary>More</summary>\n\nHidden\n</details>", "More\n\nHidden"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ('<video src="x.mp4" aria-label="The sun rises"></video>', "The sun rises"),
        ("<script>\nalert(1)\n</script>a<style>p {}</style>", "a"),
        ("a `<b>` <b>c</b>", "a `<b>` **c**"),
    ],
)
def test_html_becomes_the_markdown_it_stands_for(written, text):
    assert shown("x\n\n" + written).removeprefix("x").strip() == text


def test_a_table_in_html_is_a_table():
    text = shown(
        '<table class="x">\n<tr><th>Name</th><th>Size|cm</th></tr>\n'
        "<tr>\n<td><code>a</code></td>\n<td>1<br>2</td></tr>\n<tr><td colspan=2>both</td></tr></table>\n\nend"
    )
    lines = ["| Name | Size\\|cm |", "| --- | --- |", "| `a` | 1 2 |", "| both |  |", "", "", "end"]
    assert text.strip().split("\n") == lines


def test_a_table_for_the_layout_keeps_what_is_in_it():
    assert shown("<table><tr><td>\n\n## Heading\n\ntext\n\n</td></tr></table>").split() == ["##", "Heading", "text"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("> [!NOTE]\n> Mind the gap", "> **Note**\n> Mind the gap"),
        ("> [!warning]- Hot surface\n> x", "> **Warning:** Hot surface\n> x"),
        ("See [[Pumps|the pumps]] and [[Valves]], ![[p.png]]", "See the pumps and Valves, ![[p.png]]"),
        ('{{< figure src="x.png" title="The pump" >}}', "The pump"),
        ('a {{% notice %}}b{{% /notice %}} [c]({{< ref "d" >}})', 'a b [c]({{< ref "d" >}})'),
        ("{% include x.html %}{{ site.name }}", "{{ site.name }}"),
        ('{% highlight ruby %}\nputs "\\*"\n{% endhighlight %}', '```ruby\nputs "\\*"\n```'),
        ("Text[^1].\n\n[^1]: A note \\& more.", "Text[^1].\n\n[^1]: A note & more."),
        ('<Tabs>\n<TabItem label="Linux">\nx\n</TabItem>\n</Tabs>', "\nLinux\nx\n\n"),
    ],
)
def test_dialects_read_well(written, text):
    assert shown("x\n\n" + written).strip() == ("x\n\n" + text).strip()


def test_imports_of_mdx_go():
    written = "import Tabs from '@theme/Tabs';\nexport const x = {a: 1}\n\nimport goods from abroad\n<Tabs/>"
    assert shown(written, "a.mdx").split("\n") == ["", "import goods from abroad", ""]
    assert "Tabs from" in shown(written)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# \\_\\_init\\_\\_ &amp; co", "__init__ & co"),
        ("<h1>The <b>Pump</b></h1>\n", "The Pump"),
        ("<!-- # No -->\n# Yes\n", "Yes"),
        ("# " + "*a" * 200_000, None),
        ("# " + " " * 300_000 + "x", None),
    ],
)
def test_a_title_is_read_in_time(text, title):
    began = time.process_time()
    found = read("a.md", text).title
    assert title is None or found == title
    assert time.process_time() - began < 2


UNITS = [
    " ",
    "\n",
    "#",
    "# ",
    "|",
    "[",
    "*",
    "`",
    '"',
    "a",
    "水",
    "<",
    ">",
    "\\",
    "$",
    "&",
    "{",
    "![a](",
    "<!--",
    "<div>",
]
UNITS += [
    "<a href=x>",
    "{{<",
    "[[",
    "`a ``",
    "- a\n",
    "```\n",
    "> ",
    "<table>",
    "<h1>",
    "![a](data:",
    "$$\n",
    "a\n===\n",
]


@pytest.mark.parametrize("unit", UNITS)
def test_reading_takes_linear_time(unit):
    began = time.process_time()
    text = shown("x\n" + unit * (150_000 // len(unit.encode())) + "\nend")
    outline(text)
    assert text.endswith("end")
    assert time.process_time() - began < 4


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([*UNITS, "-->", "</table>", "<td>", "</h1>", ")", "]", "\n\n", "b", "%}", ">}}"]), max_size=30
    )
)
def test_any_markup_is_survived(pieces):
    text = shown("x" + "".join(pieces))
    assert "\x02" not in text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abc <&\\*_[]$#|-", max_size=20), max_size=8))
def test_code_is_never_touched(lines):
    code = "\n".join(["```", *lines, "```"])
    assert code in shown("a \\* <b>b</b>\n\n" + code + "\n\n<i>c</i>")
