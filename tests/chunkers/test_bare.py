"""Addresses of pictures are no part of what is embedded, and every offset stays exact."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relance.chunkers import bare, chunk_document, embedding_text
from relance.config import ChunkingSpec
from relance.documents import Document
from relance.embedding.tokenizers import open_tokenizer

SIGNED = "https://files.example.com/0/shot.png?X-Amz-Date=2026113{0}T000000Z&X-Amz-Signature=" + "{0}0" * 32
QWEN = open_tokenizer("qwen")


@pytest.mark.parametrize(
    ("text", "embedded"),
    [
        ('![a (b)](x.png "t (1)")', '![a (b)]( "t (1)")'),
        ("![a](<a b.png>)", "![a](<>)"),
        ("文![图](https://x/1)", "文![图]()"),
        ("[![mill](https://i/a.png)](https://x/page)", "[![mill]()](https://x/page)"),
        ('![a][id]\n\n[id]: https://x/a.png?sig=1 "T"\n[l]: https://x/page', '![a][id]\n\n[id]:  "T"\n[l]: https://x/page'),
        ("<img alt='x' src=\"https://a/b?c\" srcset='a 1x, b 2x' data-src=q>", "<img alt='x' src=\"\" srcset='' data-src=>"),
        ("![dot](data:image/png;base64,AAAA)", "![dot]()"),
        ("see [the page](https://x/page.png)", "see [the page](https://x/page.png)"),
        ("let v = vec![a](b);", "let v = vec![a](b);"),
        ("an \\![escaped](mark)", "an \\![escaped](mark)"),
    ],
)  # fmt: skip
def test_only_addresses_of_pictures_are_left_out(text: str, embedded: str) -> None:
    assert bare(text) == embedded


PIECES = ["![", "](", ")", "[", "]", "<img src=", ">", '"', "'", "a.png", " ", "\n", "\n\n", "[id]: ", "# T\n", "word",
          "data-src=", "<", "\\", "(", "https://x/?a=1", "图"]  # fmt: skip
markdown = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(markdown)
@example('![a](b.png "c.png")')
def test_leaving_out_twice_changes_nothing(text: str) -> None:
    once = bare(text)
    assert bare(once) == once
    assert len(once) <= len(text)


@example("[id]: " + SIGNED.format(1), 16, "markdown")
@example("[id]: " + SIGNED.format(1) + "\n\nA sentence of its own. " + "word " * 20, 16, "markdown")
@given(st.lists(st.sampled_from([*PIECES, SIGNED.format(1), "A sentence of its own. "]), max_size=60).map("".join),
       st.integers(16, 40), st.sampled_from(["markdown", "text"]))  # fmt: skip
def test_spans_are_those_of_the_document_as_it_is(text: str, most: int, syntax: str) -> None:
    document = Document("a.md", text, "text/markdown", "", syntax=syntax)
    spec = ChunkingSpec(max_tokens=most, context=[])
    chunks = chunk_document(document, spec, QWEN)
    spans = [text[chunk.start : chunk.end] for chunk in chunks]
    assert [chunk.tokens for chunk in chunks] == QWEN.count(spans).tolist()
    edges = [0, *(edge for chunk in chunks for edge in (chunk.start, chunk.end)), len(text)]
    assert all(not text[start:end].strip() for start, end in zip(edges[::2], edges[1::2], strict=True))
    sent = [embedding_text(document, chunk, spec) for chunk in chunks]
    assert all(count <= most for count in QWEN.count([bare(each) for each in sent]).tolist() if chunks)


def test_a_new_signature_leaves_what_is_embedded_and_where_it_is_split() -> None:
    """docu-notion#76: 40 of 120 chunks were embedded again each day."""
    pages = ["# Page\n\n" + "How to set it up. " * 30 + f"\n\n![shot]({SIGNED.format(day)})\n\n" + "Then save. " * 20
             for day in (1, 2)]  # fmt: skip
    spec = ChunkingSpec(max_tokens=64)
    sent = []
    for text in pages:
        document = Document("a.md", text, "text/markdown", "", syntax="markdown")
        chunks = chunk_document(document, spec, QWEN)
        sent.append([embedding_text(document, chunk, spec) for chunk in chunks])
        assert any("X-Amz-Signature" in text[chunk.start : chunk.end] for chunk in chunks), "the text is as written"
    assert sent[0] == sent[1]
    assert not any("X-Amz" in each for each in sent[0])


def test_pages_begin_where_they_did() -> None:
    text = "One.\n\n![a](https://x/1.png?sig=1)\n\nTwo. " * 20
    begins = (0, text.index("Two."), text.rindex("One."))
    document = Document("a.pdf", text, "application/pdf", "", syntax="markdown", pages=begins)
    assert chunk_document(document, ChunkingSpec(max_tokens=32), QWEN)
