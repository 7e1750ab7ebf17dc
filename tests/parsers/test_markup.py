"""Markup of every kind becomes Markdown: its headings, code, tables and words, and nothing else."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutations, truncations
from parsing import read

from relance.chunkers.markdown import outline
from relance.errors import DocumentError
from relance.parsers import Raw, installed_parsers
from relance.parsers.markup import Markup
from relance.parsers.media_types import media_type_of
from relance.testing.parsers import ParserContract

RST = """:author: Jo Lind
:orphan:

.. _start:

=========
The Pump
=========

See :ref:`valves <v>`, :func:`~a.open` and ``x_y``; `site <https://a.test>`_, 5 \\* 3.

.. a comment
   over two lines

Parts
=====

.. code-block:: python

   # Section fake
   x = 1

Then::

   literal *text*

.. list-table:: Sizes
   :header-rows: 1

   * - Name
     - Value
   * - a
     - 1

Small
-----

.. note:: Mind
   the gap.

+---+-----+
| A | B   |
+===+=====+
| 1 | two |
|   | 2b  |
+---+-----+

==== =====
Name Price
==== =====
a    1
b    2
==== =====

.. include:: other.rst
.. image:: barn.png
   :alt: A barn

水泵
----

Last. |x|

.. |x| replace:: never seen before
"""
ASCIIDOC = """= The Pump
Jo Lind <jo@a.test>
:keywords: pumps, valves
:product: Pump 3

Intro to {product}. // stays

// a comment
////
== no heading
////
== Parts

[source,ruby]
----
puts 1
== no heading
----

.Sizes
[cols="1,1",options="header"]
|===
|Name |Value
|a |1
|===

include::other.adoc[]

NOTE: Mind the gap.

Small
~~~~~

* one
** two
. first

See <<parts,the parts>>, https://a.test[site] and image:b.png[A barn].
"""
ORG = """#+TITLE: The Pump
#+AUTHOR: Jo Lind
#+FILETAGS: :a:b:

* TODO [#A] Parts :tag:
:PROPERTIES:
:ID: hidden
:END:
Text with =code_x= and [[https://a.test][site]].
# a comment
#+begin_src python
,* no heading
x = 1
#+end_src
** Small
| Name | Value |
|------+-------|
| a    | 1     |
* COMMENT hidden
** also hidden
secret
* Last
: literal
"""
LATEX = r"""\documentclass{book} % \title{No}
\title{The \emph{Pump}}
\author{J\"org Lind \and Ann}
\begin{document}
\maketitle
% a comment
\chapter{Parts}\label{c:parts}
Some \textbf{bold} text--50\% of it, caf\'e, $a_b$ \footnote{A note.}
\section*{Small}
\begin{itemize}
  \item one
  \item[Two] \texttt{x\_y}
\end{itemize}
\begin{lstlisting}[language=Python]
print("50%") # \section{no}
\end{lstlisting}
\begin{tabular}{lr}\hline Name & Value \\ \hline a & 1 \\\end{tabular}
\begin{equation}
a = \frac{b}{c}
\end{equation}
\input{other}
\end{document}
after
"""
WIKI = """{{Infobox|a={{b}}}}<!-- hidden
== no == -->
'''The Pump''' is ''old''<ref>Book</ref>, see [[Valve|valves]] and [https://a.test site].
== Parts ==
* one
** two
{| class="wikitable"
! Name !! Value
|-
| a || align="right" | 1
|}
=== Small ===
<syntaxhighlight lang="c">
int x; // [[no]] == no ==
</syntaxhighlight>
[[File:x.png|thumb|A barn]] <nowiki>''raw''</nowiki>
[[Category:Pumps]]
"""
MAN = r""".\" a comment
.TH PUMP 1 2024-02-29 "Pumps 3"
.SH NAME
pump \- move water
.SH OPTIONS
.TP
.BR \-f , " \-\-fast"
Go \fIfast\fP, \(co 2024.
.SS Small
.nf
  int x;
.fi
.so man1/other.1
"""
MDOC = """.Dd February 29, 2024
.Dt PUMP 1
.Sh NAME
.Nm pump
.Nd move water
.Sh DESCRIPTION
The
.Nm
utility takes
.Fl f Ar file .
"""


def headings(parsed):
    return [(heading.depth, heading.title) for heading in outline(parsed.text).headings]


def test_restructured_text():
    parsed = read("a.rst", RST)
    assert (parsed.title, parsed.metadata) == ("The Pump", {"author": "Jo Lind"})
    assert headings(parsed) == [(1, "The Pump"), (2, "Parts"), (3, "Small"), (3, "水泵")]
    assert "See valves, `a.open` and `x_y`; [site](https://a.test), 5 * 3." in parsed.text
    assert "```python\n# Section fake\nx = 1\n```" in parsed.text
    assert "Then:\n\n```\nliteral *text*\n```" in parsed.text
    assert "| Name | Value |\n| --- | --- |\n| a | 1 |" in parsed.text
    assert "| A | B |\n| --- | --- |\n| 1 | two 2b |" in parsed.text
    assert "| Name | Price |\n| --- | --- |\n| a | 1 |\n| b | 2 |" in parsed.text
    assert "**Note:** Mind" in parsed.text
    assert "![A barn](barn.png)" in parsed.text
    assert not {"comment", "_start", "orphan", "include"} & set(parsed.text.replace("::", "").split())
    assert parsed.warnings == ("1 file that it includes is not in its text",)


def test_asciidoc():
    parsed = read("a.asciidoc", ASCIIDOC)
    assert (parsed.title, parsed.metadata) == (
        "The Pump",
        {"author": "Jo Lind <jo@a.test>", "keywords": "pumps, valves"},
    )
    assert headings(parsed) == [(1, "The Pump"), (2, "Parts"), (3, "Small")]
    assert "Intro to Pump 3. // stays" in parsed.text
    assert "```ruby\nputs 1\n== no heading\n```" in parsed.text
    assert "**Sizes**\n\n| Name | Value |\n| --- | --- |\n| a | 1 |" in parsed.text
    assert "**Note:** Mind the gap." in parsed.text
    assert "- one\n  - two\n1. first" in parsed.text
    assert "See the parts, [site](https://a.test) and ![A barn](b.png)." in parsed.text
    assert "comment" not in parsed.text
    assert parsed.warnings == ("1 file that it includes is not in its text",)


def test_org():
    parsed = read("a.org", ORG)
    assert (parsed.title, parsed.metadata) == ("The Pump", {"author": "Jo Lind", "tags": ["a", "b"]})
    assert headings(parsed) == [(1, "Parts"), (2, "Small"), (1, "Last")]
    assert "Text with `code_x` and [site](https://a.test)." in parsed.text
    assert "```python\n* no heading\nx = 1\n```" in parsed.text
    assert "| Name | Value |\n| --- | --- |\n| a | 1 |" in parsed.text
    assert "```\nliteral\n```" in parsed.text
    assert not {"hidden", "secret", "comment"} & set(parsed.text.split())


def test_latex():
    parsed = read("a.tex", LATEX)
    assert (parsed.title, parsed.metadata) == ("The Pump", {"author": "Jörg Lind, Ann"})
    assert headings(parsed) == [(1, "Parts"), (2, "Small")]
    assert "Some **bold** text–50% of it, café, $a_b$ A note." in parsed.text
    assert "- one" in parsed.text
    assert "- **Two** `x_y`" in parsed.text
    assert '```python\nprint("50%") # \\section{no}\n```' in parsed.text
    assert "| Name | Value |\n| --- | --- |\n| a | 1 |" in parsed.text
    assert "$$\na = \\frac{b}{c}\n$$" in parsed.text
    assert not {"comment", "after"} & set(parsed.text.split())
    assert parsed.warnings == ("1 file that it includes is not in its text",)


def test_mediawiki():
    parsed = read("a.wiki", WIKI)
    assert parsed.metadata == {"keywords": ["Pumps"]}
    assert headings(parsed) == [(2, "Parts"), (3, "Small")]
    assert "**The Pump** is *old*, see valves and [site](https://a.test)." in parsed.text
    assert "- one\n  - two" in parsed.text
    assert "| Name | Value |\n| --- | --- |\n| a | 1 |" in parsed.text
    assert "```c\nint x; // [[no]] == no ==\n```" in parsed.text
    assert "A barn ''raw''" in parsed.text
    assert parsed.warnings == ("1 template is not in its text", "1 reference is not in its text")


def test_manual_pages():
    parsed = read("pump.man", MAN)
    assert (parsed.title, parsed.metadata) == ("PUMP(1)", {"date": "2024-02-29"})
    assert headings(parsed) == [(1, "NAME"), (1, "OPTIONS"), (2, "Small")]
    assert "pump - move water" in parsed.text
    assert "**-f, --fast**\nGo fast, © 2024." in parsed.text
    assert "```\nint x;\n```" in parsed.text
    assert "comment" not in parsed.text
    parsed = read("pump.mdoc", MDOC)
    assert parsed.title == "PUMP(1)"
    assert "pump\n— move water" in parsed.text
    assert "The\npump\nutility takes\n-f file" in parsed.text


def test_subtitles_are_what_is_said():
    srt = "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i>\nthere\n\n2\n00:00:02,000 --> 00:00:03,000\nHello there\n"
    assert read("a.srt", srt).text == "Hello there\n"
    vtt = "WEBVTT\n\nNOTE hidden\n\n00:01.000 --> 00:02.000 align:start\n- <v Jo>Water!\n\nintro\n00:03.000 --> 00:04.000\n12\n"
    assert read("a.vtt", vtt).text == "- Water!\n12\n"


def test_translations_stand_beside_their_messages():
    po = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n\n#: a.c:1\nmsgid "Open the "\n"valve"\nmsgstr "Ventil öffnen"\n'
    parsed = read("de.po", po)
    assert (parsed.text, parsed.metadata) == ("Open the valve\nVentil öffnen\n", {"language": "de"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.rst", "Text\n\n# not a heading\n\n=====\n\nmore"),
        ("a.org", "Text\n\n#not\n\n ## not a heading\n"),
        ("a.man", ".PP\n# not a heading\n"),
        ("a.tex", "\\# not a heading\n\n---\n"),
    ],
)
def test_what_is_no_heading_does_not_become_one(name, text):
    assert headings(read(name, text)) == []


SAMPLES = [
    ("a.rst", RST), ("a.adoc", ASCIIDOC), ("a.org", ORG), ("a.tex", LATEX), ("a.wiki", WIKI), ("a.man", MAN),
    ("b.mdoc", MDOC), ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello\n"), ("a.po", 'msgid "a"\nmsgstr "b"\n'),
]  # fmt: skip


class TestMarkup(ParserContract):
    parser = Markup()
    samples = tuple(Raw(text.encode(), name, media_type_of(name)) for name, text in SAMPLES)
    damaged = (Raw(b"\0\1\2" * 50, "a.rst", "text/x-rst"),)


@pytest.mark.parametrize(("name", "text"), SAMPLES)
def test_damaged_files_are_text_or_a_plain_failure(name, text):
    for data in [*mutations(text.encode(), 60), *truncations(text.encode(), 20)]:
        try:
            assert read(name, data).text.strip()
        except DocumentError as error:
            assert "cannot be parsed" not in error.reason  # noqa: PT017  # either outcome is right


UNITS = [
    " ", "\n", "#", "|", "[", "*", "`", '"', "'", "a", "水", "= ", "a\n===\n", ".. a::\n", "  " * 9 + "a\n", "\\", "{", "{{",
    "\\begin{verbatim}", "\\begin{a}", "\\href{", "\\'", "[[", "<ref>", "<pre>", "{|\n", "|===\n", "----\n", "* a\n", ".TP\n",
    "+--+\n", "=== ===\n", ":a:\n", "#+begin_src\n", "<<a", "link:", "$", "''", "%\n", "1\n00:01.000 --> 00:02.000\na\n\n",
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", ["a.rst", "a.adoc", "a.org", "a.tex", "a.wiki", "a.man", "a.vtt", "a.po"])
def test_reading_takes_linear_time(name):
    slow = []
    for unit in UNITS:
        data = ("x\n\n" + unit * (60_000 // len(unit.encode())) + "\nend\n").encode()
        began = time.process_time()
        installed_parsers().of(media_type_of(name)).parse(Raw(data, name, media_type_of(name)))
        if time.process_time() - began > 1.5:
            slow.append(unit)
    assert not slow


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["a.rst", "a.adoc", "a.org", "a.tex", "a.wiki", "a.man"]),
    st.lists(st.sampled_from([*UNITS, "\n\n", "x", "}", "]]", "   "]), max_size=25),
)
def test_any_markup_is_survived(name, pieces):
    assert "\x03" not in read(name, "x" + "".join(pieces)).text
