"""How good the cuts are: headings, paragraphs, sentences, code, and what each chunk says about where it stands."""

import importlib.util
import random
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.chunkers import chunk_document, chunk_documents, context_prefix, embedding_text
from relance.chunkers.boundaries import Level, find_boundaries
from relance.chunkers.code import SyntaxChunker
from relance.chunkers.markdown import outline
from relance.config import ChunkingSpec
from relance.documents import Chunk, Document
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import DocumentError, MissingExtraError
from relance.testing.chunkers import FRAGMENTS

WORDS = open_tokenizer("words")


def document(text, syntax="text", title=""):
    return Document(uri="doc", text=text, media_type="text/plain", content_hash="", title=title, syntax=syntax)


def cut(text, syntax="text", **spec):
    chunks = chunk_document(document(text, syntax), ChunkingSpec(**spec), WORDS)
    return [text[chunk.start : chunk.end] for chunk in chunks]


def level_before(text, word):
    found = find_boundaries(text)
    at = text.lower().index(word)
    return dict(zip(found.positions.tolist(), found.levels.tolist(), strict=True)).get(at)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("One two. HERE", Level.SENTENCE),
        ('He said "no." HERE', Level.SENTENCE),
        ("It works, HERE", Level.CLAUSE),
        ("one HERE", Level.WORD),
        ("By J. HERE", Level.WORD),
        ("see e.g. HERE", Level.WORD),
        ("one, two etc. here", Level.WORD),
        ("A title\nHERE", Level.LINE),
        ("A line that an editor has wrapped long before its\nHERE", Level.CLAUSE),
        ("The end.\n\nHERE", Level.PARAGRAPH),
        ("The end.\n  \nHERE", Level.PARAGRAPH),
        ("It is as follows:\n\nHERE", Level.LINE),
        ("第一句。HERE", Level.SENTENCE),
        ("他说：“好！”HERE", Level.SENTENCE),
        ("先这样，HERE", Level.CLAUSE),
        ("中文HERE", Level.WORD),
        ("「HERE", None),
        ("3.14HERE", None),
    ],
)
def test_a_boundary_is_as_good_as_what_ends_there(text, level):
    assert level_before(text, "here") == level


def test_no_chunk_begins_with_chinese_punctuation():
    for chunk in cut("边界层在压力升高处分离，然后（有时）再附着；这是常见的。" * 30, max_tokens=16):
        assert chunk[0] not in "，。；）"


@given(text=st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=60).map("".join))
@settings(max_examples=40, deadline=None)
def test_boundaries_found_window_by_window_are_those_of_the_whole_text(text):
    whole = find_boundaries(text)
    for window in (1, 7, 80):
        found = find_boundaries(text, window)
        assert found.positions.tolist() == whole.positions.tolist()
        assert found.levels.tolist() == whole.levels.tolist()


def test_a_paragraph_is_a_better_end_than_a_sentence_and_a_sentence_better_than_a_word():
    text = "One two three four. Five six seven eight.\n\n" + "Nine ten. " * 10
    assert cut(text, max_tokens=18)[0] == "One two three four. Five six seven eight."
    text = "One two three four. Five six seven eight. " + "and so on " * 10
    assert cut(text.replace(". and", ". And"), max_tokens=16)[0] == "One two three four. Five six seven eight."


def test_a_scrap_is_not_left_at_the_end():
    text = " ".join("word" for _ in range(65))
    assert [len(chunk.split()) for chunk in cut(text, max_tokens=64)] == [57, 8]


def test_indentation_of_the_first_line_belongs_to_a_chunk():
    text = "\n\n    first\n" + "    second\n" * 30
    assert cut(text, max_tokens=16)[0].startswith("    first\n    second")


def test_an_overlap_begins_at_a_sentence_if_one_fits():
    text = "".join(f"S{i} one two three four. " for i in range(12))
    chunks = cut(text, max_tokens=24, overlap_tokens=8)
    assert all(chunk.startswith("S") for chunk in chunks)
    assert chunks[0].endswith(chunks[1][: len("S3 one two three four.")])


