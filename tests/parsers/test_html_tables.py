"""Tables keep their cells apart, and each with its row and column."""

import pytest
from parsing import read

LONG = "The river gauge reports its level every ten minutes. " * 6


def text_of(body):
    return read("a.html", f"<html><body>{body}</body></html>").text


def test_a_short_table_is_rows_of_cells_whatever_the_blanks_between_its_tags():
    rows = "".join(
        f"<tr><td>{month}</td><td>${cost}</td><td>{cost} m<sup>2</sup></td></tr>"
        for month, cost in [("May", 104), ("June", 105)]
    )
    table = f"<table><tr><th>Month</th><th>Cost</th><th>Room</th></tr>{rows}</table>"
    expected = "| Month | Cost | Room |\n|---|---|---|\n| May | $104 | 104 m2 |\n| June | $105 | 105 m2 |"
    assert text_of(table) == expected
    assert text_of(table.replace("<t", "\n  <t")) == expected
    assert text_of(table.replace("</td>", "").replace("</th>", "").replace("</tr>", "")) == expected


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("<tr><th>a<th>b<tr><td rowspan=2>span<td>r1<tr><td>r2", "| a | b |\n|---|---|\n| span | r1 |\n| span | r2 |"),
        ("<tr><th>a<th>b<th>c<tr><td>1<td rowspan=3>2<td>3<tr><td>4<td>5<tr><td>6<td>7", "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 | 2 | 5 |\n| 6 | 2 | 7 |"),
        ("<tr><th>a<th>b<tr><td colspan=2>both", "| a | b |\n|---|---|\n| both | both |"),
        ("<tr><th>a<th>b<th>c<tr><td>1<td>2<td rowspan=2>3<tr><td>4", "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 |  | 3 |"),
        ("<thead><tr><th rowspan=2>Region<th colspan=2>2023<tr><th>Q1<th>Q2<tbody><tr><td>N<td>1<td>2", "| Region | 2023 Q1 | 2023 Q2 |\n|---|---|---|\n| N | 1 | 2 |"),
        ("<thead><tr><th colspan=2>Prices<tr><th>a<th>b<tbody><tr><td>1<td>2", "Prices\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        ("<caption>Table 1. Rooms</caption><tr><th>a<th>b<tr><td>1<td>2", "Table 1. Rooms\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        ("<tr><td>1<td>2<tr><td>3<td>4", "|  |  |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |"),
        ("<tr><td><b>a</b><td><p><strong>b</strong></p><tr><td>1<td><b>2</b>", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("<tr><th>Weight<td>20 kg<tr><th>Height<td>1 m", "|  |  |\n|---|---|\n| Weight | 20 kg |\n| Height | 1 m |"),
        ("<tr><th>a<th>b<tr><td>x | y<td><code>p|q</code>", "| a | b |\n|---|---|\n| x \\| y | `p\\|q` |"),
        ("<tr><th>a<th>b<tr><td><p>one</p><p>two</p><td><ul><li>x<li>y</ul>", "| a | b |\n|---|---|\n| one two | x; y |"),
        ("<tr><th>a<th>b<tr><td>one<br>two<td>", "| a | b |\n|---|---|\n| one two |  |"),
        ("<tr><td>outer<td><table><tr><td>inner a<td>inner b<tr><td>c<td>d</table><tr><td>x<td>y", "|  |  |\n|---|---|\n| outer | inner a, inner b; c, d |\n| x | y |"),
        ("<tr><th>Name<tr><td><p>abs(x)</p><p>Absolute value</p><tr><td>ceil(x)", "Name\n\nabs(x)\nAbsolute value\n\nceil(x)"),
        ("<tr><th>Call<th>Example<tr><td>abs<td><pre>abs(-1)\n# 1</pre>", "Call: abs\n\nExample:\n\n```\nabs(-1)\n# 1\n```"),
        ("<tr><td class=linenos><pre>1\n2</pre><td class=code><pre>a\nb</pre>", "```\na\nb\n```"),
        ("<tr><td><h2>News</h2><p>one</p><td><h2>Dates</h2><p>two</p>", "## News\n\none\n\n## Dates\n\ntwo"),
        (f"<tr><td><ul><li>Home<li>Shop</ul><td><p>{LONG}</p><p>{LONG}</p><p>{LONG}</p><p>{LONG}</p>", "- Home\n- Shop\n\n" + "\n\n".join([LONG.strip()] * 4)),
    ],
)  # fmt: skip
def test_tables_of_all_kinds(table, text):
    assert text_of(f"<table>{table}</table>") == text


def test_a_table_for_layout_is_read_cell_by_cell():
    assert text_of("<table role=presentation><tr><td>one<td>two</table>") == "one\n\ntwo"


def test_a_table_in_a_list_stands_below_its_item():
    assert text_of("<ul><li>item<table><tr><th>a<th>b<tr><td>1<td>2</table></ul>") == (
        "- item\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |"
    )


def test_a_page_whose_outer_table_holds_all_keeps_every_cell():
    inner = "<table><tr><th>Part<th>Price<tr><td>Valve<td>3</table>"
    page = f"<h1>Shop</h1><table><tr><td>{inner}<h2>More</h2><td><p>{LONG}</p></table>"
    assert text_of(page) == f"# Shop\n\n| Part | Price |\n|---|---|\n| Valve | 3 |\n\n## More\n\n{LONG.strip()}"
