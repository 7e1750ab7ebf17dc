"""What every chunker promises, with every tokenizer.

```python
class TestMine(ChunkerContract):
    strategy, plugin = "mine", Mine
```
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from relance.chunkers import bare, chunk_document, embedding_text
from relance.config import ChunkingSpec
from relance.documents import Chunk, Document
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import DocumentError
from relance.testing.given import GivenPlugin

__all__ = ["CHARACTERS", "FRAGMENTS", "ChunkerContract", "check_characters", "check_context", "check_overlap",
           "check_spans", "document"]  # fmt: skip

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
CHARACTERS = (FAMILY, "🇩🇪", "👍🏽", "e\u0301\u0323")
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
    "\n\n**Why is that?**\n\n", "\n![A pump](p.png)\n\n*Figure 1: a pump*\n", "\n\nA title of few words\n\n",
    "\n| name of it | value |\n|:---|---:|\n" + "| one | 2 |\n" * 30,
    "\n\nCheck all of these:\n\n" + "- an item\n    - nested in it\n\n      and more of that\n" * 9,
]  # fmt: skip
_TEXTS = 60  # made of fragments, the same at every run


class ChunkerContract(GivenPlugin):
    """What an author says.

    Attributes:
        strategy: its name in `chunking`.
        syntaxes: of documents it is tried with.
        tokenizers: by which it is tried.
        options: of its section, beside `max_tokens`, `overlap_tokens` and `context`.
    """

    strategy: ClassVar[str]
    group = "chunkers"
    syntaxes: ClassVar[Sequence[str]] = ("text", "markdown", "code:python", "row")
    tokenizers: ClassVar[Sequence[str]] = ("qwen", "words")
    options: ClassVar[dict[str, Any]] = {}

    def test_it_has_a_section_and_a_version(self) -> None:
        plugin = self.plugins(self.strategy).find("chunkers", self.strategy)
        assert issubclass(plugin.Spec, ChunkingSpec)
        assert isinstance(self.spec(), plugin.Spec)
        assert plugin.version

    def test_spans_are_within_the_limit_tile_the_text_and_are_the_same_again(self) -> None:
        for text, syntax, tokenizer, limit in self._cases():
            check_spans(self.split, document(text, syntax), self.spec(max_tokens=limit), tokenizer)

    def test_an_overlap_repeats_the_end_of_a_span_and_no_more_than_it_may(self) -> None:
        for text, syntax, tokenizer, limit in self._cases():
            spec = self.spec(max_tokens=limit, overlap_tokens=limit // 3)
            check_overlap(self.split, document(text, syntax), spec, tokenizer)

    def test_context_never_pushes_a_text_over_the_limit_of_the_model(self) -> None:
        spec = self.spec(max_tokens=400, context=["title", "headings"])
        for text, syntax, tokenizer, limit in self._cases():
            check_context(self.split, document(f"# A heading of some length\n\n{text}", syntax), spec, tokenizer, limit)

    def test_a_lead_never_pushes_a_text_over_the_limit_of_the_model(self) -> None:
        for text, syntax, tokenizer, limit in self._cases():
            check_context(self.split, document(text, syntax), self.spec(max_tokens=limit), tokenizer, limit)
            check_context(self.split, document(text, syntax), self.spec(max_tokens=400), tokenizer, limit)

    def test_what_a_reader_takes_for_one_character_is_not_divided(self) -> None:
        for syntax in self.syntaxes:
            for word in (1, 5, 12):
                check_characters(self.split, word, 40, syntax, self.spec(max_tokens=100), open_tokenizer("qwen"))

    def test_a_document_of_blanks_has_no_chunks(self) -> None:
        for text in ("", " ", "\n\n\t "):
            assert self.split(document(text), self.spec(), open_tokenizer("words")) == []

    def spec(self, **values: Any) -> ChunkingSpec:
        """Read the section `chunking` as an index file would."""
        return ChunkingSpec.of({"strategy": self.strategy, **self.options, **values}, self.plugins(self.strategy))

    def split(self, doc: Document, spec: ChunkingSpec, tokenizer: Tokenizer, limit: int = 0) -> list[Chunk] | None:
        """Split a document; None where it is refused, for a reason."""
        try:
            return chunk_document(doc, spec, tokenizer, limit, self.plugins(self.strategy))
        except DocumentError as error:
            assert error.uri == doc.uri
            assert error.reason
            assert "cannot be split" not in error.reason, "it says itself what is wrong"
            return None

    def _cases(self) -> Iterator[tuple[str, str, Tokenizer, int]]:
        """Make texts, the same at every run, of all syntaxes and tokenizers, with limits from 16 to 120 tokens."""
        choose = random.Random(7)  # noqa: S311  # texts, no secrets
        for number in range(_TEXTS):
            text = "".join(choose.choices(FRAGMENTS, k=choose.randrange(60)))
            syntax = self.syntaxes[number % len(self.syntaxes)]
            tokenizer = open_tokenizer(self.tokenizers[number % len(self.tokenizers)])
            yield text, syntax, tokenizer, choose.randrange(16, 121)


def document(text: str, syntax: str = "text") -> Document:
    """Make a document."""
    return Document(uri="doc", text=text, media_type="text/plain", content_hash="", title="A title", syntax=syntax)


def check_spans(split: Any, doc: Document, spec: ChunkingSpec, tokenizer: Tokenizer) -> None:
    """Check that spans are within the limit, tile the text, and are the same when it is split again.

    Addresses of pictures are counted in `tokens`, but not against limits: they are not embedded.
    """
    text, limit = doc.text, spec.max_tokens
    chunks = split(doc, spec, tokenizer)
    if chunks is None:
        return
    spans = [text[chunk.start : chunk.end] for chunk in chunks]
    assert [chunk.tokens for chunk in chunks] == tokenizer.count(spans).tolist()
    assert (tokenizer.count([bare(span) for span in spans]) <= limit).all()
    for span in spans:
        assert span.strip()
        assert span == span.rstrip()
        assert len(span) - len(span.lstrip()) <= 32
        assert "\n" not in span[: len(span) - len(span.lstrip())]
    edges = [0, *(edge for chunk in chunks for edge in (chunk.start, chunk.end)), len(text)]
    assert edges == sorted(edges)
    assert all(not text[gap[0] : gap[1]].strip() for gap in zip(edges[::2], edges[1::2], strict=True))
    assert chunks == split(doc, spec, tokenizer)


def check_overlap(split: Any, doc: Document, spec: ChunkingSpec, tokenizer: Tokenizer) -> None:
    """Check that a chunk repeats the end of the one before, and no more of it than `overlap_tokens`."""
    text = doc.text
    chunks = split(doc, spec, tokenizer) or []
    spans = [bare(text[chunk.start : chunk.end]) for chunk in chunks]
    assert (tokenizer.count(spans) <= spec.max_tokens).all()
    for one, following in pairwise(chunks):
        assert one.start < following.start
        assert one.end < following.end
        assert not text[one.end : following.start].strip()
        assert tokenizer.count([bare(text[following.start : one.end])])[0] <= spec.overlap_tokens


def check_context(split: Any, doc: Document, spec: ChunkingSpec, tokenizer: Tokenizer, limit: int) -> None:
    """Check that chunks with their context and lead fit into a model that takes `limit` tokens."""
    chunks = split(doc, spec, tokenizer, limit) or []
    embedded = [embedding_text(doc, chunk, spec) for chunk in chunks]
    # Without context there is nothing that could not be left out; with it, the shortest chunk and the longest one.
    most = max(limit, 16 + 240) if spec.context else limit
    assert (tokenizer.count(embedded) <= most).all()
    for chunk, sent in zip(chunks, embedded, strict=True):
        span = bare(doc.text[chunk.start : chunk.end])
        assert sent == span or sent.endswith("\n" + span)
        assert chunk.lead == chunk.lead.strip("\n")
        assert f"{bare(chunk.lead)}\n{span}" in sent or not chunk.lead


def check_characters(split: Any, word: int, many: int, syntax: str, spec: ChunkingSpec, tokenizer: Tokenizer) -> None:
    """Check that what a reader takes for one character is divided nowhere, between words of so many letters."""
    text = ("x" * word + "".join(CHARACTERS)) * many
    chunks = split(document(text, syntax), spec, tokenizer)
    for part in CHARACTERS if chunks is not None else ():
        assert sum(text[chunk.start : chunk.end].count(part) for chunk in chunks) == many