def test_an_overlap_that_leaves_room_for_nothing_new_is_given_up():
    text = "\U00036240word 0:<\n 0\x81\U000175c0"
    chunks = chunk_document(document(text), ChunkingSpec(max_tokens=16, overlap_tokens=8), open_tokenizer("qwen"))
    assert len(chunks) == 2
    assert chunks[0].end < chunks[1].end


def test_an_overlap_does_not_cross_a_heading():
    text = "# A\n\n" + "one two three. " * 6 + "\n\n# B\n\n" + "four five six. " * 6
    assert cut(text, "markdown", max_tokens=32, overlap_tokens=8)[1].startswith("# B")


GUIDE = """---
title: not a heading
---
Before any heading.

# The `relance` [guide](http://x.y) #

Intro.

Install
-------

Run it. {fill}

```sh
# not a heading
```

### On *Linux* {{#linux}}

Text. {fill}

## Use

Text. {fill}

<!-- -->
# Second part

Text. {fill}
""".format(fill="Some more words here. " * 8)


def test_a_chunk_knows_the_headings_above_it():
    chunks = chunk_document(document(GUIDE, "markdown"), ChunkingSpec(max_tokens=50), WORDS)
    seen = [(chunk.heading_path, GUIDE[chunk.start : chunk.end].split("\n")[0]) for chunk in chunks]
    guide = "The relance guide"
    assert seen == [
        ((), "---"),
        ((guide, "Install"), "Install"),
        ((guide, "Install"), "```sh"),
        ((guide, "Install", "On Linux"), "Some more words here. Some more words here. "),
        ((guide, "Use"), "Some more words here. "),
        (("Second part",), "Some more words here. Some more words here."),
    ]


def test_a_chunk_that_begins_with_headings_is_in_the_section_of_the_last_of_them():
    text = "# A\n\n## B\n\n" + "one two three. " * 4 + "\n\n## C\n\n" + "four five six. " * 4
    chunks = chunk_document(document(text, "markdown"), ChunkingSpec(max_tokens=24), WORDS)
    assert [chunk.heading_path for chunk in chunks] == [("A", "B"), ("A", "C")]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("# A\n## B ##\n####### no\n#no\n", ["A", "B"]),
        ("A\n=\n\nB\n---\n", ["A", "B"]),
        ("two lines\nand a rule\n---\n", []),
        ("- item\n---\n", []),
        ("    # code\n", []),
        ("```\n# code\n~~~\n```\n# A\n", ["A"]),
        ("````\n```\n# code\n````\n# A\n", ["A"]),
        ("1. step\n\n   ```sh\n   # code\n   ```\n\n# A\n", ["A"]),
        ("```\n# never closed\n", []),
        ("``` inline ``` text\n# A\n", ["A"]),
        ("---\na: 1\n# comment\n---\n# A\n", ["A"]),
        ("---\n\n# A\n\n---\n", ["A"]),
        ("| a |\n|---|\n| # |\n\n# A\n", ["A"]),
        ("#\n# **Bold** _and_ `code_x` <b>tag</b> ![img](u) a_b_c\n", ["", "Bold and code_x tag img a_b_c"]),
    ],
)
def test_headings_are_what_a_markdown_reader_takes_for_headings(text, titles):
    assert [heading.title for heading in outline(text).headings] == titles


def test_a_heading_stays_with_what_is_below_it():
    text = "".join(f"## Part {i}\n\n" + "one two three four five. " * (3 + i % 4) + "\n\n" for i in range(30))
    for chunk in cut(text, "markdown", max_tokens=32):
        assert not chunk.splitlines()[-1].startswith("##")


def test_a_section_that_fits_is_not_mixed_with_the_next():
    text = "".join(f"## Part {i}\n\n" + "one two three four five. " * 4 + "\n\n" for i in range(6))
    assert [chunk.count("##") for chunk in cut(text, "markdown", max_tokens=32)] == [1] * 6


def test_a_long_fence_is_cut_at_a_blank_line_and_a_long_table_between_rows():
    code = "```\n" + "\n\n".join("x = 1\ny = 2. Then" for _ in range(20)) + "\n```"
    assert all(chunk.startswith(("```", "x")) for chunk in cut(code, "markdown", max_tokens=40))
    table = "| a | b |\n|---|---|\n" + "| one two, three. Four | five |\n" * 30
    assert all(chunk.startswith("|") for chunk in cut(table, "markdown", max_tokens=40))


def test_what_announces_a_block_stays_with_it():
    text = "Some text before it. " * 6 + "\n\nAs follows:\n\n```\n" + "x = 1\n" * 8 + "```\n"
    chunks = cut(text, "markdown", max_tokens=48)
    assert chunks[1].startswith("As follows:\n\n```")


def test_a_link_is_not_cut_while_there_is_another_place():
    text = "word " * 12 + "[a link of many words](http://x.y/z) " + "word " * 20
    assert all(chunk.count("[") == chunk.count(")") for chunk in cut(text, "markdown", max_tokens=18))


PYTHON = '''import os


def first(a):
    """Say something."""
    x = a + 1

    return x * os.cpu_count()


# About the second.
@cache
def second(b):
    for i in range(b):
        print(i, b, "something")

    return {
        "a": b,
    }


class Third:
    def method(self):
        return 1

    def other(self):
        return 2
'''


def test_code_is_cut_between_definitions():
    chunks = cut(PYTHON, "code:python", max_tokens=48)
    assert [chunk.splitlines()[0] for chunk in chunks] == ["import os", "# About the second.", "class Third:"]


def test_code_keeps_its_indentation():
    assert any(chunk.startswith("    def other") for chunk in cut(PYTHON, "code:python", max_tokens=16))


def test_rows_stay_as_they_are_where_they_fit():
    assert cut("One. Two.\n\nThree.", "row", max_tokens=16) == ["One. Two.\n\nThree."]
    assert len(cut("One. Two.\n\nThree. " * 10, "row", max_tokens=16)) > 1


def has_parsers():
    try:
        return importlib.util.find_spec("tree_sitter_language_pack.bindings") is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(has_parsers(), reason="checked where the extra is missing")
def test_the_strategy_code_without_its_extra_says_what_to_install():
    with pytest.raises(DocumentError, match=r"pip install 'relance\[code\]'"):
        cut(PYTHON, "code:python", strategy="code")


@pytest.mark.skipif(not has_parsers(), reason="needs the extra `code`")
class TestSyntax:
    def test_definitions_are_kept_whole_and_comments_stay_with_them(self):
        chunks = cut(PYTHON, "code:python", strategy="code", max_tokens=48)
        assert [chunk.splitlines()[0] for chunk in chunks] == ["import os", "# About the second.", "class Third:"]

    def test_what_does_not_fit_is_cut_between_its_parts(self):
        text = "class A:\n" + "".join(f"    def m{i}(self):\n        x = '中文é'\n        return x\n" for i in range(9))
        chunks = cut(text, "code:python", strategy="code", max_tokens=40)
        assert len(chunks) > 2
        assert all(chunk.lstrip().startswith(("class A", "def m")) for chunk in chunks)

    def test_a_syntax_without_parser_is_cut_as_auto_cuts_it(self):
        for syntax in ("markdown", "text", "code:nosuchlanguage"):
            assert cut(PYTHON, syntax, strategy="code", max_tokens=20) == cut(PYTHON, syntax, max_tokens=20)


def test_the_strategy_code_needs_its_extra_for_code_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_language_pack", None)
    with pytest.raises(MissingExtraError):
        SyntaxChunker.open("python", WORDS, 256, 0)
    with pytest.raises(DocumentError, match="relance\\[code\\]"):
        cut(PYTHON, "code:python", strategy="code")
    assert cut(PYTHON, "markdown", strategy="code", max_tokens=20) == cut(PYTHON, "markdown", max_tokens=20)


def test_auto_cuts_code_without_any_parser(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_language_pack", None)
    assert len(cut(PYTHON, "code:python", max_tokens=48)) == 3


def test_the_limit_of_the_model_counts_if_it_is_smaller():
    chunks = chunk_document(document("word " * 100), ChunkingSpec(max_tokens=64), WORDS, limit=20)
    assert max(chunk.tokens for chunk in chunks) == 20


def alone(one, spec, limit):
    try:
        return chunk_document(one, spec, open_tokenizer("qwen"), limit)
    except DocumentError as error:
        return str(error)


@pytest.mark.parametrize(
    ("spec", "limit"),
    [
        (ChunkingSpec(max_tokens=32), 0),
        (ChunkingSpec(strategy="whole", max_tokens=40), 0),
        (ChunkingSpec(max_tokens=64, context=["title", "headings"]), 24),
    ],
)
def test_documents_split_together_are_split_as_alone(spec, limit):
    choose = random.Random(3)
    texts = ["".join(choose.choices(FRAGMENTS, k=choose.randrange(12))) for _ in range(60)]
    ways = ("row", "markdown", "code:python")
    documents = [
        Document(f"d{at}", text, "text/plain", "", "A title", ways[at % 3])
        for at, text in enumerate([*texts, *texts[:9]])
    ]
    together = [
        str(found) if isinstance(found, DocumentError) else found
        for found in chunk_documents(documents, spec, open_tokenizer("qwen"), limit)
    ]
    assert together == [alone(one, spec, limit) for one in documents]
    assert any(isinstance(found, str) for found in together) == (spec.strategy == "whole")


def test_long_documents_split_together_are_split_as_alone():
    spec = ChunkingSpec(max_tokens=9_000)
    documents = [document("long and longer\n" * length) for length in (20_000, 9, 40_000, 30_000, 80_000, 1)]
    found = list(chunk_documents(documents, spec, open_tokenizer("qwen")))
    assert found == [alone(one, spec, 0) for one in documents]


def test_a_tokenizer_is_not_needed_where_there_is_nothing_to_split():
    nobody: Any = None
    assert list(chunk_documents([], ChunkingSpec(), nobody)) == []


@pytest.mark.parametrize("syntax", ["markdown", "code:python"])
def test_a_long_text_takes_eight_bytes_a_character_beside_itself(syntax):
    sentence = "Heat flows from the wall, and `the layer` thickens.\n"
    text = f"# Part\n\n{sentence * 9}\n```\n{sentence * 3}```\n\n" * 1_250
    tokenizer = open_tokenizer("qwen")
    chunk_document(document(text[:9_000], syntax), ChunkingSpec(), tokenizer)  # imports and tables
    tracemalloc.start()
    try:
        chunks = chunk_document(document(text, syntax), ChunkingSpec(), tokenizer)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(chunks) > 500
    assert most <= 8 * len(text)


def prefix(title, path, *context):
    chunk = Chunk(0, 4, 1, heading_path=path)
    return context_prefix(document("text", title=title), chunk, ChunkingSpec(context=list(context)))


def test_context_is_title_and_headings_as_asked_for():
    assert prefix("Guide", ("A", "B"), "title", "headings") == "Guide › A › B\n"
    assert prefix("Guide", ("A", "B"), "headings") == "A › B\n"
    assert prefix("Guide", ("A", "B")) == ""
    assert prefix("", (), "title", "headings") == ""
    assert prefix("guide", ("Guide", "B"), "title", "headings") == "guide › B\n"


def test_a_long_context_loses_its_outermost_parts():
    line = prefix("前" * 200, ("后" * 60,), "title", "headings")
    assert len(line.encode()) <= 240
    assert line.endswith("后\n")


def test_the_stored_span_stays_exact_under_context():
    doc = document("# A\n\nText here.", "markdown", title="T")
    spec = ChunkingSpec(context=["title", "headings"])
    (chunk,) = chunk_document(doc, spec, WORDS)
    assert embedding_text(doc, chunk, spec) == "T › A\n# A\n\nText here."
    assert doc.text[chunk.start : chunk.end] == "# A\n\nText here."
